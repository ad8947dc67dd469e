"""How a student is asked and what it writes: chosen when it is trained, kept with it, and used ever after."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from core.config.case import Case, Mode
from core.config.project import FILE, Project, open_project
from core.config.recipe import Algorithm, Curriculum, Recipe
from core.model_export.export import write_export
from core.models.resolve import ModelError, model_for, resolve_name
from core.models.student_format import FILE as FORMAT_FILE
from core.models.student_format import StudentFormat, StudentFormatError, choose_format, load_format, save_format
from core.models.trained import trained_models
from core.runs.params import ExportParams, ModelFormat
from core.training.data.cases import LeftOut
from core.training.data.fresh import fresh_count, fresh_examples
from core.training.data.sampler import CasePosition, CurriculumSampler, ladder_shares
from core.training.run import job
from core.training.run.phase import describe_left_out, run_phase, why_no_case
from core.training.run.setup import PhaseSetup
from storage.schema import Evidence, Example, Finding, Holds, RunState, Step
from tests import tiny_model
from tests.core.training_runs import training, with_student

PIECE = Evidence(source="Cohort analysis", content="The wait time fell with the coach.", relevance=0.9)
STEP = Step(
    part="wait time",
    findings=[Finding(piece=1, quote="wait time fell", source="", says="down")],
    against=[],
    why="",
    found="down",
    claimed="up",
    holds=Holds.NO,
)


def example(number: int = 0, *, steps: bool = True, split: str = "train") -> Example:
    return Example(
        hypothesis=f"The coach raises the wait time, case {number}.",
        evidence=[PIECE],
        steps=[STEP] if steps else [],
        reasoning="It fell,\nso no.",
        decision="REJECTED",
        confidence=0.9,
        family=f"{split}-{number}",
        domain="market",
        level=1,
        split=split,
        source="import",
    )


LINE = "wait time: down, claimed up, wrong."


@pytest.mark.parametrize(
    ("rationale", "answer"),
    [
        ("steps", f"{LINE}\nDecision: REJECTED"),
        ("after", f"Decision: REJECTED\n{LINE}"),
        ("none", "Decision: REJECTED"),
        ("full", "Reasoning: It fell, so no.\nDecision: REJECTED\nConfidence: 0.90"),
    ],
)
def test_the_answer_to_learn(rationale: str, answer: str) -> None:
    chosen = StudentFormat.model_validate({"rationale": rationale})
    assert chosen.answer(example()) == answer
    assert chosen.can_answer(example(steps=False)) is (rationale in {"none", "full"})


def test_a_direct_student_answers_with_the_decision_alone() -> None:
    assert StudentFormat(mode=Mode.DIRECT, rationale="steps").answer(example()) == "REJECTED"


@pytest.mark.parametrize(
    ("train", "rationale", "prompt"),
    [
        ([example()], "steps", "short"),
        ([example(), example(1, steps=False)], "full", "full"),
        ([], "full", "full"),
    ],
)
def test_steps_are_written_where_all_examples_have_them(
    project: Project, train: list[Example], rationale: str, prompt: str
) -> None:
    chosen = choose_format(Recipe(algorithm=Algorithm.SFT), project.task, project.folder, train)
    assert (chosen.rationale, chosen.prompt) == (rationale, prompt)


def test_a_recipe_may_choose_and_a_later_phase_goes_on_as_the_one_before(project: Project) -> None:
    chosen = choose_format(
        Recipe(algorithm=Algorithm.SFT, rationale="none", prompt="full"), project.task, project.folder, [example()]
    )
    assert (chosen.rationale, chosen.prompt) == ("none", "full")
    after = choose_format(Recipe(algorithm=Algorithm.GRPO), project.task, project.folder, [example()], chosen)
    assert (after.rationale, after.prompt) == ("none", "full")


def test_the_format_is_kept_with_the_template_of_the_training(project: Project, tmp_path: Path) -> None:
    assert load_format(tmp_path) is None
    chosen = choose_format(Recipe(algorithm=Algorithm.SFT), project.task, project.folder, [example()])
    save_format(tmp_path, chosen)
    kept = load_format(tmp_path)
    assert kept == chosen
    # A template that is changed later does not reach what was trained with the one before.
    (project.folder / "own.j2").write_text("{% block user %}Own: {{ case.hypothesis }}{% endblock %}")
    path = project.folder / FILE
    path.write_text(path.read_text() + '\n[prompts]\nstudent = "own.j2"\n')
    changed = open_project(project.folder)
    assert kept is not None
    (message,) = kept.prompting(changed.task, changed.folder).messages("It rises.", [PIECE])
    assert message["content"] == "Claim: It rises.\n1. Cohort analysis: The wait time fell with the coach."
    fresh = choose_format(Recipe(algorithm=Algorithm.SFT), changed.task, changed.folder, [example()])
    (message,) = fresh.prompting(changed.task, changed.folder).messages("It rises.", [PIECE])
    assert message["content"] == "Own: It rises."


def test_a_damaged_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / FORMAT_FILE).write_text("{")
    with pytest.raises(StudentFormatError, match=FORMAT_FILE):
        load_format(tmp_path)


def test_an_answer_is_as_sure_as_its_tokens_and_one_that_contradicts_itself_is_not(project: Project) -> None:
    steps = StudentFormat(rationale="steps")
    sure = steps.probabilities(f"{LINE}\nDecision: REJECTED", 0.8, project.task)
    assert sure == pytest.approx({"VALIDATED": 0.1, "REJECTED": 0.8, "REFINED": 0.1})
    contradiction = steps.probabilities(f"{LINE}\nDecision: VALIDATED", 0.8, project.task)
    assert contradiction is not None and contradiction["VALIDATED"] == 0.0
    assert steps.probabilities("I cannot say.", 0.8, project.task) is None
    assert StudentFormat(rationale="full").probabilities("Decision: REJECTED", 0.8, project.task) is None


def test_a_text_is_complete_once_the_line_of_its_decision_ended(project: Project) -> None:
    is_complete = StudentFormat(rationale="steps").completeness(project.task.labels)
    assert not is_complete(LINE)
    assert not is_complete(f"{LINE}\nDecision: REJECT")
    assert is_complete(f"{LINE}\nDecision: REJECTED\n")


# ------------------------------------------------------------------ a training run


class Quiet:
    """A reporter that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.looks: list[dict[str, Any]] = []

    def log(self, message: str, *, severity: str = "info") -> None:
        self.messages.append(f"{severity}: {message}")

    def step(self, *_: object) -> None: ...

    def evaluation(self, number: int, figures: dict[str, Any]) -> None:
        self.looks.append({"step": number} | figures)

    def alarm(self, *_: object) -> None: ...

    def requested_action(self) -> str | None:
        return None

    def stopping(self) -> bool:
        return False

    def dev_accuracies(self) -> dict[int, float]:
        return {}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    texts = [StudentFormat(rationale="steps").answer(example()), example().hypothesis, PIECE.content, "Claim 1. : "]
    return tiny_model.save(folder / "tiny", texts=texts, max_position_embeddings=2048)


