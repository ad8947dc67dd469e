"""Resolves a name to a model: an endpoint, one on this machine, trained or not, or a baseline."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import TYPE_CHECKING

from core.config.case import Mode
from core.config.project import Project
from core.config.recipe import Algorithm
from core.config.task import BASELINES, LocalSettings, Task
from core.models.model import Model
from core.models.trained import TrainedModel, local_models, missing_files, trained_models
from storage import listing
from storage.errors import UserError
from storage.examples import Filter
from storage.runs import StoredCapabilities

if TYPE_CHECKING:
    from core.llm.limits import Budget
    from core.models.baselines import LabelledCase
    from core.models.student_format import StudentFormat


class ModelError(UserError):
    """A model cannot be used; `str()` of it says which, why, and what to do."""


def known_models(project: Project, connection: sqlite3.Connection) -> list[str]:
    """The names of all models that a benchmark can ask."""
    return [*local_models(project.task), *trained_models(project, connection), *project.task.models, *BASELINES]


def resolve_name(project: Project, connection: sqlite3.Connection, name: str) -> str:
    """The model's own, lasting name: the name of a recipe stands for the model that it made last."""
    newest = {model.phase: model.name for model in trained_models(project, connection).values() if model.newest}
    return newest.get(name, name)


def newest_trained(project: Project, connection: sqlite3.Connection) -> TrainedModel | None:
    """The model that was trained last; None if there is none."""
    return next(reversed(trained_models(project, connection).values()), None)


def check_mode(project: Project, connection: sqlite3.Connection, name: str, mode: Mode) -> str:
    """What is wrong with asking the model `name` in `mode`, as a sentence; empty if nothing is."""
    task, trained, name = project.task, trained_models(project, connection), resolve_name(project, connection, name)
    names = known_models(project, connection)
    if name not in names:
        listed = ", ".join(names)
        return f"no model {name!r}: use one of {listed}, or add [models.{name}] or [local.{name}] to the project file"
    if name in {*local_models(task), *trained} and mode is Mode.SCHEMA:
        return f"{name} runs on this machine, where no schema is enforced: use the mode reason or direct"
    if name in trained and trained[name].recipe.algorithm is Algorithm.CLASSIFY and mode is not Mode.DIRECT:
        return f"{name} is a classifier, which gives probabilities and writes nothing: use the mode direct"
    if name in trained and (problem := missing_files(project, trained[name])):
        return f"{name}: {problem}"
    return ""


def default_mode(project: Project, connection: sqlite3.Connection, name: str) -> Mode:
    """The mode in which a model is asked by default: for a trained model, that of its training."""
    if name in project.task.models:
        return Mode.SCHEMA
    if name in local_models(project.task):
        return Mode.REASON
    trained = trained_models(project, connection).get(resolve_name(project, connection, name))
    return trained.recipe.mode if trained else Mode.DIRECT


def model_for(
    project: Project,
    connection: sqlite3.Connection,
    name: str,
    mode: Mode,
    *,
    seed: int = 0,
    budget: Budget | None = None,
    excluded_families: Collection[str] = (),
) -> Model:
    """The model `name`, ready to be asked in `mode`.

    A baseline learns from the accepted examples of the train split, without those of `excluded_families`. Raises
    ModelError, PromptError, UnpricedError.
    """
    task, name = project.task, resolve_name(project, connection, name)
    if problem := check_mode(project, connection, name, mode):
        raise ModelError(problem)
    if name in BASELINES:
        return _baseline(task, connection, name, seed, excluded_families)
    if name in task.models:
        from core.models.endpoint import EndpointModel

        return EndpointModel(
            task, name, mode, project_dir=project.folder, capabilities=StoredCapabilities(connection), budget=budget
        )
    trained = trained_models(project, connection).get(name)
    local = trained.local if trained else local_models(task)[name]
    if local is None:  # `check_mode` has said so
        raise ModelError(f"{name}: its student is gone from the project file")
    return _local(project, name, local, mode, seed)


