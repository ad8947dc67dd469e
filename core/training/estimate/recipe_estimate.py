"""What a recipe will take: memory by the sizes of its model, then memory and time by three real steps."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from core.config.project import Project
from core.config.recipe import Algorithm, Launcher, Recipe
from core.machine import MB, Machine, detect_machine
from core.models.model_files import locate_model
from core.models.model_size import ModelSize, model_size
from core.models.packages import MissingError
from core.models.prompting import Prompting
from core.models.trained import local_models
from core.models.weights import WeightsError
from core.runs.child_process import python_command, safe_environment
from core.runs.control import RunError
from core.runs.describe import format_duration
from core.runs.params import TrainParams
from core.training.data.stale import count_stale, stale_note
from core.training.estimate.memory import MemoryNeed, TokenLengths, advice, memory_need
from core.training.plan import plan_phases, require_extra
from storage import database, examples
from storage.examples import Filter

OnProgress = Callable[[str], None]

# The status of a process that the system killed; Windows has no such signal, and kills nothing for its memory.
_KILLED = -getattr(signal, "SIGKILL", 9)
# Letters of a token, in English prose.
_LETTERS = 4.0
# Formulas may be wrong by so much: what exceeds memory by less is said, and not refused.
_DOUBT = 1.3


@dataclass
class PhaseEstimate:
    """What one recipe of a launch takes. Memory in MB of 10^6 bytes; `peak_mb` is by formula, `measured_mb` was
    reached by three real steps. `look_seconds` are those of one of the `watched` dev examples, `seconds` those of the
    whole phase; None where nothing was measured."""

    name: str
    memory_mb: dict[str, float]
    peak_mb: float
    prompt_tokens: int
    answer_tokens: int
    shared_tokens: int
    step_seconds: list[float] = field(default_factory=list)
    watched: int = 0
    look_seconds: float | None = None
    measured_mb: float | None = None
    seconds: float | None = None
    notes: list[str] = field(default_factory=list)


@dataclass
class RecipeEstimate:
    """What a recipe takes against what the machine has; `memory_mb` is of the phase that takes most.

    It `fits` if the most that is needed, as measured or else by formula, is there. `basis` says what the time is by.
    """

    recipe: str
    fits: bool
    memory_mb: dict[str, float]
    peak_mb: float
    measured_mb: float | None
    available_mb: float
    device: str
    seconds: float | None
    basis: str
    advice: list[str]
    phases: list[PhaseEstimate]


async def estimate_recipe(
    project: Project, name: str, *, on_progress: OnProgress, allow_project_code: bool = False
) -> RecipeEstimate:
    """What the recipe `name` will take; `heard` is told in sentences how far it is. Raises RunError.

    Where the formulas say that it cannot fit, nothing is tried. A trial is a process of its own: when this is
    cancelled it is killed, and what it wrote is removed.
    """
    hardware = await asyncio.to_thread(detect_machine)
    params, size, estimates = await asyncio.to_thread(_known, project, name, hardware, allow_project_code)
    if max(phase.peak_mb for phase in estimates) * MB > _DOUBT * hardware.available:
        return combine_phases(name, params, size, hardware, estimates)
    with tempfile.TemporaryDirectory(prefix="sidequest-estimate-", ignore_cleanup_errors=True) as scratch:
        await _try(project, params, size, hardware, estimates, Path(scratch), on_progress)
    return combine_phases(name, params, size, hardware, estimates)


def refuse(project: Project, connection: sqlite3.Connection, params: TrainParams) -> None:
    """Raise RunError, with advice, if the formulas say that a phase cannot fit on this machine, by any doubt."""
    hardware = detect_machine()
    size, estimates = by_formula(project, connection, params, hardware)
    estimate = combine_phases(params.name, params, size, hardware, estimates)
    if estimate.peak_mb > _DOUBT * estimate.available_mb:
        raise RunError(f"{in_words(estimate)}. Any of these is enough: {'; '.join(estimate.advice)}")


def by_formula(
    project: Project, connection: sqlite3.Connection, params: TrainParams, has: Machine
) -> tuple[ModelSize, list[PhaseEstimate]]:
    """The student's shape, and what each phase takes by its formulas alone. Raises RunError."""
    try:
        shape = model_size(locate_model(project.folder, local_models(project.task)[params.student]))
    except (WeightsError, MissingError) as error:
        raise RunError(str(error)) from None
    letters = examples.longest(connection, Filter(status=("accepted",), split=("train",)))
    estimates = []
    for name, recipe in params.phases.items():
        estimate = phase_by_formula(name, recipe, shape, guess_lengths(project, recipe, letters), has)
        if stale := count_stale(project, connection, recipe):
            estimate.notes.append(stale_note(stale))
        estimates.append(estimate)
    return shape, estimates