RECIPE = Recipe(algorithm=Algorithm.SFT, steps=3, batch=2, evaluate_every=3, evaluate_on=2, max_answer_tokens=40)


async def test_a_student_is_asked_as_it_was_trained(project: Project, db: sqlite3.Connection, weights: Path) -> None:
    project = with_student(project, weights)
    run = training(project, db, "sft", rationale="auto")
    folder = project.run_folder(run.id) / "sft"
    reporter = Quiet()
    train = [example(number) for number in range(6)]
    dev = [example(number, split="dev") for number in range(2)]
    ending = run_phase(project, PhaseSetup("sft", RECIPE, weights, None, folder, train, dev), reporter)
    assert ending.state is RunState.FINISHED, ending
    assert "short prompt, steps, then the decision" in reporter.messages[0]
    kept = load_format(folder / "adapter")
    assert kept is not None and kept.rationale == "steps"
    assert set(reporter.looks[-1]["fields"]) >= {"part", "found", "claimed"}
    assert reporter.looks[-1]["levels"] == {"1": [reporter.looks[-1]["right"], 2]}
    model = model_for(project, db, "sft", Mode.REASON)
    (reply,) = await model.answer([Case("a", "It rises.", (PIECE,))])
    short = kept.prompting(project.task, project.folder)
    assert model.prompt_version == short.version
    full_version = StudentFormat().prompting(project.task, project.folder).version
    assert model.prompt_version != full_version
    assert reply.usage.input_tokens is not None and reply.usage.input_tokens < 120
    await model.close()
    exported = project.folder / "exported"
    request = ExportParams(model="sft", format=ModelFormat.ADAPTER, output=exported)
    trained = trained_models(project, db)[resolve_name(project, db, "sft")]
    assert trained.local is not None
    write_export(project, db, request, trained, trained.local)
    assert load_format(exported) == kept
    card = (exported / "README.md").read_text()
    assert "Claim: HYPOTHESIS\n1. SOURCE: TEXT" in card
    assert "PART: FOUND, claimed CLAIMED, right.\nDecision: VALIDATED" in card
    assert "sigmoid(slope * logit(p) + offset)" in card
    (folder / "adapter" / FORMAT_FILE).write_text("[]")
    with pytest.raises(ModelError, match="cannot be read"):
        model_for(project, db, "sft", Mode.REASON)


