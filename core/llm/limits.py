"""How many requests may be in flight, how fast, and for how much money.

Decisions are a pure function of state and event (`next_limit`); `RequestLimiter` is the asynchronous shell around it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from aiolimiter import AsyncLimiter

from core.config.task import EndpointSettings


@dataclass(frozen=True, slots=True)
class LimitPolicy:
    """How the limit of requests in flight changes, and how long to wait after faults. Times in seconds."""

    start: int = 20
    growth: float = 1.05
    # While there was no fault, successes for this share of the limit are enough to double it.
    doubling_share: float = 0.25
    cut: float = 0.8
    pause_s: float = 15.0
    backoff_s: float = 0.5
    backoff_max_s: float = 60.0
    # If the server asks to wait longer than this, the request fails instead.
    patience_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Flow:
    """How many requests may be in flight now, and the state that this follows from. Times of the event loop's clock."""

    limit: float
    ceiling: int
    doubling: bool = True
    clean: int = 0
    cut_at: float = float("-inf")
    paused_until: float = float("-inf")

    @property
    def allowed(self) -> int:
        """The number of requests that may be in flight: from 1 to the ceiling."""
        return max(1, min(int(self.limit), self.ceiling))


@dataclass(frozen=True, slots=True)
class Succeeded:
    """An answer came. `busy`: the limit was in use, so that the answer says something about it."""

    busy: bool


@dataclass(frozen=True, slots=True)
class Limited:
    """A 429 at time `now` for a request sent at `sent`; `retry_after` are the seconds to wait, if it names them."""

    now: float
    sent: float
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Faltered:
    """A 5xx, a time-out or a broken connection: no reason to shrink the limit, and none to grow."""


FlowEvent = Succeeded | Limited | Faltered


def first_flow(ceiling: int, pace: LimitPolicy) -> Flow:
    """The initial state of an endpoint with at most `ceiling` (>= 1) requests in flight."""
    return Flow(limit=min(pace.start, ceiling), ceiling=ceiling)


def next_limit(flow: Flow, event: FlowEvent, pace: LimitPolicy) -> Flow:
    """The state after `event`. The limit stays between 1 and the ceiling."""
    match event:
        case Faltered():
            return replace(flow, clean=0)
        case Limited(now, sent, retry_after):
            paused_until = max(flow.paused_until, now + max(pace.pause_s, retry_after or 0.0))
            if sent <= flow.cut_at:
                # It was sent before the last cut: it belongs to the same burst, and the limit was cut for that.
                return replace(flow, paused_until=paused_until, clean=0)
            limit = max(1.0, flow.limit * pace.cut)
            return replace(flow, limit=limit, doubling=False, clean=0, cut_at=now, paused_until=paused_until)
        case Succeeded(busy):
            if not busy or flow.limit >= flow.ceiling:
                return flow
            clean = flow.clean + 1
            if clean < flow.limit * (pace.doubling_share if flow.doubling else 1.0):
                return replace(flow, clean=clean)
            grown = flow.limit * 2 if flow.doubling else max(flow.limit * pace.growth, flow.limit + 0.5)
            return replace(flow, limit=min(grown, float(flow.ceiling)), clean=0)


