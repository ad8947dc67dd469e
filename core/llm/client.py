"""One model at one OpenAI-compatible endpoint: requests answers of a schema, and classifies how each request ended."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from core.config.task import EndpointSettings, Price, Task
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

# These faults may pass; everything else would fail the same way again.
TRANSIENT = frozenset({Outcome.TIMEOUT, Outcome.CONNECTION, Outcome.RATE_LIMITED, Outcome.SERVER_ERROR})
# A request is repeated at most this often because a refusal taught what the endpoint does not accept.
_MAX_LESSONS = 8


@dataclass
class Endpoint:
    """The state that all clients of one model at one endpoint share in an event loop."""

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
    """Sends questions to one model. Safe to call from many tasks of one event loop; close it when done.

    The capabilities of the endpoint are loaded from the store `capabilities`, or probed before the first question.
    Raises UnpricedError at once if there is a budget and the model has no price.
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

    @classmethod
    def of_task(
        cls,
        task: Task,
        name: str,
        *,
        capabilities: CapabilityStore,
        budget: Budget | None = None,
        pace: LimitPolicy | None = None,
    ) -> Client:
        """A client of the model `name` of the task's `models`, at the task's prices and with its retries.

        Raises KeyError if there is no such model, UnpricedError if there is a budget and the model has no price.
        """
        return cls(
            task.models[name],
            capabilities=capabilities,
            price_table=task.prices,
            max_retries=task.limits.max_retries,
            budget=budget,
            pace=pace,
        )

    def __repr__(self) -> str:
        return f"Client({self.model.model!r} at {self.url})"

    async def ask(
        self, messages: Messages, shape: AnswerSchema[M] | None, *, max_output_tokens: int | None = None
    ) -> Answer[M]:
        """Send `messages` (role and content each) and return the answer, parsed as `shape`; None accepts any text.

        `max_output_tokens` overrides the model's setting. Faults are returned as outcomes. Raises BudgetExhaustedError,
        before anything is sent, if the request could cost more than is left.
        """
        if problem := self._key_problem():
            return Answer(Outcome.BAD_KEY, detail=problem, model=self.model.model)
        failure = await self._ensure_capabilities()
        if failure is not None:
            return failure
        endpoint = _endpoint(self.model, self._pace)
        max_tokens = max_output_tokens or self.model.max_output_tokens
        for _ in range(_MAX_LESSONS):
            capabilities = endpoint.capabilities or assumed_capabilities(self.model.base_url, self.model.model)
            reply = await self.send(
                request_body(self.model, capabilities, messages, shape, max_tokens), shape, max_tokens
            )
            if not self._learn_from_fault(endpoint, capabilities, reply.fault):
                break
        return reply.answer

    async def probe(self) -> tuple[Capabilities | None, Answer[Any]]:
        """Probe the endpoint's capabilities, whatever is stored, and store them; returns them with the last answer.

        The capabilities are None if the endpoint cannot be probed: the answer's outcome says why.
        """
        if problem := self._key_problem():
            return None, Answer(Outcome.BAD_KEY, detail=problem, model=self.model.model)
        capabilities, answer = await probe(self.model, self.send)
        if capabilities is not None:
            _endpoint(self.model, self._pace).capabilities = capabilities
            self._store.save(self.model.base_url, self.model.model, capabilities.to_json())
        return capabilities, answer

    async def close(self) -> None:
        """Close the connections; safe to call twice."""
        if self._openai is not None:
            client, self._openai = self._openai, None
            await client.close()

    async def send(self, body: dict[str, Any], shape: AnswerSchema[M] | None, max_tokens: int) -> Exchange[M]:
        """Send a request, and again after faults that may pass, at most `max_retries` times."""
        for attempt in range(self._max_retries + 1):
            reply = await self._send_once(body, shape, max_tokens)
            if reply.answer.outcome not in TRANSIENT or attempt == self._max_retries:
                break
            requested_wait = (reply.fault.retry_after if reply.fault else None) or 0.0
            if requested_wait > self._pace.patience_s:
                detail = f"{reply.answer.detail} It asks to wait {requested_wait:.0f} s: resume later."
                return replace(reply, answer=replace(reply.answer, detail=detail))
            # After a 429 the limiter holds back all requests; after other faults each request waits for itself.
            wait = requested_wait if reply.answer.outcome is Outcome.SERVER_ERROR else 0.0
            await asyncio.sleep(max(wait, backoff(attempt, self._pace, random.random())))
        return reply

    async def _ensure_capabilities(self) -> Answer[Any] | None:
        """Make sure that the capabilities are known; if that is impossible, the answer that says why."""
        endpoint = _endpoint(self.model, self._pace)
        if endpoint.capabilities is None:
            endpoint.capabilities = stored_capabilities(self._store.load(self.model.base_url, self.model.model))
        if endpoint.capabilities is not None:
            return None
        if endpoint.probing is None:
            endpoint.probing = asyncio.create_task(self._first_probe(endpoint))
        # A caller that is cancelled while waiting must not cancel the probe for the others.
        return await asyncio.shield(endpoint.probing)

    async def _first_probe(self, endpoint: Endpoint) -> Answer[Any] | None:
        try:
            capabilities, answer = await self.probe()
        finally:
            endpoint.probing = None
        return answer if capabilities is None else None

    def _learn_from_fault(self, endpoint: Endpoint, used: Capabilities, fault: Fault | None) -> bool:
        """Whether a refusal taught something, so that repeating the question makes sense; stores what it taught."""
        if fault is None or fault.outcome is not Outcome.BAD_REQUEST:
            return False
        if endpoint.capabilities not in (None, used):
            return True  # another request has learned meanwhile
        learned = learn(used, fault.message, fault.param)
        if learned is None:
            return False
        endpoint.capabilities = learned
        self._store.save(self.model.base_url, self.model.model, learned.to_json())
        return True

    async def _send_once(self, body: dict[str, Any], shape: AnswerSchema[M] | None, max_tokens: int) -> Exchange[M]:
        """Send one request through the limiter and within the budget, and report its outcome to both."""
        limiter = _endpoint(self.model, self._pace).limiter
        size = (len(shape.text) if shape else 0) + sum(len(message["content"].encode()) for message in body["messages"])
        estimate = prices.estimate_tokens(size) + limiter.expected_output(max_tokens)
        async with limiter.acquire(estimate):
            reservation = await self._reserve(size, max_tokens)
            started = asyncio.get_running_loop().time()
            charged = 0.0
            try:
                reply = await self._exchange(body, shape)
                charged = self._charge(reply, reservation)
            finally:
                if reservation is not None:
                    reservation.settle(charged)
            usage, outcome = reply.answer.usage, reply.answer.outcome
            if outcome is Outcome.RATE_LIMITED and reply.fault:
                now = asyncio.get_running_loop().time()
                requested_wait = min(reply.fault.retry_after or 0.0, self._pace.patience_s)
                limiter.report(Limited(now, started, requested_wait))
            elif outcome in TRANSIENT:
                limiter.report(Faltered())
            elif reply.fault is None:
                limiter.report_success(estimate, usage.input_tokens, usage.output_tokens)
        return reply

    async def _reserve(self, size: int, max_tokens: int) -> Reservation | None:
        if self._budget is None or self._price is None:
            return None
        return await self._budget.reserve(prices.highest_cost(self._price, size, max_tokens))

    def _charge(self, reply: Exchange[M], reservation: Reservation | None) -> float:
        """What a request takes from the budget: its cost, or the whole reservation where the cost is unknown."""
        if reply.answer.usage.cost is not None or reservation is None:
            return reply.answer.usage.cost or 0.0
        # A request that timed out here may well have been finished, and billed, on the server.
        unknown = reply.fault is None or reply.answer.outcome is Outcome.TIMEOUT
        return reservation.amount if unknown else 0.0

    async def _exchange(self, body: dict[str, Any], shape: AnswerSchema[M] | None) -> Exchange[M]:
        from openai import APIConnectionError, APIStatusError, APITimeoutError

        started = time.perf_counter()
        status = 0
        try:
            async with asyncio.timeout(self.model.timeout_s):
                text = await self._openai_client().post("/chat/completions", cast_to=str, body=body)
        except (TimeoutError, APITimeoutError):
            fault = Fault(Outcome.TIMEOUT, "")
            detail = f"{self.url} gave no answer within {self.model.timeout_s:g} s (timeout_s)"
        except APIStatusError as error:
            status = error.status_code
            fault = classify_error(status, error.body, error.response.headers, datetime.now(UTC))
            detail = explain_fault(fault, status, self.url, self.model.model, self.model.key_env)
        except APIConnectionError as error:
            fault = Fault(Outcome.CONNECTION, "")
            cause = str(error.__cause__ or error) or type(error.__cause__).__name__
            detail = f"no connection to {self.url}: {cause}"
        else:
            return self._to_exchange(read_response(text, shape), time.perf_counter() - started)
        detail = redact(detail, endpoint_key(self.model))
        usage = Usage(seconds=time.perf_counter() - started)
        return Exchange(Answer(fault.outcome, detail=detail, usage=usage, model=self.model.model), fault)

    def _to_exchange(self, response: WireResponse[M], seconds: float) -> Exchange[M]:
        usage = Usage(
            input_tokens=response.input_tokens,
            output_tokens=response.output_tokens,
            cost=prices.cost(self._price, response.input_tokens, response.output_tokens),
            seconds=seconds,
        )
        detail = redact(response.detail, endpoint_key(self.model))
        answer = Answer(
            response.outcome, response.value, response.raw, response.thought, detail, usage, self.model.model
        )
        return Exchange(answer, None, response.thinks)

    def _openai_client(self) -> AsyncOpenAI:
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
    """Seconds to wait after the failed attempt number `attempt`, from 0.

    Exponential, and between half and all of it by `chance` (0 to 1).
    """
    delay = min(pace.backoff_max_s, pace.backoff_s * 2.0**attempt)
    return delay * (0.5 + chance / 2)
