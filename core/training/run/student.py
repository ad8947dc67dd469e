"""The student of a phase, opened to be trained: one that writes, or a classifier, behind one interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from core.config.project import Project
from core.config.recipe import Algorithm
from core.models.student_format import StudentFormat, choose_format, load_format
from core.models.weights import WeightsError
from storage.schema import Example

if TYPE_CHECKING:
    from core.training.data.cases import LeftOut, TrainingCase
    from core.training.data.sampler import CurriculumSampler
    from core.training.run.callback import TrainingCallback
    from core.training.run.evaluate_dev import DevEvaluation
    from core.training.run.setup import PhaseSetup


class Student(Protocol):
    """What is trained in a phase, and what depends on its kind."""

    answer_format: StudentFormat

    def cases(self, examples: Sequence[Example], *, learns: bool) -> tuple[list[TrainingCase], LeftOut]:
        """`examples` as it reads them, and what was left out; if it `learns` from them, stale ones are, too."""
        ...

    def evaluation(
        self, dev_cases: Sequence[TrainingCase], stopping: Callable[[], bool], looks: list[DevEvaluation]
    ) -> Callable[[], dict[str, Any]]:
        """The function that evaluates on the dev split, and leaves what it saw last in `looks`; raises StoppedError.

        All processes have to call it.
        """
        ...

    def trainer(
        self,
        train_cases: Sequence[TrainingCase],
        sampler: CurriculumSampler,
        callback: TrainingCallback,
        first_step: int,
    ) -> Any:
        """The trainer of the recipe, from step `first_step` (0 at the beginning)."""
        ...

    def save(self, trainer: Any) -> None:
        """Save what was trained into the folder of the phase's adapter."""
        ...


def open_student(project: Project, phase: PhaseSetup) -> Student:
    """The student of a phase, with the format of its answers.

    Raises WeightsError, PromptError, StudentFormatError.
    """
    previous = load_format(phase.start_adapter) if phase.start_adapter else None
    is_classifier = phase.recipe.algorithm is Algorithm.CLASSIFY
    if phase.start_adapter and is_classifier != (previous is not None and previous.kind == "classifier"):
        raise WeightsError(
            f"{phase.name}: what it starts from is {'no' if is_classifier else 'a'} classifier: a classifier goes on "
            "from a classifier, and a student that writes from one that writes"
        )
    answer_format = choose_format(phase.recipe, project.task, project.folder, phase.train, previous)
    if is_classifier:
        from core.training.run.classifier import open_classifier_student

        return open_classifier_student(project, phase, answer_format)
    from core.training.run.writer import open_writer

    return open_writer(project, phase, answer_format)
