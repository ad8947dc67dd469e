"""Asks a model once, for `sidequest models check`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.config.task import EndpointSettings, Price
from core.llm.capabilities import Capabilities, CapabilityStore
from core.llm.client import Client
from storage.schema import Outcome


@dataclass(frozen=True, slots=True)
class EndpointCheck:
    """What came of asking a model. `ok` with its capabilities, or `outcome` and `detail` that say why not.

    `seconds` is the time of the last answer, `tokens_per_s` its speed; None where the server reports no usage.
    `priced` tells whether a budget can be set.
    """

    model: str
    url: str
    ok: bool
    outcome: Outcome
    detail: str
    capabilities: Capabilities | None
    seconds: float
    tokens_per_s: float | None
    priced: bool


async def check_endpoint(
    model: EndpointSettings, *, capabilities: CapabilityStore, prices: Mapping[str, Price]
) -> EndpointCheck:
    """Probe `model` whatever is remembered of it, and remember what is found. One try: faults come back at once."""
    client = Client(model, capabilities=capabilities, price_table=prices, max_retries=0)
    try:
        found, answer = await client.probe()
    finally:
        await client.close()
    tokens, seconds = answer.usage.output_tokens, answer.usage.seconds
    return EndpointCheck(
        model=model.model,
        url=client.url,
        ok=found is not None,
        outcome=answer.outcome,
        detail="" if answer.outcome is Outcome.WRITTEN else answer.detail,
        capabilities=found,
        seconds=seconds,
        tokens_per_s=tokens / seconds if tokens and seconds > 0 else None,
        priced=model.model in prices,
    )
