"""A training run at work: its phases one after another, each from its last checkpoint, each leaving an adapter."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from core.benchmark.order import ordered
from core.models.places import MissingError, locate
from core.models.trained import locals_of
from core.models.weights import WeightsError
from core.project import Project
from core.runs.session import Ending, Session
from core.training import checkpoints
from core.training.recipe import Algorithm, Recipe
from core.training.start import TrainParams, adapter_folder
from storage import database, listing, training
from storage.examples import Filter
from storage.schema import Example, RunState

_ADVICE = "lower batch, generations or the token limits, quantize with nf4, or take a smaller student"


async def train(session: Session) -> Ending:
    """Train the phases of the run; returns how it ended."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    return await asyncio.to_thread(_train, session)


def _train(session: Session) -> Ending:
    params = TrainParams.model_validate(session.run.params)
    project, folder = session.project, session.project.run_folder(session.run.id)
    with closing(database.connect(project.database)) as connection:
        try:
            path = locate(project.folder, locals_of(project.task)[params.student])
            before = project.folder / params.start_from if params.start_from else None
            ending = Ending(RunState.FINISHED)
            for name, recipe in params.phases.items():
                phase = _Phase(session, connection, name, recipe)
                if not (phase.adapter / "adapter_model.safetensors").is_file():
                    ending = phase.run(path, before)
                    if ending.state is not RunState.FINISHED:
                        return ending
                before = phase.adapter
            shutil.copytree(before or folder, adapter_folder(project, session.run), dirs_exist_ok=True)
            return ending
        except (WeightsError, MissingError) as error:
            return Ending(RunState.FAILED, str(error))
        except OSError as error:
            return Ending(RunState.FAILED, f"{error.strerror or error}: what was finished is kept; mend it, and resume")
        except (MemoryError, RuntimeError) as error:
            return _explained(error)


def _explained(error: BaseException) -> Ending:
    from core.models.decoding import out_of_memory
    from core.training.watcher import NotANumberError

    if out_of_memory(error):
        return Ending(RunState.FAILED, f"out of memory: {_ADVICE}; resume goes on from the last checkpoint")
    if isinstance(error, NotANumberError):
        return Ending(RunState.FAILED, f"{error}: lower learning_rate, and resume from the last checkpoint")
    raise error