class RequestLimiter:
    """Limits the requests to one model of one endpoint, in number and rate. One event loop only."""

    def __init__(self, model: EndpointSettings, pace: LimitPolicy) -> None:
        self.pace = pace
        self.flow = first_flow(model.max_in_flight, pace)
        self.in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._requests = _per_minute(model.requests_per_minute)
        self._tokens = _per_minute(model.tokens_per_minute)
        self._tokens_in_turn = asyncio.Lock()
        self._token_error = 0.0
        self._mean_output: float | None = None

    def expected_output(self, max_tokens: int) -> float:
        """The likely number of tokens of an answer of at most `max_tokens`, from answers so far."""
        return float(max_tokens) if self._mean_output is None else min(float(max_tokens), self._mean_output)

    @asynccontextmanager
    async def acquire(self, tokens: float) -> AsyncIterator[None]:
        """Wait until a request of about `tokens` (prompt and answer) may be sent; it is in flight inside."""
        await self._wait_for_slot()
        try:
            await self._wait_for_rate(tokens)
            yield
        finally:
            self.in_flight -= 1
            self._wake()

    def report(self, event: FlowEvent) -> None:
        """Update the limit after a request ended with `event`."""
        self.flow = next_limit(self.flow, event, self.pace)
        self._wake()

    def report_success(self, estimated: float, input_tokens: int | None, output_tokens: int | None) -> None:
        """Update the limit and the estimates after an answer; None for tokens that were not reported."""
        if input_tokens is not None and output_tokens is not None:
            self._token_error += input_tokens + output_tokens - estimated
            mean = self._mean_output
            self._mean_output = output_tokens if mean is None else 0.9 * mean + 0.1 * output_tokens
        self.report(Succeeded(busy=bool(self._waiting) or self.in_flight >= self.flow.allowed))

    async def _wait_for_slot(self) -> None:
        if self.in_flight < self.flow.allowed and not self._waiting:
            self.in_flight += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.in_flight -= 1
            self._wake()
            raise

    def _wake(self) -> None:
        while self._waiting and (self._waiting[0].done() or self.in_flight < self.flow.allowed):
            turn = self._waiting.popleft()
            if not turn.done():
                # Counted here, so that nobody else takes the slot before the waiter runs.
                self.in_flight += 1
                turn.set_result(None)

    async def _wait_for_rate(self, tokens: float) -> None:
        if self._requests is not None:
            await self._requests.acquire()
        if self._tokens is not None:
            # aiolimiter serves small amounts first. One request at a time keeps the order: no large one starves.
            async with self._tokens_in_turn:
                due = max(0.0, tokens + self._token_error)
                self._token_error = min(0.0, tokens + self._token_error)
                while due > 0:
                    share = min(due, self._tokens.max_rate)
                    await self._tokens.acquire(share)
                    due -= share
        loop = asyncio.get_running_loop()
        # Another 429 may extend the pause during the sleep.
        while (wait := self.flow.paused_until - loop.time()) > 0:  # noqa: ASYNC110  time passes by itself
            await asyncio.sleep(wait)


def _per_minute(rate: int | None) -> AsyncLimiter | None:
    """A bucket for one second: a whole minute's amount at once would allow twice the rate in the first minute."""
    return None if rate is None else AsyncLimiter(max(1.0, rate / 60), max(1.0, 60 / rate))


class BudgetExhaustedError(Exception):
    """The next request could cost more than is left; what is done is kept."""


class Reservation:
    """Money set aside for one request, until it is settled."""

    def __init__(self, budget: Budget, amount: float) -> None:
        self._budget = budget
        self.amount = amount
        self._open = True

    def settle(self, cost: float) -> None:
        """The request cost `cost`; 0 if it was never sent. Settling twice changes nothing."""
        if self._open:
            self._open = False
            self._budget._settled(self.amount, cost)


class Budget:
    """Money that one run may spend, in the currency of the price table; shared by all its models.

    As long as no request costs more than was reserved for it, `spent + reserved` never exceeds `limit`.
    """

    def __init__(self, limit: float, spent: float = 0.0) -> None:
        self.limit = limit
        self.spent = spent
        self.reserved = 0.0
        self._open = 0
        self._change = asyncio.Event()

    async def reserve(self, amount: float) -> Reservation:
        """Set `amount` aside; waits while requests in flight may still return part of their reservations.

        Raises BudgetExhaustedError if it does not fit even when nothing is in flight.
        """
        while self.spent + self.reserved + amount > self.limit:
            if not self._open:
                raise BudgetExhaustedError(
                    f"the budget of {self.limit:.2f} is used up: {self.spent:.4f} is spent, and the next request may "
                    f"cost up to {amount:.4f}"
                )
            self._change.clear()
            await self._change.wait()
        self.reserved += amount
        self._open += 1
        return Reservation(self, amount)

    def _settled(self, reserved: float, cost: float) -> None:
        self._open -= 1
        # Exactly zero when nothing is open: sums of fractions would leave a rounding error.
        self.reserved = self.reserved - reserved if self._open else 0.0
        self.spent += cost
        self._change.set()
