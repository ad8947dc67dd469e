"""Opens a trained classifier of a project, with what turns cases into its tokens."""

from __future__ import annotations

from core.config.project import Project
from core.config.task import LocalSettings
from core.models.case_encoder import CaseEncoder
from core.models.classifier_weights import ClassifierWeights, open_classifier
from core.models.model_files import locate_model
from core.models.student_format import StudentFormat
from core.models.weights import WeightsError


def open_trained(
    project: Project, local: LocalSettings, answer_format: StudentFormat
) -> tuple[ClassifierWeights, CaseEncoder]:
    """The classifier in the folder `adapter` of `local`, which has its format beside it.

    Raises WeightsError, MissingError, PromptError.
    """
    if local.adapter is None:
        raise WeightsError("a classifier needs the folder that its training has made, as `adapter`")
    weights = open_classifier(
        locate_model(project.folder, local),
        project.folder / local.adapter,
        answer_format.labels,
        local.precision,
        local.quantization,
    )
    prompting = answer_format.prompting(project.task, project.folder)
    limit = min(answer_format.max_tokens or weights.context_length, weights.context_length)
    return weights, CaseEncoder(weights.tokenizer, prompting.messages, prompting.version, limit)
