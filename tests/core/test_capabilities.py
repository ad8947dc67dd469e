"""What endpoints can do: known, probed, learned."""

from __future__ import annotations

from typing import Any

import pytest

from core.config.task import EndpointSettings
from core.llm.capabilities import (
    Capabilities,
    StructuredMode,
    assumed_capabilities,
    learn,
    next_lower_mode,
    stored_capabilities,
)
from core.llm.client import Client
from core.llm.endpoint_check import check_endpoint
from core.llm.limits import LimitPolicy
from storage.schema import Outcome
from tests import loopback
from tests.loopback import Loopback, Reaction

OPENAI = "https://api.openai.com/v1"
LOCAL = "http://127.0.0.1:8000/v1"


class Store:
    """Capabilities in memory."""

    def __init__(self) -> None:
        self.saved: dict[tuple[str, str], dict[str, Any]] = {}

    def load(self, base_url: str, model: str) -> dict[str, Any] | None:
        return self.saved.get((base_url, model))

    def save(self, base_url: str, model: str, data: dict[str, Any]) -> None:
        self.saved[base_url, model] = data


def client_of(server: Loopback, store: Store, retries: int = 0, **settings: Any) -> Client:
    model = EndpointSettings.model_validate({"model": "m", "base_url": server.url, "key_env": "", **settings})
    pace = LimitPolicy(pause_s=0.01, backoff_s=0.001)
    return Client(model, capabilities=store, price_table={}, max_retries=retries, pace=pace)


@pytest.mark.parametrize(
    "model", ["o1", "o1-mini", "o3", "o4-mini-2025-04-16", "gpt-5", "gpt-5.1", "gpt-5-mini", "openai/o3"]
)
def test_reasoning_models_are_known(model: str) -> None:
    capabilities = assumed_capabilities(OPENAI, model)
    assert (capabilities.temperature, capabilities.reasoning_effort) == (False, True)
    assert capabilities.max_tokens_field == "max_completion_tokens"


@pytest.mark.parametrize(
    "model", ["gpt-3.5-turbo", "gpt-4o", "gpt-4.1", "gpt-50", "o", "ollama3", "foo1", "go3", "gpt-5-chat-latest"]
)
def test_others_are_not_taken_for_them(model: str) -> None:
    assert assumed_capabilities(OPENAI, model).temperature


def test_elsewhere_the_older_field_is_tried_first() -> None:
    assert assumed_capabilities(LOCAL, "qwen3-8b").max_tokens_field == "max_tokens"
    assert assumed_capabilities("https://api.openai.com.evil.example/v1", "x").max_tokens_field == "max_tokens"


def test_modes_go_down_to_the_prompt() -> None:
    assert [next_lower_mode(mode) for mode in StructuredMode] == [
        StructuredMode.SCHEMA,
        StructuredMode.OBJECT_SCHEMA,
        StructuredMode.OBJECT,
        StructuredMode.PROMPT,
        None,
    ]


@pytest.mark.parametrize(
    ("message", "param", "change"),
    [
        (
            "Unsupported value: 'temperature' does not support 0.7 with this model.",
            "temperature",
            {"temperature": False},
        ),
        (
            "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.",
            "max_tokens",
            {"max_tokens_field": "max_completion_tokens"},
        ),
        ("Unrecognized request argument supplied: reasoning_effort", None, {"reasoning_effort": False}),
        ("Invalid schema for response_format 'candidate'", "response_format", {"mode": StructuredMode.SCHEMA}),
        ("Input should be 'text' or 'json_object', got json_schema", None, {"mode": StructuredMode.SCHEMA}),
        ("Unsupported value: 'messages[0].role' does not support 'system'", None, {"system_role": False}),
        ("max_tokens is too large: 9000", "max_tokens", None),
        ("The prompt is empty", None, None),
    ],
)
def test_a_refusal_teaches(message: str, param: str | None, change: dict[str, Any] | None) -> None:
    expected = None if change is None else Capabilities(**change)
    assert learn(Capabilities(), message, param) == expected


def test_nothing_is_given_up_twice() -> None:
    given_up = Capabilities(mode=StructuredMode.PROMPT, temperature=False)
    assert learn(given_up, "temperature is not supported") is None
    assert learn(given_up, "response_format is not supported") is None


def test_capabilities_survive_storage() -> None:
    stored = Capabilities(mode=StructuredMode.OBJECT, probed=True, thinks=True)
    assert stored_capabilities(stored.to_json()) == stored
    assert stored_capabilities(Capabilities().to_json()) is None
    assert stored_capabilities({"mode": "telepathy"}) is None
    assert stored_capabilities(None) is None