def _known(
    project: Project, name: str, has: Machine, allow_project_code: bool
) -> tuple[TrainParams, ModelSize, list[PhaseEstimate]]:
    params = plan_phases(project, name, allow_project_code=allow_project_code)
    require_extra()
    with closing(database.connect(project.database)) as connection:
        if not examples.count(connection, Filter(status=("accepted",), split=("train",))):
            raise RunError(
                "no accepted example is in the split train: accept some, then `sidequest splits assign --yes`"
            )
        return params, *by_formula(project, connection, params, has)


def in_words(estimate: RecipeEstimate) -> str:
    """What is needed and what is there, as a sentence."""
    needs = estimate.measured_mb or estimate.peak_mb
    return (
        f"{estimate.recipe} needs about {needs:,.0f} MB at once, and {estimate.available_mb:,.0f} MB are there "
        f"({'the GPU' if estimate.device == 'cuda' else 'memory'})"
    )


def phase_by_formula(name: str, recipe: Recipe, shape: ModelSize, lengths: TokenLengths, has: Machine) -> PhaseEstimate:
    """A phase by its formulas alone."""
    takes = memory_need(
        shape, recipe, lengths, device=has.device, fast_bf16=has.fast_bf16, processes=processes_of(recipe)
    )
    return PhaseEstimate(name, parts(takes), takes.peak / MB, lengths.prompt, lengths.answer, lengths.shared)


def parts(takes: MemoryNeed) -> dict[str, float]:
    """The parts of what is needed, in MB; what is not needed is left out."""
    return {name: value / MB for name, value in asdict(takes).items() if value}


def processes_of(recipe: Recipe) -> int:
    """How many processes the recipe's own arguments ask for; 1 if they do not say."""
    words = [part for argument in recipe.launcher_arguments for part in argument.split("=", 1)]
    for name, value in pairwise(words):
        if name.replace("_", "-") == "--num-processes" and value.isdigit():
            return max(1, int(value))
    return 1


def guess_lengths(project: Project, recipe: Recipe, letters: int) -> TokenLengths:
    """The lengths by the `letters` of the longest case, before anything is taken apart into tokens."""
    empty_prompt = Prompting(project.task, recipe.mode, project.folder, short=recipe.prompt == "short").messages("", ())
    shared = int(sum(len(message["content"]) for message in empty_prompt) / _LETTERS)
    prompt = min(recipe.max_prompt_tokens, shared + int(letters / _LETTERS))
    if recipe.algorithm is Algorithm.CLASSIFY:
        return TokenLengths(prompt, 0)
    return TokenLengths(prompt, recipe.max_answer_tokens, min(shared, prompt - 1))


def combine_phases(
    name: str, params: TrainParams, shape: ModelSize, has: Machine, estimates: list[PhaseEstimate]
) -> RecipeEstimate:
    """The phases as one: memory of the one that takes most, time of all."""
    available = has.available
    most = max(estimates, key=lambda phase: phase.measured_mb or phase.peak_mb)
    needs = most.measured_mb or most.peak_mb
    fits = needs * MB <= available
    advised = []
    if not fits:
        # What was measured beyond the formula stays beyond it.
        beyond = max(0.0, needs - most.peak_mb) * MB

        def enough(lowered: Recipe) -> bool:
            length = TokenLengths(
                min(most.prompt_tokens, lowered.max_prompt_tokens),
                min(most.answer_tokens, lowered.max_answer_tokens)
                if lowered.algorithm.by_rewards
                else most.answer_tokens,
                min(most.shared_tokens, lowered.max_prompt_tokens - 1),
            )
            takes = memory_need(
                shape, lowered, length, device=has.device, fast_bf16=has.fast_bf16, processes=processes_of(lowered)
            )
            return takes.peak + beyond <= available

        advised = advice(params.phases[most.name], enough)
    timed = [phase.seconds for phase in estimates]
    seconds = sum(duration for duration in timed if duration is not None) if None not in timed else None
    return RecipeEstimate(
        recipe=name,
        fits=fits,
        memory_mb=most.memory_mb,
        peak_mb=most.peak_mb,
        measured_mb=most.measured_mb,
        available_mb=available / MB,
        device=has.device,
        seconds=seconds,
        basis=_basis(params, estimates) if seconds is not None else "nothing was measured",
        advice=advised,
        phases=estimates,
    )


