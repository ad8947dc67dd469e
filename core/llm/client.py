"""One model at one OpenAI-compatible endpoint: asks for answers of a shape, and names how each request ended."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from core.config.task import EndpointSettings, Price
from core.llm import prices
from core.llm.answer import Answer, Exchange
from core.llm.capabilities import Capabilities, CapabilityStore, assumed_capabilities, learn, stored_capabilities
from core.llm.connection import connect_endpoint, endpoint_key
from core.llm.limits import Budget, Faltered, Limited, LimitPolicy, RequestLimiter, Reservation
from core.llm.probe import probe
from core.llm.schemas import AnswerSchema
from core.llm.wire import (
    Fault,
    M,
    Messages,
    WireResponse,
    classify_error,
    explain_fault,
    public_url,
    read_response,
    redact,
    request_body,
)
from storage.schema import Outcome, Usage

if TYPE_CHECKING:
    from openai import AsyncOpenAI

# These may pass; everything else would end the same way again.
TRANSIENT = frozenset({Outcome.TIMEOUT, Outcome.CONNECTION, Outcome.RATE_LIMITED, Outcome.SERVER_ERROR})
# So often a request is repeated because a refusal taught what the endpoint does not take.
_LESSONS = 8


@dataclass
class Endpoint:
    """What all clients of one model at one endpoint share in an event loop."""

    limiter: RequestLimiter
    capabilities: Capabilities | None = None
    probing: asyncio.Task[Answer[Any] | None] | None = None


_Key = tuple[str, str, int, int | None, int | None]
_ENDPOINTS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Key, Endpoint]] = WeakKeyDictionary()


def _endpoint(model: EndpointSettings, pace: LimitPolicy) -> Endpoint:
    shared = _ENDPOINTS.setdefault(asyncio.get_running_loop(), {})
    key = (model.base_url, model.model, model.max_in_flight, model.requests_per_minute, model.tokens_per_minute)
    if key not in shared:
        shared[key] = Endpoint(RequestLimiter(model, pace))
    return shared[key]


class Client:
    """Asks one model. Safe to call from many tasks of one event loop; close it when done.

    What the endpoint is capable of is looked up in `capabilities`, or probed by the first question. Raises
    UnpricedError at once if there is a budget and the model has no price.
    """

    def __init__(
        self,
        model: EndpointSettings,
        *,
        capabilities: CapabilityStore,
        price_table: Mapping[str, Price],
        max_retries: int,
        budget: Budget | None = None,
        pace: LimitPolicy | None = None,
    ) -> None:
        self.model = model
        self.url = public_url(model.base_url)
        self._store = capabilities
        self._price = prices.price_of(price_table, model.model, budgeted=budget is not None)
        self._budget = budget
        self._max_retries = max_retries
        self._pace = pace or LimitPolicy()
        self._openai: AsyncOpenAI | None = None

    def __repr__(self) -> str:
        return f"Client({self.model.model!r} at {self.url})"

    async def ask(
        self, messages: Messages, shape: AnswerSchema[M] | None, *, max_output_tokens: int | None = None
    ) -> Answer[M]:
        """The answer to `messages` (role and content each) as `shape`; None takes it in the model's own words.

        `max_output_tokens` overrides the model's.

        Faults come back as outcomes. Raises BudgetExhaustedError, before anything is sent, if the request could cost
        more than is left.
        """
        if problem := self._key_problem():
            return Answer(Outcome.BAD_KEY, detail=problem, model=self.model.model)
        failed = await self._ready()
        if failed is not None:
            return failed
        endpoint = _endpoint(self.model, self._pace)
        most = max_output_tokens or self.model.max_output_tokens
        for _ in range(_LESSONS):
            used = endpoint.capabilities or assumed_capabilities(self.model.base_url, self.model.model)
            reply = await self.send(request_body(self.model, used, messages, shape, most), shape, most)
            if not self._taught(endpoint, used, reply.fault):
                break
        return reply.answer

    async def probe(self) -> tuple[Capabilities | None, Answer[Any]]:
        """Ask what the endpoint is capable of, whatever is remembered, and remember it; and the last answer.

        None for the capabilities if the endpoint cannot be asked: the answer's outcome says why.
        """
        if problem := self._key_problem():
            return None, Answer(Outcome.BAD_KEY, detail=problem, model=self.model.model)
        found, answer = await probe(self.model, self.send)
        if found is not None:
            _endpoint(self.model, self._pace).capabilities = found
            self._store.save(self.model.base_url, self.model.model, found.to_json())
        return found, answer

    async def close(self) -> None:
        """Close the connections; safe to call twice."""
        if self._openai is not None:
            client, self._openai = self._openai, None
            await client.close()

    async def send(self, sent: dict[str, Any], shape: AnswerSchema[M] | None, most: int) -> Exchange[M]:
        """Send a body, and again after faults that may pass, until `max_retries` are used up."""
        for tried in range(self._max_retries + 1):
            reply = await self._once(sent, shape, most)
            if reply.answer.outcome not in TRANSIENT or tried == self._max_retries:
                break
            asked = (reply.fault.retry_after if reply.fault else None) or 0.0
            if asked > self._pace.patience_s:
                detail = f"{reply.answer.detail} It asks to wait {asked:.0f} s: resume later."
                return replace(reply, answer=replace(reply.answer, detail=detail))
            # After a 429 the gate holds everybody back; here each waits for itself.
            wait = asked if reply.answer.outcome is Outcome.SERVER_ERROR else 0.0
            await asyncio.sleep(max(wait, backoff(tried, self._pace, random.random())))
        return reply

    async def _ready(self) -> Answer[Any] | None:
        """Make sure that the capabilities are known; an answer that says why not if they cannot be."""
        endpoint = _endpoint(self.model, self._pace)
        if endpoint.capabilities is None:
            endpoint.capabilities = stored_capabilities(self._store.load(self.model.base_url, self.model.model))
        if endpoint.capabilities is not None:
            return None
        if endpoint.probing is None:
            endpoint.probing = asyncio.create_task(self._first_probe(endpoint))
        # Whoever is cancelled while waiting must not take the probe away from the others.
        return await asyncio.shield(endpoint.probing)

    async def _first_probe(self, endpoint: Endpoint) -> Answer[Any] | None:
        try:
            found, answer = await self.probe()
        finally:
            endpoint.probing = None
        return answer if found is None else None

    def _taught(self, endpoint: Endpoint, used: Capabilities, found: Fault | None) -> bool:
        """Whether a refusal taught something, so that the question is worth repeating; it is remembered."""
        if found is None or found.outcome is not Outcome.BAD_REQUEST:
            return False
        if endpoint.capabilities not in (None, used):
            return True  # another request has learned meanwhile
        learned = learn(used, found.message, found.param)
        if learned is None:
            return False
        endpoint.capabilities = learned
        self._store.save(self.model.base_url, self.model.model, learned.to_json())
        return True

    async def _once(self, sent: dict[str, Any], shape: AnswerSchema[M] | None, most: int) -> Exchange[M]:
        """One request: through the gate, within the budget, and its outcome told to both."""
        gate = _endpoint(self.model, self._pace).limiter
        size = (len(shape.text) if shape else 0) + sum(len(message["content"].encode()) for message in sent["messages"])
        estimate = prices.estimate_tokens(size) + gate.expected_output(most)
        async with gate.acquire(estimate):
            reserved = await self._reserve(size, most)
            started = asyncio.get_running_loop().time()
            charged = 0.0
            try:
                reply = await self._exchange(sent, shape)
                charged = self._charge(reply, reserved)
            finally:
                if reserved is not None:
                    reserved.settle(charged)
            usage, outcome = reply.answer.usage, reply.answer.outcome
            if outcome is Outcome.RATE_LIMITED and reply.fault:
                now = asyncio.get_running_loop().time()
                asked = min(reply.fault.retry_after or 0.0, self._pace.patience_s)
                gate.report(Limited(now, started, asked))
            elif outcome in TRANSIENT:
                gate.report(Faltered())
            elif reply.fault is None:
                gate.report_success(estimate, usage.input_tokens, usage.output_tokens)
        return reply

    async def _reserve(self, size: int, most: int) -> Reservation | None:
        if self._budget is None or self._price is None:
            return None
        return await self._budget.reserve(prices.highest_cost(self._price, size, most))

    def _charge(self, reply: Exchange[M], reserved: Reservation | None) -> float:
        """What a request takes from the budget: its cost, or all that was reserved where the cost is not known."""
        if reply.answer.usage.cost is not None or reserved is None:
            return reply.answer.usage.cost or 0.0
        # A request that timed out here may well have been finished, and billed, over there.
        unknown = reply.fault is None or reply.answer.outcome is Outcome.TIMEOUT
        return reserved.amount if unknown else 0.0

    async def _exchange(self, sent: dict[str, Any], shape: AnswerSchema[M] | None) -> Exchange[M]:
        from openai import APIConnectionError, APIStatusError, APITimeoutError

        started = time.perf_counter()
        status = 0
        try:
            async with asyncio.timeout(self.model.timeout_s):
                text = await self._connected().post("/chat/completions", cast_to=str, body=sent)
        except (TimeoutError, APITimeoutError):
            found = Fault(Outcome.TIMEOUT, "")
            detail = f"{self.url} gave no answer within {self.model.timeout_s:g} s (timeout_s)"
        except APIStatusError as error:
            status = error.status_code
            found = classify_error(status, error.body, error.response.headers, datetime.now(UTC))
            detail = explain_fault(found, status, self.url, self.model.model, self.model.key_env)
        except APIConnectionError as error:
            found = Fault(Outcome.CONNECTION, "")
            cause = str(error.__cause__ or error) or type(error.__cause__).__name__
            detail = f"no connection to {self.url}: {cause}"
        else:
            return self._answered(read_response(text, shape), time.perf_counter() - started)
        detail = redact(detail, endpoint_key(self.model))
        usage = Usage(seconds=time.perf_counter() - started)
        return Exchange(Answer(found.outcome, detail=detail, usage=usage, model=self.model.model), found)

    def _answered(self, reading: WireResponse[M], seconds: float) -> Exchange[M]:
        usage = Usage(
            input_tokens=reading.input_tokens,
            output_tokens=reading.output_tokens,
            cost=prices.cost(self._price, reading.input_tokens, reading.output_tokens),
            seconds=seconds,
        )
        detail = redact(reading.detail, endpoint_key(self.model))
        answer = Answer(reading.outcome, reading.value, reading.raw, reading.thought, detail, usage, self.model.model)
        return Exchange(answer, None, reading.thinks)

    def _connected(self) -> AsyncOpenAI:
        if self._openai is None:
            self._openai = connect_endpoint(self.model, timeout_s=self.model.timeout_s, connect_s=30.0)
        return self._openai

    def _key_problem(self) -> str:
        if not self.model.key_env:
            return ""
        key = endpoint_key(self.model)
        if not key:
            return (
                f"the environment variable {self.model.key_env} is not set: it is to hold the key for {self.url} "
                '(key_env = "" if none is needed)'
            )
        return "" if key.isascii() and key.isprintable() else f"{self.model.key_env} holds characters no key has"


def backoff(attempt: int, pace: LimitPolicy, chance: float) -> float:
    """Seconds to wait after `tried` earlier tries: exponential, and by `chance` (0 to 1) between half and all of it."""
    most = min(pace.backoff_max_s, pace.backoff_s * 2.0**attempt)
    return most * (0.5 + chance / 2)
