"""How a student is asked, and the form of its answers: decided when it is trained, and kept beside its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.config.case import Mode
from core.config.recipe import Algorithm, Recipe
from core.config.steps import DEFAULT_WORDING, StepWording
from core.config.task import Task
from core.models.confidence import PlattScale, fit_platt, fit_temperature
from core.models.model import spread
from core.models.parse_answer import is_complete, parse_answer, states_decision
from core.models.prompting import Prompting, answer_fields, target_answer, template_text
from core.models.step_lines import contradicts, parse_steps, write_steps
from storage.errors import UserError
from storage.schema import Example, Outcome

FILE = "sidequest.json"

Rationale = Literal["steps", "full", "none", "after"]


class StudentFormatError(UserError, ValueError):
    """The file beside a student's weights cannot be read; the message says which and why."""


class StudentFormat(BaseModel):
    """How a student is asked and what it writes. A classifier writes nothing: it reads up to `max_tokens` of a case.

    `template` is the prompt as it was in training, '' if it is the project's own; `labels` are the decisions that it
    knows. `slope` and `offset` fit the confidence of answers in words, `temperature` that of labels as answers.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    format: Literal[1] = 1
    kind: Literal["writer", "classifier"] = "writer"
    mode: Mode = Mode.REASON
    rationale: Rationale = "full"
    prompt: Literal["short", "full"] = "full"
    template: str = ""
    wording: StepWording = Field(default=DEFAULT_WORDING)
    labels: tuple[str, ...] = ()
    max_tokens: int = 0
    slope: float = 1.0
    offset: float = 0.0
    temperature: float = Field(default=1.0, gt=0)

    def prompting(self, task: Task, project_dir: Path) -> Prompting:
        """The prompts, by the template of the training. Raises PromptError."""
        return Prompting(task, self.mode, project_dir, short=self.prompt == "short", template=self.template)

    def answer(self, example: Example) -> str:
        """The answer to learn for `example`."""
        if self.mode is Mode.DIRECT:
            return example.decision
        decision = f"Decision: {example.decision}"
        if self.rationale == "none":
            return decision
        if self.rationale == "full":
            return target_answer(self.mode, example.reasoning, example.decision, example.confidence)
        lines = write_steps(example.steps, self.wording)
        return f"{lines}\n{decision}" if self.rationale == "steps" else f"{decision}\n{lines}"

    def answer_fields(self) -> tuple[str, ...]:
        """The fields of an example that the answer states beside the decision."""
        if self.mode is Mode.DIRECT or self.rationale == "none":
            return ()
        return answer_fields(self.mode) if self.rationale == "full" else ("steps",)

    @property
    def states_confidence(self) -> bool:
        """Whether the answer says how sure it is; the confidence of others is a probability."""
        return self.mode is not Mode.DIRECT and self.rationale == "full"

    def can_answer(self, example: Example) -> bool:
        """Whether `example` has what the answer is made of."""
        return self.mode is Mode.DIRECT or self.rationale in {"none", "full"} or bool(example.steps)

    def completeness(self, labels: Sequence[str]) -> Callable[[str], bool]:
        """Whether a text that is being written says all that is asked for."""
        if self.rationale == "full":
            return lambda text: is_complete(text, labels)
        return lambda text: states_decision(text, labels)

    def probabilities(self, text: str, probability: float, task: Task) -> dict[str, float] | None:
        """The probabilities of the decisions, by that of all tokens of the answer `text`.

        An answer that decides otherwise than its own steps is the least sure of all. None where nothing is decided, and
        for prose: much of it could have been worded in other ways.
        """
        if self.rationale == "full":
            return None
        decision = parse_answer(text, "", Outcome.WRITTEN, task.labels).decision
        if contradicts(parse_steps(text, self.wording), decision, task.steps.rule):
            return spread(decision, 0.0, task.labels)
        return spread(decision, PlattScale(self.slope, self.offset)(probability), task.labels)

    def fitted(
        self,
        distributions: Sequence[Mapping[str, float] | None],
        decisions: Sequence[str | None],
        labels: Sequence[str],
    ) -> StudentFormat:
        """This format with its confidence fitted to answers on dev: the probabilities and the decision of each, as this
        format gives them, and its label.

        Left out are answers without a decision or probabilities, and those that contradict their own steps: the 0 that
        these are given is no probability, and stays.
        """
        known = [
            (distribution, decision, label)
            for distribution, decision, label in zip(distributions, decisions, labels, strict=True)
            if distribution and decision is not None and distribution[decision] > 0
        ]
        if self.mode is Mode.DIRECT:
            temperature = fit_temperature([distribution for distribution, _, _ in known], [row[2] for row in known])
            return self.model_copy(update={"temperature": temperature})
        scale = fit_platt(
            [distribution[decision] for distribution, decision, _ in known],
            [decision == label for _, decision, label in known],
        )
        return self.model_copy(update={"slope": scale.slope, "offset": scale.offset})


def choose_format(
    recipe: Recipe, task: Task, project_dir: Path, train: Sequence[Example], previous: StudentFormat | None = None
) -> StudentFormat:
    """The format in which `recipe` trains on `train`; where it leaves the choice, that of the `previous` phase.

    Without one, a student writes steps where every example to learn from has them. Raises PromptError.
    """
    rationale, prompt = recipe.rationale, recipe.prompt
    is_classifier = recipe.algorithm is Algorithm.CLASSIFY
    if is_classifier:
        rationale, prompt = "none", "short" if prompt == "auto" else prompt
    if rationale == "auto":
        all_have_steps = bool(train) and all(example.steps for example in train)
        rationale = previous.rationale if previous else "steps" if all_have_steps else "full"
    if prompt == "auto":
        prompt = previous.prompt if previous else "full" if rationale == "full" else "short"
    return StudentFormat(
        kind="classifier" if is_classifier else "writer",
        mode=recipe.mode,
        rationale=rationale,
        prompt=prompt,
        template=template_text(task, project_dir, short=prompt == "short"),
        wording=task.steps.wording,
        labels=tuple(task.labels),
    )


def save_format(folder: Path, chosen: StudentFormat) -> None:
    """Write the format beside the weights in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(chosen.model_dump_json(indent=2) + "\n", encoding="utf-8")


def load_format(folder: Path) -> StudentFormat | None:
    """The format beside the weights in `folder`; None if they are from before it was kept.

    Raises StudentFormatError.
    """
    path = folder / FILE
    try:
        return StudentFormat.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise StudentFormatError(f"{path} cannot be read: {error}") from None
