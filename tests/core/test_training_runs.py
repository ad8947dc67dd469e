"""Training runs on a tiny real model: to the end, stopped and resumed with the same losses, and what goes wrong."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

from core.config.case import Mode
from core.config.project import FILE, Project, open_project
from core.models.prompting import Prompting
from core.runs.control import RunError
from core.runs.session import Ending, Session
from core.training.plan import adapter_folder
from core.training.run import checkpoints, job, start
from storage import runs, training
from storage.schema import Run, RunState
from tests import tiny_model
from tests.core.judged_runs import fill
from tests.recipes import write_recipes

pytestmark = pytest.mark.slow

COMMON: dict[str, Any] = {
    "student": "tiny",
    "steps": 4,
    "batch": 2,
    "micro_batch": 2,
    "evaluate_every": 2,
    "evaluate_on": 4,
    "checkpoint_every": 2,
    "max_answer_tokens": 6,
    "learning_rate": 0.01,
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model whose tokenizer knows the words of the prompts."""
    folder = tmp_path_factory.mktemp("tiny")
    from core.config.project import create

    create(folder / "p")
    project = open_project(folder / "p")
    prompting = Prompting(project.task, Mode.REASON, project.folder)
    texts = [message["content"] for message in prompting.messages("Hypothesis train f 1.", [])]
    return tiny_model.save(folder / "tiny", texts=texts, max_position_embeddings=2048)