@pytest.mark.parametrize(
    ("react", "mode", "questions"),
    [
        (loopback.always, StructuredMode.STRICT, 1),
        (loopback.supporting("schema", "object", "prompt"), StructuredMode.SCHEMA, 2),
        (loopback.supporting("object_schema", "object", "prompt"), StructuredMode.OBJECT_SCHEMA, 3),
        (loopback.supporting("object", "prompt", ignoring=["object_schema"]), StructuredMode.OBJECT, 4),
        (loopback.supporting("prompt"), StructuredMode.PROMPT, 5),
        (
            loopback.supporting("prompt", ignoring=["strict", "schema", "object_schema", "object"]),
            StructuredMode.PROMPT,
            5,
        ),
    ],
)
async def test_the_probe_finds_the_best_mode_that_works(react: Any, mode: StructuredMode, questions: int) -> None:
    store = Store()
    async with Loopback(react=react) as server:
        client = client_of(server, store)
        _, answer = await client.probe()
        await client.close()
        assert len(server.probes) == questions
    assert answer.outcome is Outcome.WRITTEN
    capabilities = stored_capabilities(store.load(server.url, "m"))
    assert capabilities is not None
    assert (capabilities.mode, capabilities.reports_usage) == (mode, True)


async def test_the_probe_learns_parameters_and_usage() -> None:
    def react(body: dict[str, Any]) -> Reaction:
        if "temperature" in body:
            return loopback.NO_TEMPERATURE
        if "max_tokens" in body:
            message = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
            return loopback.failure(400, message, "unsupported_parameter", "max_tokens")
        return loopback.NO_USAGE

    store = Store()
    async with Loopback(react=react) as server:
        client = client_of(server, store, temperature=0.7)
        await client.probe()
        await client.close()
    capabilities = stored_capabilities(store.load(server.url, "m"))
    assert capabilities == Capabilities(max_tokens_field="max_completion_tokens", temperature=False, probed=True)


async def test_a_model_that_thinks_is_given_the_tokens_it_needs() -> None:
    def react(body: dict[str, Any]) -> Reaction:
        if body["max_tokens"] <= 256:
            return Reaction(content="<think>Birds, birds", finish="length")
        return loopback.THINK_BOTH

    store = Store()
    async with Loopback(react=react) as server:
        client = client_of(server, store)
        await client.probe()
        await client.close()
    capabilities = stored_capabilities(store.load(server.url, "m"))
    assert capabilities is not None
    assert (capabilities.mode, capabilities.thinks) == (StructuredMode.STRICT, True)


@pytest.mark.parametrize(
    ("reaction", "outcome"),
    [
        (loopback.BAD_KEY, Outcome.BAD_KEY),
        (loopback.NO_MODEL, Outcome.BAD_REQUEST),
        (loopback.NO_QUOTA, Outcome.QUOTA_EXHAUSTED),
        (loopback.SERVER_ERROR, Outcome.SERVER_ERROR),
        (loopback.RESET, Outcome.CONNECTION),
    ],
)
async def test_an_endpoint_that_cannot_be_asked_is_not_remembered(reaction: Reaction, outcome: Outcome) -> None:
    store = Store()
    async with Loopback(react=lambda _: reaction) as server:
        client = client_of(server, store)
        _, answer = await client.probe()
        await client.close()
        assert len(server.probes) == 1
    assert answer.outcome is outcome
    assert store.saved == {}


async def test_a_check_tells_capabilities_speed_and_price() -> None:
    store = Store()
    async with Loopback(latency_s=0.01) as server:
        model = EndpointSettings(model="m", base_url=server.url, key_env="")
        checked = await check_endpoint(model, capabilities=store, prices={})
    assert (checked.ok, checked.outcome, checked.detail, checked.priced) == (True, Outcome.WRITTEN, "", False)
    assert checked.capabilities == stored_capabilities(store.load(server.url, "m"))
    assert checked.seconds >= 0.01
    assert checked.tokens_per_s is not None


async def test_a_check_that_fails_says_why() -> None:
    async with Loopback(react=lambda _: loopback.NO_MODEL) as server:
        model = EndpointSettings(model="m", base_url=server.url, key_env="")
        checked = await check_endpoint(model, capabilities=Store(), prices={})
    assert (checked.ok, checked.capabilities) == (False, None)
    assert "knows no model 'm'" in checked.detail
