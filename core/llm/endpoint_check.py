"""Probes a model once, for `sidequest models check`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.config.task import EndpointSettings, Price
from core.llm.capabilities import Capabilities, CapabilityStore
from core.llm.client import Client
from storage.schema import Outcome


@dataclass(frozen=True, slots=True)
class EndpointCheck:
    """The result of a check: `ok` with the capabilities, or `outcome` and `detail` that say why not.

    `seconds` is the time of the last answer, `tokens_per_s` its speed; None where the server reports no usage. `priced`
    says whether a budget can be set.
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
    """Probe `model`, whatever is stored about it, and store the result. One attempt: faults are returned at once."""
    client = Client(model, capabilities=capabilities, price_table=prices, max_retries=0)
    try:
        capabilities_found, answer = await client.probe()
    finally:
        await client.close()
    tokens, seconds = answer.usage.output_tokens, answer.usage.seconds
    return EndpointCheck(
        model=model.model,
        url=client.url,
        ok=capabilities_found is not None,
        outcome=answer.outcome,
        detail="" if answer.outcome is Outcome.WRITTEN else answer.detail,
        capabilities=capabilities_found,
        seconds=seconds,
        tokens_per_s=tokens / seconds if tokens and seconds > 0 else None,
        priced=model.model in prices,
    )