def trainable(project: Project, db: sqlite3.Connection, weights: Path, **recipes: dict[str, Any]) -> Project:
    """The project with examples to train on and to watch, the tiny student, and these recipes."""
    fill(db, 24, split="train")
    fill(db, 6, split="dev")
    lines = [f"\n[local.tiny]\npath = {json.dumps(str(weights))}\n"]
    for name, recipe in recipes.items():
        settings = "\n".join(f"{key} = {json.dumps(value)}" for key, value in (COMMON | recipe).items())
        lines.append(f"\n[train.{name}]\n{settings}\n")
    write_recipes(project.folder / FILE, "".join(lines))
    return open_project(project.folder)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is started: the test does the work itself."""
    monkeypatch.setattr("core.runs.launch.spawn", lambda *_: None)


async def carry_out(project: Project, db: sqlite3.Connection, run: Run, *, stop_at: int = 0) -> Ending:
    """Do what a worker does; stop once so many steps are done."""
    current = runs.get(db, run.id)
    assert current is not None
    with Session(project, db, current) as session:
        if stop_at:
            stopping_at(session, stop_at)
        ending = await job.train(session)
    runs.update(db, run.id, state=ending.state, reason=ending.reason, progress=session.progress)
    return ending


def stopping_at(session: Session, step: int) -> None:
    original = session.requested_action

    def requested_action(connection: sqlite3.Connection) -> str | None:
        if session.progress.done >= step - 1:  # its figures come after it
            session.stop()
        return original(connection)

    session.requested_action = requested_action  # type: ignore[method-assign]


def losses(db: sqlite3.Connection, run: Run) -> list[float]:
    return [record.figures["loss"] for record in training.steps(db, run.id)]


RECIPES: dict[str, dict[str, Any]] = {
    "sft": {"algorithm": "sft"},
    "grpo": {"algorithm": "grpo", "generations": 2, "kl": 0.1},
    "ppo": {"algorithm": "ppo", "generations": 2},
    "qlora-sft": {"algorithm": "sft", "quantization": "nf4"},
    "qlora-grpo": {"algorithm": "grpo", "generations": 2, "quantization": "nf4"},
    "qlora-ppo": {"algorithm": "ppo", "generations": 2, "quantization": "nf4"},
}


@pytest.mark.parametrize("name", list(RECIPES))
async def test_to_the_end_and_stopped_and_resumed(
    project: Project, db: sqlite3.Connection, weights: Path, name: str
) -> None:
    """The losses after a stop are those of a run that nobody disturbed."""
    project = trainable(project, db, weights, **{name: RECIPES[name]})
    calm = start.start_training(project, db, name)
    assert await carry_out(project, db, calm) == Ending(RunState.FINISHED, "")
    assert (adapter_folder(project, calm) / "adapter_model.safetensors").is_file()
    assert len(losses(db, calm)) == 4
    assert [record.step for record in training.evaluations(db, calm.id)] == [0, 2, 4]
    run = start.start_training(project, db, name)
    stopped = await carry_out(project, db, run, stop_at=3)
    assert stopped.state is RunState.STOPPED
    assert len(losses(db, run)) == 3
    assert await carry_out(project, db, run) == Ending(RunState.FINISHED, "")
    assert losses(db, run) == pytest.approx(losses(db, calm), rel=1e-4, abs=1e-6)
    if "sft" not in name:
        answers = training.answers(db, calm.id, name, 1)
        assert {"text", "reward", "parts", "decision", "example"} <= answers[0].keys()


@pytest.mark.parametrize("evaluations", [0, 1, 2])
async def test_a_stop_does_not_wait_for_a_look(
    project: Project, db: sqlite3.Connection, weights: Path, monkeypatch: pytest.MonkeyPatch, evaluations: int
) -> None:
    """It ends in the middle of the look, which is taken when the run goes on."""
    project = trainable(project, db, weights, sft=RECIPES["sft"])
    run = start.start_training(project, db, "sft")
    with monkeypatch.context() as patched:

        def stopping(reporter: job.DatabaseReporter) -> bool:
            if len(reporter.dev_accuracies()) == evaluations:
                reporter._session.stop()
            return reporter._session.stopping

        patched.setattr(job.DatabaseReporter, "stopping", stopping)
        stopped = await carry_out(project, db, run)
    assert stopped == Ending(RunState.STOPPED, f"stopped on request at step {2 * evaluations}; resume continues it")
    assert [record.step for record in training.evaluations(db, run.id)] == [0, 2][:evaluations]
    assert len(losses(db, run)) == 2 * evaluations
    assert await carry_out(project, db, run) == Ending(RunState.FINISHED, "")
    assert [record.step for record in training.evaluations(db, run.id)] == [0, 2, 4]
    assert len(losses(db, run)) == 4


async def test_looks_before_a_stop_count(project: Project, db: sqlite3.Connection, weights: Path) -> None:
    """A model of random weights never gets better: the third look in a row that is no better ends the run."""
    project = trainable(project, db, weights, sft=RECIPES["sft"] | {"steps": 12, "patience": 3})
    run = start.start_training(project, db, "sft")
    assert (await carry_out(project, db, run, stop_at=5)).state is RunState.STOPPED
    ending = await carry_out(project, db, run)
    assert ending == Ending(RunState.FINISHED, "no better on the dev split for 3 looks (best 0.0%)")
    assert [record.step for record in training.evaluations(db, run.id)] == [0, 2, 4, 6]


async def test_rl_starts_from_what_sft_has_made(project: Project, db: sqlite3.Connection, weights: Path) -> None:
    project = trainable(project, db, weights, sft=RECIPES["sft"], grpo=RECIPES["grpo"] | {"first": "sft"})
    run = start.start_training(project, db, "grpo")
    assert await carry_out(project, db, run) == Ending(RunState.FINISHED, "")
    assert [(record.phase, record.step) for record in training.steps(db, run.id)] == [
        *(("sft", step) for step in range(1, 5)),
        *(("grpo", step) for step in range(1, 5)),
    ]


async def test_a_checkpoint_that_was_cut_short_does_not_count(
    project: Project, db: sqlite3.Connection, weights: Path
) -> None:
    project = trainable(project, db, weights, sft=RECIPES["sft"])
    run = start.start_training(project, db, "sft")
    await carry_out(project, db, run, stop_at=3)
    folder = project.run_folder(run.id) / "sft"
    newest = checkpoints.newest_checkpoint(folder)
    assert newest is not None
    assert checkpoints.step_of(newest) == 3
    (newest / "complete.json").unlink()
    older = checkpoints.newest_checkpoint(folder)
    assert older is not None
    assert checkpoints.step_of(older) == 2
    assert not newest.exists()


async def test_what_goes_wrong_is_said(
    project: Project, db: sqlite3.Connection, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes = {"sft": RECIPES["sft"], "wild": RECIPES["sft"] | {"learning_rate": 1e30, "max_grad_norm": 1e30}}
    project = trainable(project, db, weights, **recipes)
    with pytest.raises(RunError, match="no recipe 'other': there are sft, wild"):
        start.start_training(project, db, "other")
    wild = start.start_training(project, db, "wild")
    ending = await carry_out(project, db, wild)
    assert ending.state is RunState.FAILED
    assert "no number" in ending.reason
    monkeypatch.setattr("core.training.trainers.policy.open_policy", broken(MemoryError()))
    run = start.start_training(project, db, "sft")
    ending = await carry_out(project, db, run)
    assert (ending.state, ending.reason[:13]) == (RunState.FAILED, "out of memory")
    monkeypatch.setattr("core.training.trainers.policy.open_policy", broken(OSError(28, "No space left on device")))
    ending = await carry_out(project, db, start.start_training(project, db, "sft"))
    assert "No space left on device: what was finished is kept" in ending.reason


async def test_an_adapter_of_another_model_is_refused(
    project: Project, db: sqlite3.Connection, weights: Path, tmp_path: Path
) -> None:
    other_model = tiny_model.save(
        tmp_path / "other", hidden_size=48, num_attention_heads=4, max_position_embeddings=2048
    )
    project = trainable(project, db, weights, sft=RECIPES["sft"])
    run = start.start_training(project, db, "sft")
    await carry_out(project, db, run)
    path = project.folder / FILE
    path.write_text(path.read_text().replace(json.dumps(str(weights)), json.dumps(str(other_model))))
    project = open_project(project.folder)
    again = start.start_training(project, db, "sft", start_from=run.id)
    ending = await carry_out(project, db, again)
    assert ending.state is RunState.FAILED
    assert "is of another model" in ending.reason


def broken(error: BaseException) -> Any:
    """A function that raises."""

    def fails(*_: Any, **__: Any) -> None:
        raise error

    return fails
