"""Answers from a server that speaks vLLM's protocol, by trl's own client: to the end, gone in the middle, absent."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

import requests
import torch
from safetensors.torch import save
from trl.generation import vllm_client, vllm_generation
from urllib3.util.retry import Retry

from core.config.project import Project
from core.runs.control import RunError
from core.runs.session import Ending
from core.training.run import start
from core.training.trainers import arguments, vllm
from storage import training
from storage.schema import RunState
from tests.core.test_training_runs import RECIPES, carry_out, in_this_process, losses, trainable, weights
from tests.vllm_server import VllmServer

__all__ = ["in_this_process", "weights"]
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def client(monkeypatch: pytest.MonkeyPatch) -> None:
    """trl's client as it is, but for the two things that need vLLM and a GPU: it is there, and weights go over HTTP."""

    def sends(self: Any, _: Any, named: Iterator[tuple[str, torch.Tensor]]) -> None:
        tensors = {name: weight.detach().clone().contiguous() for name, weight in named}
        requests.post(f"{self.base_url}/update_weights", data=save(tensors), timeout=60).raise_for_status()

    for module in (vllm_client, vllm_generation):
        monkeypatch.setattr(module, "is_vllm_available", lambda *_, **__: True)
    monkeypatch.setattr(vllm_client.VLLMClient, "init_communicator", lambda *_, **__: None)
    monkeypatch.setattr(vllm_client.VLLMClient, "update_named_params", sends)
    monkeypatch.setattr(start, "require_server", lambda *_: None)
    monkeypatch.setattr(arguments, "PATIENCE_S", 0.0)
    # It asks again for a minute; a test need not wait for that.
    monkeypatch.setattr(vllm_client, "Retry", lambda **_: Retry(total=0))


@pytest.mark.parametrize("name", ["grpo", "ppo"])
async def test_answers_come_from_the_server(project: Project, db: sqlite3.Connection, weights: Path, name: str) -> None:
    with VllmServer(weights) as server:
        project = trainable(project, db, weights, **{name: RECIPES[name] | {"vllm_server": server.url, "refills": 0}})
        run = start.start_training(project, db, name)
        assert await carry_out(project, db, run) == Ending(RunState.FINISHED, "")
        assert server.completions == 4
        assert server.updates == 4, "before each step it gets the weights of that step"
    assert len(losses(db, run)) == 4
    assert {"text", "reward"} <= training.answers(db, run.id, name, 1)[0].keys()


async def test_a_server_that_goes_away(project: Project, db: sqlite3.Connection, weights: Path) -> None:
    with VllmServer(weights, gone_after=2) as server:
        recipe = RECIPES["grpo"] | {"vllm_server": server.url, "refills": 0, "checkpoint_every": 1}
        project = trainable(project, db, weights, grpo=recipe)
        run = start.start_training(project, db, "grpo")
        ending = await carry_out(project, db, run)
    assert ending.state is RunState.FAILED
    assert f"the vLLM server at {server.url} does not answer as it should" in ending.reason
    assert len(losses(db, run)) == 2
    with VllmServer(weights, port=server.port) as again:
        assert await carry_out(project, db, run) == Ending(RunState.FINISHED, "")
        assert again.completions == 2
    assert len(losses(db, run)) == 4


async def test_no_server_and_a_server_that_refuses(project: Project, db: sqlite3.Connection, weights: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    with VllmServer(weights, failing=True) as server:
        recipes = {
            name: RECIPES["grpo"] | {"vllm_server": url} for name, url in (("none", nobody), ("bad", server.url))
        }
        project = trainable(project, db, weights, **recipes)
        for name, message in (("none", "can't be reached"), ("bad", "400")):
            ending = await carry_out(project, db, start.start_training(project, db, name))
            assert ending.state is RunState.FAILED
            assert message in ending.reason
            assert "resume" in ending.reason


def test_without_the_package_and_without_a_gpu(
    project: Project, db: sqlite3.Connection, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    project = trainable(project, db, weights, grpo=RECIPES["grpo"] | {"vllm_server": "http://127.0.0.1:1"})
    with pytest.raises(RunError, match="the package vllm, which is not installed"):
        start.start_training(project, db, "grpo")
    with pytest.raises(vllm.ServerError, match="cannot be given weights from here"), vllm.reach_server("x"):
        raise NotImplementedError("it needs a CUDA device")