class _Phase:
    """One recipe of a launch at work."""

    def __init__(self, session: Session, connection: sqlite3.Connection, name: str, recipe: Recipe) -> None:
        self.folder = session.project.run_folder(session.run.id) / name
        self.adapter = self.folder / "adapter"
        self._session, self._db, self._name, self._recipe = session, connection, name, recipe
        self._project: Project = session.project
        self._took: deque[float] = deque(maxlen=20)

    def run(self, path: Path, before: Path | None) -> Ending:
        """Train from the last checkpoint, or from `before`; FINISHED once the adapter is there."""
        from transformers import PrinterCallback

        from core.models.asking import Asking
        from core.models.chat import Chat
        from core.training.cases import cases, label_shares
        from core.training.mix import Draw
        from core.training.policy import open_policy
        from core.training.watcher import Watcher

        recipe = self._recipe
        self.folder.mkdir(parents=True, exist_ok=True)
        last = checkpoints.newest(self.folder)
        first = checkpoints.step_of(last) if last else 0
        training.forget_after(self._db, self._session.run.id, self._name, first)
        policy = open_policy(path, recipe, adapter=before)
        chat = Chat(policy.tokenizer, thinks=False)
        asking = Asking(self._project.task, recipe.mode, self._project.folder)
        made, longer = cases(
            self._examples("train"), asking, chat, recipe.mode, end=policy.end, most=recipe.max_prompt_tokens
        )
        if not made:
            return Ending(RunState.FAILED, "no case of the train split is short enough: raise max_prompt_tokens")
        dev = ordered(self._examples("dev"), recipe.seed)[: recipe.evaluate_on]
        watched, _ = cases(dev, asking, chat, recipe.mode, end=policy.end, most=recipe.max_prompt_tokens)
        draw = Draw(
            [case.place for case in made],
            recipe.curriculum,
            batch=recipe.batch,
            steps=recipe.steps // recipe.passes,
            seed=recipe.seed,
        )
        if last is not None:
            draw.restore(checkpoints.state(last), first // recipe.passes)
        self._session.log(
            f"{self._name}: {recipe.algorithm.value}, {recipe.steps} steps, {len(made)} cases, {len(watched)} to watch"
            + (f"; {longer} are longer than {recipe.max_prompt_tokens} tokens and left out" if longer else "")
            + (f"; goes on after step {first}" if first else "")
        )
        watcher = Watcher(recipe, self, draw, self._looking(policy, chat, watched), label_shares(made))
        trainer = self._trainer(policy, made, draw, watcher, first)
        trainer.remove_callback(PrinterCallback)  # its figures are in the database
        watcher.trainer = trainer
        if last is not None and hasattr(trainer, "load_critic"):
            trainer.load_critic(last)
        trainer.train(resume_from_checkpoint=str(last) if last else None)
        if watcher.stopped:
            return Ending(RunState.STOPPED, "stopped on request, with a checkpoint; resume continues it")
        policy.model.save_pretrained(str(self.adapter), selected_adapters=["default"])
        return Ending(RunState.FINISHED, watcher.ended_early)

    def _trainer(self, policy: Any, made: Sequence[Any], draw: Any, watcher: Any, first: int) -> Any:
        from core.training import settings
        from core.training.rewards import named
        from core.training.rollout import Judging

        recipe, processes = self._recipe, int(os.environ.get("WORLD_SIZE", "1"))
        if recipe.algorithm is Algorithm.SFT:
            from core.training.supervised import Supervised

            return Supervised(
                policy,
                settings.supervised(recipe, self.folder, processes),
                made,
                draw,
                first_step=first,
                callbacks=[watcher],
            )
        from core.training.proximal import Proximal
        from core.training.reinforce import Reinforcing

        judging = Judging(
            self._project.task.labels,
            {name: named(name) for name in recipe.rewards},
            recipe.rewards,
            recipe.costs,
        )
        kind = Proximal if recipe.algorithm is Algorithm.PPO else Reinforcing
        trainer = kind(
            policy,
            recipe,
            settings.reinforced(recipe, self.folder, processes),
            made,
            draw,
            judging,
            heard=watcher.heard,
            first_step=first,
            callbacks=[watcher],
        )
        if trainer.sharing:
            self._session.log(f"each prompt is read for each of its answers: {trainer.sharing}", severity="warning")
        return trainer

    def _looking(self, policy: Any, chat: Any, watched: Sequence[Any]) -> Any:
        """What looks at the dev split, or None without one."""
        from core.models.decoding import Decoder
        from core.training.looking import look

        if not watched:
            self._session.log("the dev split is empty: accuracy is not watched", severity="warning")
            return None
        labels = self._project.task.labels
        tokens = chat.answers(labels)

        def looking() -> dict[str, Any]:
            bare = policy.model.get_base_model()
            training_before = bare.training
            bare.eval()
            try:
                decoder = Decoder(bare, policy.text, policy.ends)
                return look(decoder, watched, self._recipe.mode, labels, tokens, self._recipe.max_answer_tokens)
            finally:
                bare.train(training_before)

        return looking

    def _examples(self, split: str) -> list[Example]:
        where = Filter(status=("accepted",), split=(split,))
        return listing.whole(self._db, listing.every(self._db, where))

    # ------------------------------------------------------------------ what the watcher tells

    def step(self, number: int, figures: dict[str, Any], answers: Sequence[dict[str, Any]]) -> None:
        """Keep the figures of a step, and show how far it is."""
        training.add_step(self._db, self._session.run.id, self._name, number, figures, answers)
        self._took.append(float(figures["seconds"]))
        pace = sum(self._took) / len(self._took)
        shown = ("loss", "reward", "right", "kl", "entropy", "length")
        self._session.progress = self._session.progress | {
            "phase": self._name,
            "algorithm": self._recipe.algorithm.value,
            "done": number,
            "total": self._recipe.steps,
            "per_minute": 60 / pace if pace else None,
            "eta_s": pace * (self._recipe.steps - number),
            "eta_basis": f"the last {len(self._took)} steps",
            **{name: figures.get(name) for name in shown},
        }

    def look(self, number: int, figures: dict[str, Any]) -> None:
        """Keep a look at the dev split."""
        training.add_look(self._db, self._session.run.id, self._name, number, figures)
        kept = {"accuracy": figures["accuracy"], "low": figures["low"], "high": figures["high"], "ece": figures["ece"]}
        self._session.progress = (
            {"done": number, "total": self._recipe.steps}
            | self._session.progress
            | {"phase": self._name, "dev": kept | {"step": number}}
        )

    def alarm(self, name: str, sentence: str) -> None:
        """Log an alarm."""
        from storage import runs

        runs.log(self._db, self._session.run.id, sentence, severity="warning", alarm=name, phase=self._name)
        raised = {**self._session.progress.get("alarms", {}), name: sentence}
        self._session.progress = self._session.progress | {"alarms": raised}

    def wait(self) -> bool:
        """Wait while the run is paused; whether to go on."""
        return self._session.wait(self._db)
