"""A classifier in training: its cases, its trainer, its looks at the dev split, and its weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.config.project import Project
from core.models.case_encoder import CaseEncoder
from core.models.classifier_weights import context_length
from core.models.student_format import StudentFormat
from core.training import distributed
from core.training.data.cases import LeftOut, TrainingCase, classifier_cases
from core.training.data.sampler import CurriculumSampler
from core.training.data.soft_targets import cost_matrix, soft_targets
from core.training.run.callback import TrainingCallback
from core.training.run.evaluate_dev import DevEvaluation, evaluate_classifier
from core.training.trainers import arguments
from core.training.trainers.classifier import TrainableClassifier, open_trainable_classifier, save_classifier
from core.training.trainers.labels import HeadScorer, LabelTrainer
from storage.schema import Example

if TYPE_CHECKING:
    from core.training.run.setup import PhaseSetup


@dataclass
class ClassifierStudent:
    """A classifier, as a phase trains it."""

    phase: PhaseSetup
    answer_format: StudentFormat
    classifier: TrainableClassifier
    encoder: CaseEncoder

    def cases(self, examples: Sequence[Example], *, learns: bool) -> tuple[list[TrainingCase], LeftOut]:  # noqa: ARG002
        """`examples` as it reads them, long ones without their least relevant pieces. It learns the decision alone, for
        which nothing is stale."""
        return classifier_cases(examples, self.encoder)

    def evaluation(
        self, dev_cases: Sequence[TrainingCase], stopping: Callable[[], bool], looks: list[DevEvaluation]
    ) -> Callable[[], dict[str, Any]]:
        """The function that evaluates on the dev split, and leaves what it saw last in `looks`; raises StoppedError."""
        should_stop = stopping if distributed.process_count() == 1 else lambda: False

        def evaluate() -> dict[str, Any]:
            model = self.classifier.model
            was_training = model.training
            model.eval()
            try:
                looks[:] = [evaluate_classifier(model, self.classifier.pad, dev_cases, self.answer_format, should_stop)]
                return looks[-1].figures
            finally:
                model.train(was_training)

        return evaluate

    def trainer(
        self,
        train_cases: Sequence[TrainingCase],
        sampler: CurriculumSampler,
        callback: TrainingCallback,
        first_step: int,
    ) -> Any:
        """The trainer of the recipe, from step `first_step` (0 at the beginning)."""
        recipe, labels = self.phase.recipe, self.answer_format.labels
        return LabelTrainer(
            self.classifier.model,
            self.classifier.tokenizer,
            arguments.sft_arguments(recipe, self.phase.folder, distributed.process_count()),
            train_cases,
            soft_targets(train_cases, self.phase.votes, labels, recipe.soft),
            sampler,
            HeadScorer(self.classifier.pad),
            costs=cost_matrix(recipe.costs, labels),
            first_step=first_step,
            callbacks=[callback],
        )

    def save(self, trainer: Any) -> None:  # noqa: ARG002  the interface of all students
        """Save the adapter with the head, or the whole weights."""
        save_classifier(self.classifier, self.phase.adapter)
        distributed.barrier()


def open_classifier_student(project: Project, phase: PhaseSetup, answer_format: StudentFormat) -> ClassifierStudent:
    """The student of a phase with a head for the decisions of the task. Raises WeightsError."""
    recipe = phase.recipe
    classifier = open_trainable_classifier(phase.path, recipe, answer_format.labels, start=phase.start_adapter)
    limit = min(recipe.max_prompt_tokens, context_length(classifier.model.config, classifier.tokenizer))
    chosen = answer_format.model_copy(update={"max_tokens": limit})
    prompting = chosen.prompting(project.task, project.folder)
    encoder = CaseEncoder(classifier.tokenizer, prompting.messages, prompting.version, limit)
    return ClassifierStudent(phase, chosen, classifier, encoder)