def _basis(params: TrainParams, estimates: list[PhaseEstimate]) -> str:
    sentences = [
        f"{phase.name}: steps of {', '.join(f'{step:.1f}' for step in phase.step_seconds)} s, the first not counted"
        for phase in estimates
    ]
    if any(recipe.launcher is Launcher.ACCELERATE for recipe in params.phases.values()):
        sentences.append("with one process: those of the launcher share the work")
    if any(recipe.algorithm.by_rewards for recipe in params.phases.values()):
        sentences.append("answers get shorter or longer as the model learns")
    return "; ".join(sentences)


# ---------------------------------------------------------------------- the trial


async def _try(
    project: Project,
    params: TrainParams,
    shape: ModelSize,
    has: Machine,
    estimates: list[PhaseEstimate],
    scratch: Path,
    on_progress: OnProgress,
) -> None:
    """Fill in what three real steps of each phase say; nothing, if a phase cannot fit by its formulas."""
    log = scratch / "log"
    allowed = ["--allow-project-code"] if params.allow_project_code else []
    on_progress("the model's words are read")
    with log.open("wb") as errors:
        trial = await asyncio.create_subprocess_exec(
            *python_command("core.entry.dry_run", params.name, str(scratch), *allowed),
            cwd=project.folder,
            stdin=asyncio.subprocess.PIPE,  # it ends when nobody holds the other end
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env=safe_environment() | {"TMPDIR": str(scratch)},
            start_new_session=True,
        )
        records: list[dict[str, Any]] = []
        try:
            assert trial.stdout is not None  # noqa: S101  it is a pipe
            async for line in trial.stdout:
                record = json.loads(line)
                records.append(record)
                index = next(position for position, phase in enumerate(estimates) if phase.name == record["phase"])
                if "cases" in record:
                    exact = TokenLengths(record["prompt"], record["answer"], record["shared"])
                    estimates[index] = phase_by_formula(
                        record["phase"], params.phases[record["phase"]], shape, exact, has
                    )
                    estimates[index].watched = record["watched"]
                    if record["stale"]:
                        estimates[index].notes.append(stale_note(record["stale"]))
                    if record["longer"]:
                        estimates[index].notes.append(f"{record['longer']} cases are too long and left out")
                    if estimates[index].peak_mb * MB > has.available:
                        return
                apply_dry_run_line(estimates[index], params.phases[record["phase"]], record, on_progress)
            status = await trial.wait()
        finally:
            _kill_tree(trial.pid)
            await trial.wait()
    if status == _KILLED:
        raise RunError(f"{params.name}: three steps were tried, and the system killed them: most likely memory ran out")
    if failure := next((record["reason"] for record in records if record.get("ended") == "failed"), ""):
        raise RunError(f"{params.name}: three steps were tried, and failed: {failure}")
    if status:
        raise RunError(f"{params.name}: three steps were tried, and failed: {_last(log)}")


def apply_dry_run_line(phase: PhaseEstimate, recipe: Recipe, record: dict[str, Any], on_progress: OnProgress) -> None:
    """Take a line of the trial into `phase`, and say what it means."""
    if "cases" in record:
        on_progress(f"{phase.name}: prompts have up to {record['prompt']} tokens; the model is opened")
    elif "step" in record:
        phase.step_seconds.append(record["seconds"])
        on_progress(f"{phase.name}: step {record['step']} took {record['seconds']:.1f} s")
    elif "look" in record:
        phase.look_seconds = record["look"]
        on_progress(f"{phase.name}: a look at the dev split takes {format_duration(record['look'] * phase.watched)}")
    elif "note" in record and record["note"] not in phase.notes:
        phase.notes.append(record["note"])
    elif record.get("ended") == "finished":
        phase.measured_mb = record["peak"] / MB
        counted = phase.step_seconds[1:] or phase.step_seconds
        steps = recipe.steps * sum(counted) / len(counted)
        evaluations = phase.watched * (phase.look_seconds or 0.0) * (2 + recipe.steps // recipe.evaluate_every)
        phase.seconds = steps + evaluations
        on_progress(f"{phase.name}: {format_duration(phase.seconds)} in all, {phase.measured_mb:,.0f} MB at once")


def _last(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it ended without a word"


def _kill_tree(pid: int) -> None:
    """Kill a process with all that it has started, such as the loaders of its data."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for child in [*process.children(recursive=True), process]:
            with suppress(psutil.NoSuchProcess):
                child.kill()
