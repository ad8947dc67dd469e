"""The client against a real server on loopback that does each bad thing: one test each."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from core.config.project import parse_task, template
from core.config.task import EndpointSettings, Price
from core.doctor.endpoints import check_endpoints
from core.doctor.finding import CheckState
from core.llm.answer import Answer
from core.llm.capabilities import Capabilities, StructuredMode, stored_capabilities
from core.llm.client import Client
from core.llm.limits import Budget, BudgetExhaustedError, LimitPolicy
from core.llm.prices import UnpricedError
from core.llm.schemas import answer_schema
from core.llm.wire import classify_error, public_url, redact, retry_after
from storage.schema import Candidate, Outcome
from tests import loopback
from tests.core.test_capabilities import Store
from tests.loopback import Loopback, Reaction

SHAPE = answer_schema(Candidate, ["VALIDATED", "REJECTED", "REFINED"])
MESSAGES = [{"role": "system", "content": "Write."}, {"role": "user", "content": "Domain: market\nLevel: 1"}]
PRICES = {"m": Price(input=Decimal(1), output=Decimal(2))}
QUICK = LimitPolicy(pause_s=0.05, backoff_s=0.001)


@asynccontextmanager
async def client_at(server: Loopback, retries: int = 0, **settings: Any) -> AsyncIterator[Client]:
    """A client of `server` that has probed it before."""
    options = {name: settings.pop(name) for name in ("budget", "pace") if name in settings}
    model = EndpointSettings.model_validate({"model": "m", "base_url": server.url, "key_env": "", **settings})
    store = Store()
    store.save(server.url, "m", Capabilities(probed=True).to_json())
    options.setdefault("pace", QUICK)
    client = Client(model, capabilities=store, price_table=PRICES, max_retries=retries, **options)
    try:
        yield client
    finally:
        await client.close()


async def ask_once(*script: Reaction, retries: int = 0, **settings: Any) -> tuple[Answer[Candidate], Loopback]:
    async with Loopback(script) as server, client_at(server, retries, **settings) as client:
        return await client.ask(MESSAGES, SHAPE), server


async def test_an_answer_is_read_counted_and_priced() -> None:
    answer, server = await ask_once(loopback.OK)
    assert answer.outcome is Outcome.WRITTEN
    assert answer.value is not None
    assert answer.value.decision in SHAPE.labels
    usage = answer.usage
    assert usage.input_tokens and usage.output_tokens
    assert usage.cost == pytest.approx((usage.input_tokens + 2 * usage.output_tokens) / 1e6)
    assert usage.seconds > 0
    assert server.requests[0]["response_format"]["json_schema"]["strict"] is True


async def test_usage_that_is_not_reported_is_unknown() -> None:
    answer, _ = await ask_once(loopback.NO_USAGE)
    assert answer.outcome is Outcome.WRITTEN
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.cost) == (None, None, None)


@pytest.mark.parametrize(
    ("reaction", "outcome", "detail"),
    [
        (loopback.REFUSAL, Outcome.REFUSED, "I cannot help"),
        (loopback.FILTERED, Outcome.REFUSED, "content filter"),
        (loopback.TRUNCATED, Outcome.TRUNCATED, "max_output_tokens"),
        (loopback.THINK_OPENING, Outcome.TRUNCATED, "while it was thinking"),
        (loopback.TOO_LONG, Outcome.TRUNCATED, "maximum context length"),
        (loopback.INVALID_JSON, Outcome.INVALID_JSON, "not JSON; it begins 'Well"),
        (loopback.EMPTY, Outcome.INVALID_JSON, "empty"),
        (loopback.SCHEMA_VIOLATION, Outcome.SCHEMA_VIOLATION, "evidence: Field required"),
        (loopback.NO_QUOTA, Outcome.QUOTA_EXHAUSTED, "no quota left"),
        (loopback.failure(402, "Payment required"), Outcome.QUOTA_EXHAUSTED, "no quota left"),
        (loopback.BAD_KEY, Outcome.BAD_KEY, "does not accept"),
        (loopback.failure(403, "Forbidden"), Outcome.BAD_KEY, "does not accept"),
        (loopback.NO_MODEL, Outcome.BAD_REQUEST, "knows no model 'm'"),
        (loopback.failure(400, "Bad messages"), Outcome.BAD_REQUEST, "Bad messages"),
        (loopback.NOT_A_COMPLETION, Outcome.BAD_REQUEST, "base_url"),
        (Reaction(error={"choices": []}), Outcome.BAD_REQUEST, "no chat completion"),
        (Reaction(error=[1, 2]), Outcome.BAD_REQUEST, "no chat completion"),
    ],
)
async def test_what_would_end_the_same_way_is_named_and_not_repeated(
    reaction: Reaction, outcome: Outcome, detail: str
) -> None:
    answer, server = await ask_once(reaction, retries=3)
    assert (answer.outcome, len(server.requests)) == (outcome, 1)
    assert detail in answer.detail
    assert answer.value is None


@pytest.mark.parametrize(
    "reaction",
    [
        loopback.FENCED,
        loopback.IN_PROSE,
        loopback.THINK_BOTH,
        loopback.THINK_CLOSING,
        loopback.THINK_FIELD,
    ],
)
async def test_answers_in_odd_dress_are_read(reaction: Reaction) -> None:
    answer, _ = await ask_once(reaction)
    assert answer.outcome is Outcome.WRITTEN


async def test_a_cut_off_answer_is_not_read_even_if_it_is_whole_json() -> None:
    answer, _ = await ask_once(Reaction(finish="length"))
    assert answer.outcome is Outcome.TRUNCATED
    assert answer.raw


async def test_a_server_that_hangs_times_out() -> None:
    answer, server = await ask_once(loopback.HANG, loopback.HANG, retries=1, timeout_s=0.5)
    assert answer.outcome is Outcome.TIMEOUT
    assert "within 0.5 s" in answer.detail
    assert len(server.requests) == 2


async def test_a_connection_that_breaks() -> None:
    answer, server = await ask_once(loopback.RESET, loopback.RESET, retries=1)
    assert answer.outcome is Outcome.CONNECTION
    assert len(server.requests) == 2


async def test_a_server_that_is_not_there() -> None:
    async with Loopback() as server:
        pass
    async with client_at(server) as client:
        answer = await client.ask(MESSAGES, SHAPE)
    assert answer.outcome is Outcome.CONNECTION
    assert server.url in answer.detail


@pytest.mark.parametrize("reaction", [loopback.SERVER_ERROR, loopback.OVERLOADED, loopback.RESET, loopback.limited()])
async def test_what_may_pass_is_repeated_until_it_does(reaction: Reaction) -> None:
    answer, server = await ask_once(reaction, reaction, retries=2)
    assert (answer.outcome, len(server.requests)) == (Outcome.WRITTEN, 3)


async def test_what_does_not_pass_is_returned_after_the_retries() -> None:
    answer, server = await ask_once(*[loopback.SERVER_ERROR] * 9, retries=3)
    assert (answer.outcome, len(server.requests)) == (Outcome.SERVER_ERROR, 4)


async def test_a_rate_limit_waits_as_long_as_the_server_asks() -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    answer, _ = await ask_once(loopback.limited("0.3"), retries=1)
    assert answer.outcome is Outcome.WRITTEN
    assert loop.time() - started >= 0.3


async def test_a_rate_limit_that_lasts_too_long_is_not_waited_for() -> None:
    answer, server = await ask_once(loopback.limited("90000"), retries=5)
    assert (answer.outcome, len(server.requests)) == (Outcome.RATE_LIMITED, 1)
    assert "90000 s" in answer.detail


async def test_429s_hold_all_requests_back_and_cut_the_number_in_flight() -> None:
    async with Loopback([loopback.limited()] * 3, latency_s=0.01) as server, client_at(server, retries=5) as client:
        answers = await asyncio.gather(*(client.ask(MESSAGES, SHAPE) for _ in range(40)))
        assert {answer.outcome for answer in answers} == {Outcome.WRITTEN}
        assert server.most <= 20


async def test_the_number_in_flight_grows_to_the_ceiling_and_not_beyond() -> None:
    async with Loopback(latency_s=0.4) as server, client_at(server, max_in_flight=50) as client:
        await asyncio.gather(*(client.ask(MESSAGES, SHAPE) for _ in range(120)))
        assert server.most == 50


async def test_two_clients_of_one_model_share_the_limit() -> None:
    async with (
        Loopback(latency_s=0.02) as server,
        client_at(server, max_in_flight=5) as first,
        client_at(server, max_in_flight=5) as two,
    ):
        await asyncio.gather(*(client.ask(MESSAGES, SHAPE) for client in (first, two) for _ in range(15)))
        assert server.most == 5


async def test_a_missing_key_is_named_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIDEQUEST_TEST_KEY", raising=False)
    answer, server = await ask_once(key_env="SIDEQUEST_TEST_KEY")
    assert answer.outcome is Outcome.BAD_KEY
    assert "SIDEQUEST_TEST_KEY is not set" in answer.detail
    assert server.served == 0


async def test_the_key_is_sent_and_shown_nowhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "verysecret0123456789"  # noqa: S105
    monkeypatch.setenv("SIDEQUEST_TEST_KEY", secret)
    caplog.set_level(logging.DEBUG)
    wrong = loopback.failure(401, f"Incorrect API key provided: {secret}")
    async with Loopback([wrong]) as server, client_at(server, key_env="SIDEQUEST_TEST_KEY") as client:
        answer = await client.ask(MESSAGES, SHAPE)
        assert server.keys == [f"Bearer {secret}"]
        visible = answer.detail + repr(answer) + repr(client) + str(vars(client)) + caplog.text
    assert "[key]" in answer.detail
    assert secret not in visible


async def test_another_key_in_the_environment_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-endpoint")
    _, server = await ask_once()
    assert "another" not in server.keys[0]


@pytest.mark.parametrize(
    ("base_url", "key_env"),
    [
        ("https://api.openai.com/v1", "OPENAI_API_KEY"),
        ("https://API.OpenAI.com:443/v1", "OPENAI_API_KEY"),
        ("http://api.openai.com/v1", ""),
        ("https://api.openai.com:8443/v1", ""),
        ("https://api.openai.com.stranger.example/v1", ""),
        ("https://api.openai.com@stranger.example/v1", ""),
        ("https://stranger.example/https://api.openai.com/v1", ""),
        ("https://someone@api.openai.com/v1", ""),
        ("https://[api.openai.com/v1", ""),
        ("http://127.0.0.1:8000/v1", ""),
    ],
)
def test_the_key_of_openai_is_the_default_at_its_own_address_alone(base_url: str, key_env: str) -> None:
    assert EndpointSettings(model="m", base_url=base_url).key_env == key_env
    assert EndpointSettings(model="m", base_url=base_url, key_env="MINE").key_env == "MINE"
    assert EndpointSettings(model="m", base_url=base_url, key_env="").key_env == ""


async def test_a_host_that_names_no_key_gets_nothing_of_openais_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID"):
        monkeypatch.setenv(f"OPENAI_{name}", "of-openai")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer of-openai\nX-Account: of-openai")
    async with Loopback() as server:
        model = EndpointSettings(model="m", base_url=server.url)
        client = Client(model, capabilities=Store(), price_table=PRICES, max_retries=0, pace=QUICK)
        assert (await client.ask(MESSAGES, SHAPE)).outcome is Outcome.WRITTEN
        await client.close()
        (found,) = await check_endpoints(
            parse_task(f"{template()}\n[models.m]\nmodel = 'm'\nbase_url = '{server.url}'\n")
        )
        assert found.state is CheckState.NOTE
        assert set(server.keys) == {"Bearer none"}
        assert len(server.headers) > 2
        assert "of-openai" not in str(server.headers)


async def test_a_redirect_to_another_host_takes_no_key_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDEQUEST_TEST_KEY", "verysecret0123456789")
    async with Loopback() as other:
        away = Reaction(status=307, error={}, headers={"Location": f"{other.url}/chat/completions"})
        async with Loopback([away]) as server, client_at(server, key_env="SIDEQUEST_TEST_KEY") as client:
            assert (await client.ask(MESSAGES, SHAPE)).outcome is Outcome.WRITTEN
        assert server.keys == ["Bearer verysecret0123456789"]
        assert other.keys == [""]


async def test_a_capability_that_is_lost_in_use_is_learned_once() -> None:
    react = loopback.supporting("object", "prompt")
    store = Store()
    async with Loopback(react=react, latency_s=0.01) as server, client_at(server) as client:
        client._store = store
        store.save(server.url, "m", Capabilities(probed=True).to_json())
        answers = await asyncio.gather(*(client.ask(MESSAGES, SHAPE) for _ in range(10)))
        assert {answer.outcome for answer in answers} == {Outcome.WRITTEN}
        capabilities = stored_capabilities(store.load(server.url, "m"))
        assert capabilities is not None
        assert capabilities.mode is StructuredMode.OBJECT
        assert not server.probes


async def test_temperature_that_is_refused_is_left_out_from_then_on() -> None:
    def react(body: dict[str, Any]) -> Reaction:
        return loopback.NO_TEMPERATURE if "temperature" in body else loopback.OK

    async with Loopback(react=react) as server, client_at(server, temperature=0.7) as client:
        assert (await client.ask(MESSAGES, SHAPE)).outcome is Outcome.WRITTEN
        assert (await client.ask(MESSAGES, SHAPE)).outcome is Outcome.WRITTEN
        assert ["temperature" in body for body in server.requests] == [True, False, False]


async def test_the_first_questions_probe_once_between_them() -> None:
    async with Loopback(latency_s=0.01) as server, client_at(server) as client:
        client._store = Store()
        await asyncio.gather(*(client.ask(MESSAGES, SHAPE) for _ in range(10)))
        assert (len(server.probes), len(server.requests)) == (1, 10)


async def test_a_probe_that_fails_fails_the_questions_that_wait_for_it() -> None:
    async with Loopback(react=lambda _: loopback.BAD_KEY, latency_s=0.01) as server, client_at(server) as client:
        client._store = Store()
        answers = await asyncio.gather(*(client.ask(MESSAGES, SHAPE) for _ in range(10)))
        assert {answer.outcome for answer in answers} == {Outcome.BAD_KEY}
        assert server.served == 1


async def test_requests_in_flight_do_not_overrun_the_budget() -> None:
    budget = Budget(0.02)
    async with Loopback(latency_s=0.01) as server, client_at(server, budget=budget, max_output_tokens=1000) as client:
        results = await asyncio.gather(*(client.ask(MESSAGES, SHAPE) for _ in range(200)), return_exceptions=True)
    stopped = [result for result in results if isinstance(result, BudgetExhaustedError)]
    answers = [result for result in results if isinstance(result, Answer)]
    assert len(stopped) + len(answers) == 200
    assert stopped and answers
    assert budget.spent == pytest.approx(sum(answer.usage.cost or 0 for answer in answers))
    # All that is left is less than what one request could cost.
    assert 0.02 - 0.0045 < budget.spent <= 0.02


async def test_what_is_not_reported_is_charged_in_full() -> None:
    budget = Budget(1.0)
    await ask_once(loopback.NO_USAGE, budget=budget, max_output_tokens=1000)
    assert budget.spent >= 0.002
    assert budget.reserved == 0


async def test_what_failed_at_the_server_is_not_charged() -> None:
    budget = Budget(1.0)
    await ask_once(loopback.SERVER_ERROR, budget=budget)
    assert (budget.spent, budget.reserved) == (0.0, 0.0)


async def test_a_budget_without_a_price_is_an_error_at_once() -> None:
    with pytest.raises(UnpricedError, match="no price"):
        Client(
            EndpointSettings(model="other"), capabilities=Store(), price_table=PRICES, max_retries=0, budget=Budget(1)
        )


NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("20", 20.0),
        ("1.5", 1.5),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("-3", 0.0),
        ("nan", 0.0),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}, NOW) == seconds


@pytest.mark.parametrize("payload", [None, "oops", [], {"error": None}, {"error": "x"}, {"detail": [{"msg": "m"}]}])
def test_any_body_of_an_error_is_understood(payload: object) -> None:
    assert classify_error(400, payload, {}, NOW).outcome is Outcome.BAD_REQUEST


def test_secrets_are_cut_out_of_what_is_shown() -> None:
    assert redact("bad key qwerty and sk-proj-abc123def", "qwerty") == "bad key [key] and [key]"
    assert public_url("https://user:pw@host:1/v1?key=1") == "https://host:1/v1"


def test_importing_the_client_does_not_load_openai() -> None:
    code = "import sys, core.llm.client, core.generation.endpoint_source; sys.exit('openai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