def test_what_is_left_out_is_said(project: Project, weights: Path, tmp_path: Path) -> None:
    reporter = Quiet()
    recipe = RECIPE.model_copy(update={"rationale": "steps"})
    train = [example(number, steps=number > 1) for number in range(6)]
    run_phase(project, PhaseSetup("sft", recipe, weights, None, tmp_path / "a", train, []), reporter)
    assert "4 cases, 0 to watch" in reporter.messages[0]
    assert "2 left out, without steps" in reporter.messages[0]
    assert "warning: the dev split is empty: accuracy is not watched" in reporter.messages
    short = recipe.model_copy(update={"max_prompt_tokens": 32})
    ending = run_phase(project, PhaseSetup("sft", short, weights, None, tmp_path / "b", train, []), Quiet())
    assert ending.state is RunState.FAILED
    assert "2 examples have no steps" in ending.reason and "4 are longer than 32 tokens" in ending.reason
    assert why_no_case(LeftOut(too_long=3), 32).endswith("raise max_prompt_tokens")
    assert describe_left_out(LeftOut(), 32) == ""


# ------------------------------------------------------------------ fresh examples, and the ladder


def test_fresh_examples_are_new_apart_and_the_same_again(project: Project) -> None:
    drawn = fresh_examples(project.task, 30, 1, ())
    assert drawn == [
        made.model_copy(update={"created": old.created})
        for made, old in zip(fresh_examples(project.task, 30, 1, ()), drawn, strict=True)
    ]
    assert len({made.id for made in drawn}) == 30
    assert {made.decision for made in drawn[:3]} == set(project.task.labels)
    held_out = {drawn[0].family}
    assert not {made.family for made in fresh_examples(project.task, 30, 1, held_out)} & held_out
    assert not {made.family for made in drawn} & {made.family for made in fresh_examples(project.task, 30, 2, ())}
    assert all(made.steps for made in drawn)
    assert {(made.source, made.split, made.status.value) for made in drawn} == {("procedural", "train", "accepted")}
    assert all(made.prompt_version for made in drawn)
    assert {made.level for made in drawn} == {level.level for level in project.task.levels}


def test_a_recipe_draws_as_many_as_it_learns_from() -> None:
    assert fresh_count(Recipe(algorithm=Algorithm.SFT, batch=8, steps=100)) == 800
    assert fresh_count(Recipe(algorithm=Algorithm.SFT, batch=8, steps=10**6)) == 20_000


def test_a_fresh_recipe_leaves_out_the_families_of_dev_and_test(project: Project, db: sqlite3.Connection) -> None:
    recipe = Recipe(algorithm=Algorithm.SFT, batch=3, steps=4, fresh=True)
    drawn = job.examples_to_learn(project.task, db, recipe)
    from storage import examples

    kept = drawn[0].model_copy(update={"split": "dev"})
    examples.add(db, kept)
    again = job.examples_to_learn(project.task, db, recipe)
    assert len(drawn) == len(again) == 12
    assert kept.family not in {made.family for made in again}


def test_the_next_level_joins_over_the_mark_and_earlier_ones_stay_at_a_tenth() -> None:
    curriculum = Curriculum(order="ladder", mark=0.9)
    assert ladder_shares(curriculum, [1, 2, 3], 1) == {1: 1.0, 2: 0.0, 3: 0.0}
    assert ladder_shares(curriculum, [1, 2, 3], 3) == pytest.approx({1: 0.1, 2: 0.1, 3: 0.8})
    positions = [CasePosition(level, label) for level in (1, 2) for label in "ab" for _ in range(20)]
    sampler = CurriculumSampler(positions, curriculum, batch=10, steps=10, seed=0)
    assert {positions[case].level for case in sampler.step(0)} == {1}
    assert sampler.climb({1: 0.89, 2: 1.0}) is None
    assert sampler.climb({}) is None
    assert sampler.climb({1: 0.9}) == 2
    assert [positions[case].level for case in sampler.step(1)].count(2) >= 8
    resumed = CurriculumSampler(positions, curriculum, batch=10, steps=10, seed=0)
    resumed.restore(json.loads(json.dumps(sampler.state())), 2)
    assert resumed.step(2) == sampler.step(2)
    assert sampler.climb({1: 1.0, 2: 1.0}) is None


def test_a_ladder_goes_on_as_it_was_where_an_older_checkpoint_does_not_say(tmp_path: Path) -> None:
    sampler = CurriculumSampler([CasePosition(1, "a")], Curriculum(), batch=1, steps=2, seed=0)
    sampler.restore({"drawn": [[0]], "right": {}}, 1)
    assert sampler.joined == 1
