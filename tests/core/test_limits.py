"""Requests in flight, per minute, and for money."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config.task import EndpointSettings, Price
from core.llm.client import backoff
from core.llm.limits import (
    Budget,
    BudgetExhaustedError,
    Faltered,
    Flow,
    FlowEvent,
    Limited,
    LimitPolicy,
    RequestLimiter,
    Reservation,
    Succeeded,
    first_flow,
    next_limit,
)
from core.llm.prices import UnpricedError, cost, highest_cost, price_of

pytestmark = pytest.mark.pure

PACE = LimitPolicy()


def flow_after(flow: Flow, *events: FlowEvent) -> Flow:
    for event in events:
        flow = next_limit(flow, event, PACE)
    return flow


def test_it_starts_at_20_or_at_the_ceiling() -> None:
    assert first_flow(64, PACE).allowed == 20
    assert first_flow(8, PACE).allowed == 8


def test_it_doubles_while_nothing_goes_wrong() -> None:
    flow = first_flow(64, PACE)
    flow = flow_after(flow, *[Succeeded(busy=True)] * 5)
    assert flow.allowed == 40
    assert flow_after(flow, *[Succeeded(busy=True)] * 10).allowed == 64


def test_an_idle_limit_does_not_grow() -> None:
    assert flow_after(first_flow(64, PACE), *[Succeeded(busy=False)] * 100).allowed == 20


def test_a_429_cuts_to_four_fifths_and_pauses() -> None:
    flow = flow_after(first_flow(64, PACE), Limited(now=100.0, sent=99.0))
    assert (flow.allowed, flow.paused_until) == (16, 115.0)


def test_retry_after_makes_the_pause_longer_never_shorter() -> None:
    assert flow_after(first_flow(64, PACE), Limited(100.0, 99.0, 60.0)).paused_until == 160.0
    assert flow_after(first_flow(64, PACE), Limited(100.0, 99.0, 1.0)).paused_until == 115.0


def test_a_burst_of_429s_cuts_once() -> None:
    burst = [Limited(100.0 + i / 100, 99.0) for i in range(20)]
    assert flow_after(first_flow(64, PACE), *burst).allowed == 16
    assert flow_after(first_flow(64, PACE), *burst, Limited(120.0, 119.0)).allowed == 12


def test_after_a_429_it_grows_by_five_percent_a_clean_round() -> None:
    flow = flow_after(Flow(limit=40.0, ceiling=64), Limited(0.0, 0.0), *[Succeeded(busy=True)] * 31)
    assert flow.limit == 32.0
    assert flow_after(flow, Succeeded(busy=True)).limit == pytest.approx(33.6)


def test_a_server_error_starts_the_round_again() -> None:
    flow = flow_after(first_flow(64, PACE), *[Succeeded(busy=True)] * 4, Faltered(), *[Succeeded(busy=True)] * 4)
    assert flow.allowed == 20
    assert flow_after(flow, Succeeded(busy=True)).allowed == 40


events = st.one_of(
    st.builds(Succeeded, st.booleans()),
    st.just(Faltered()),
    st.builds(Limited, st.floats(0, 1e6), st.floats(0, 1e6), st.none() | st.floats(0, 1e4)),
)


@given(st.integers(1, 1024), st.lists(events, max_size=300))
def test_the_limit_stays_within_1_and_the_ceiling(ceiling: int, happened: list[FlowEvent]) -> None:
    flow = first_flow(ceiling, PACE)
    for event in happened:
        previous, flow = flow, next_limit(flow, event, PACE)
        assert 1 <= flow.allowed <= ceiling
        assert flow.paused_until >= previous.paused_until
        if isinstance(event, Limited):
            assert flow.limit <= previous.limit


@given(st.integers(0, 50), st.floats(0, 1))
def test_backoff_is_bounded_and_never_nothing(tried: int, chance: float) -> None:
    assert 0 < backoff(tried, PACE, chance) <= PACE.backoff_max_s


def limiter(pace: LimitPolicy = PACE, **settings: int) -> RequestLimiter:
    return RequestLimiter(EndpointSettings(model="m", **settings), pace)


async def test_no_more_pass_than_the_limit_allows() -> None:
    request_limiter = limiter(LimitPolicy(start=3))
    most = 0

    async def pass_through() -> None:
        nonlocal most
        async with request_limiter.acquire(1):
            most = max(most, request_limiter.in_flight)
            await asyncio.sleep(0.001)

    await asyncio.gather(*(pass_through() for _ in range(30)))
    assert most == 3
    assert request_limiter.in_flight == 0


async def test_a_cancelled_waiter_takes_no_place() -> None:
    request_limiter = limiter(LimitPolicy(start=1))
    async with request_limiter.acquire(1):
        waiting = asyncio.create_task(pass_through(request_limiter))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(1), request_limiter.acquire(1):
        assert request_limiter.in_flight == 1
    assert request_limiter.in_flight == 0


async def test_a_waiter_cancelled_as_its_turn_comes_gives_the_place_on() -> None:
    request_limiter = limiter(LimitPolicy(start=1))
    async with request_limiter.acquire(1):
        first, second = (
            asyncio.create_task(pass_through(request_limiter)),
            asyncio.create_task(pass_through(request_limiter)),
        )
        await asyncio.sleep(0)
    first.cancel()
    async with asyncio.timeout(1):
        await asyncio.gather(first, second, return_exceptions=True)
    assert first.cancelled()
    assert request_limiter.in_flight == 0


async def pass_through(request_limiter: RequestLimiter) -> None:
    async with request_limiter.acquire(1):
        await asyncio.sleep(0)


async def test_a_pause_holds_everybody_back() -> None:
    request_limiter = limiter(LimitPolicy(pause_s=0.2))
    loop = asyncio.get_running_loop()
    started = loop.time()
    request_limiter.report(Limited(started, started))
    async with request_limiter.acquire(1):
        assert loop.time() - started >= 0.19


async def test_requests_per_minute() -> None:
    request_limiter = limiter(requests_per_minute=600)
    started = asyncio.get_running_loop().time()
    for _ in range(13):
        async with request_limiter.acquire(1):
            pass
    # 10 at once, then one every 0.1 s.
    assert 0.25 <= asyncio.get_running_loop().time() - started < 2


async def test_tokens_per_minute_also_for_a_request_above_a_seconds_worth() -> None:
    request_limiter = limiter(tokens_per_minute=60_000)
    started = asyncio.get_running_loop().time()
    async with request_limiter.acquire(1300):
        pass
    assert 0.25 <= asyncio.get_running_loop().time() - started < 2


async def test_an_estimate_that_was_too_low_is_made_up_for() -> None:
    request_limiter = limiter(tokens_per_minute=60_000)
    async with request_limiter.acquire(100):
        request_limiter.report_success(100, 600, 600)
    started = asyncio.get_running_loop().time()
    async with request_limiter.acquire(100):
        pass
    assert asyncio.get_running_loop().time() - started >= 0.25


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 1)), max_size=40))
async def test_spent_and_reserved_stay_within_the_budget(requests: list[tuple[float, float]]) -> None:
    budget = Budget(10.0)
    reservations: list[tuple[Reservation, float]] = []
    for amount, share in requests:
        while reservations and budget.spent + budget.reserved + amount > budget.limit:
            reservation, cost_of = reservations.pop(0)
            reservation.settle(cost_of)
        try:
            reservations.append((await budget.reserve(amount), amount * share))
        except BudgetExhaustedError:
            assert budget.spent + amount > budget.limit
        assert budget.spent + budget.reserved <= budget.limit + 1e-9
        assert budget.reserved >= 0


async def test_a_request_waits_for_what_others_give_back() -> None:
    budget = Budget(1.0)
    first = await budget.reserve(0.9)
    second = asyncio.create_task(budget.reserve(0.5))
    await asyncio.sleep(0)
    assert not second.done()
    first.settle(0.1)
    await second
    assert (budget.spent, budget.reserved) == (0.1, 0.5)


async def test_the_budget_ends_when_nothing_can_be_given_back() -> None:
    budget = Budget(1.0, spent=0.95)
    with pytest.raises(BudgetExhaustedError, match=r"the budget of 1.00 is used up: 0.9500 is spent"):
        await budget.reserve(0.1)


async def test_settling_twice_counts_once() -> None:
    budget = Budget(1.0)
    reservation = await budget.reserve(0.5)
    reservation.settle(0.2)
    reservation.settle(0.2)
    reservation.settle(0.0)
    assert (budget.spent, budget.reserved) == (0.2, 0.0)


PRICE = Price(input=Decimal(15), output=Decimal(60))


def test_cost_is_unknown_where_anything_is() -> None:
    assert cost(PRICE, 1_000_000, 500_000) == 45.0
    assert cost(None, 10, 10) is None
    assert cost(PRICE, None, 10) is None
    assert cost(PRICE, 10, None) is None


def test_a_reservation_covers_the_request() -> None:
    assert highest_cost(PRICE, 4000, 1000) >= (cost(PRICE, 1000, 1000) or 0)


def test_a_budget_needs_a_price() -> None:
    assert price_of({}, "m", budgeted=False) is None
    with pytest.raises(UnpricedError, match=r"add \[prices\.'m'\]"):
        price_of({}, "m", budgeted=True)