def _local(project: Project, name: str, local: LocalSettings, mode: Mode, seed: int) -> Model:
    from core.models import local as local_model
    from core.models.model_files import locate_model
    from core.models.packages import MissingError
    from core.models.weights import Precision, WeightsError, open_weights

    answer_format = _format_of(project, local, mode)
    if answer_format.kind == "classifier":
        return _classifier(project, name, local, answer_format)
    prompting = answer_format.prompting(project.task, project.folder)
    labels = project.task.labels
    local_prompting = local_model.LocalPrompting(
        messages=lambda case: prompting.messages(case.hypothesis, case.evidence),
        mode=mode,
        labels=labels,
        is_complete=answer_format.completeness(labels),
        prompt_version=prompting.version,
        fitted_temperature=answer_format.temperature,
        probabilities=lambda text, probability: answer_format.probabilities(text, probability, project.task),
        limit=local.max_output_tokens,
        temperature=local.temperature,
        seed=seed,
    )
    try:
        path = locate_model(project.folder, local)
        adapter = None if local.adapter is None else project.folder / local.adapter
        return local_model.LocalModel(
            name, open_weights(path, adapter, Precision(local.precision), local.quantization), local_prompting
        )
    except (MissingError, WeightsError) as error:
        raise ModelError(f"{name}: {error}") from None


def _classifier(project: Project, name: str, local: LocalSettings, answer_format: StudentFormat) -> Model:
    try:
        from core.models.classifier import ClassifierModel
        from core.models.classifier_files import open_trained
        from core.models.packages import MissingError
        from core.models.weights import WeightsError
    except ImportError as error:
        raise ModelError(
            f"{name}: a classifier needs the extra `train` ({error}): pip install 'sidequest[train]'"
        ) from None
    if sorted(answer_format.labels) != sorted(project.task.labels):
        raise ModelError(
            f"{name} was trained to decide between {', '.join(answer_format.labels)}, and the task has "
            f"{', '.join(project.task.labels)}: train it again"
        )
    try:
        weights, encoder = open_trained(project, local, answer_format)
    except (MissingError, WeightsError) as error:
        raise ModelError(f"{name}: {error}") from None
    return ClassifierModel(name, weights, encoder, answer_format.temperature)


def _format_of(project: Project, local: LocalSettings, mode: Mode) -> StudentFormat:
    """How a model on this machine is asked in `mode`: as it was trained, if it was trained in that mode."""
    from core.models.student_format import StudentFormat, StudentFormatError, load_format

    try:
        kept = None if local.adapter is None else load_format(project.folder / local.adapter)
    except StudentFormatError as error:
        raise ModelError(str(error)) from None
    if kept is not None and kept.kind == "classifier" and mode is not Mode.DIRECT:
        raise ModelError(f"{local.adapter} is a classifier, which writes nothing: use the mode direct")
    return kept if kept is not None and kept.mode is mode else StudentFormat(mode=mode)


def _baseline(
    task: Task, connection: sqlite3.Connection, name: str, seed: int, excluded_families: Collection[str]
) -> Model:
    from core.models.baselines import BagOfWords, Chance, Majority, label_counts

    if name == "random":
        return Chance(task.labels, seed)
    training_cases = _training_cases(connection, excluded_families)
    if name == "majority":
        quotas = {decision.name: decision.want for decision in task.decisions}
        return Majority(task.labels, label_counts(training_cases) or quotas)
    try:
        return BagOfWords(task.labels, training_cases)
    except ValueError as error:
        raise ModelError(f"{error}: `sidequest splits assign --yes` shares the examples out") from None


def _training_cases(connection: sqlite3.Connection, excluded_families: Collection[str]) -> list[LabelledCase]:
    from core.config.case import Case
    from core.models.baselines import LabelledCase

    numbers = listing.read_numbers(connection, Filter(status=("accepted",), split=("train",)))
    return [
        LabelledCase(Case(example.id, example.hypothesis, tuple(example.evidence)), example.decision)
        for example in listing.read_examples(connection, numbers)
        if example.family not in excluded_families
    ]
