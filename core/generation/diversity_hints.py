"""A hint for each idea, so that the examples of a cell do not resemble each other."""

from __future__ import annotations

import random

from core.generation.source import Request

_SETTINGS = (
    "a regional hospital group",
    "a software start-up of thirty people",
    "a national railway",
    "an online grocer",
    "a municipal administration",
    "a maker of machine tools",
    "a university",
    "an insurer for small firms",
    "a chain of hotels",
    "an energy co-operative",
    "a game studio",
    "a shipping line",
    "a bank in the country",
    "a publisher of textbooks",
    "a telecoms operator",
    "a farm supplier",
    "a charity that works abroad",
    "a maker of medical devices",
    "a marketplace for crafts",
    "a payment processor",
)
_CLAIMS = (
    "an effect of a change that was made",
    "a difference between two groups",
    "a trend over several periods",
    "the cause of a recent event",
    "a threshold that is or is not met",
    "the size of an effect",
    "an effect that is said to hold for everybody",
    "a comparison of two alternatives",
    "a prediction that has come due",
    "a side effect that nobody intended",
    "a condition under which something works",
    "how long an effect lasts",
)
_SOURCES = (
    "audits and inspection reports",
    "controlled trials and pilot projects",
    "surveys and interviews",
    "system logs and monitoring",
    "accounts and invoices",
    "complaints and support tickets",
    "reports by outside consultants",
    "minutes, memos and post-mortems",
    "public statistics",
    "measurements in the field",
)


def diversity_hint(request: Request) -> str:
    """The hint for the idea of `request`: the same for the same seed, cell, slot and idea."""
    cell = request.cell
    draw = random.Random(f"{request.seed}/{cell.domain}/{cell.level}/{cell.decision}/{request.slot}/{request.idea}")
    setting, claim, sources = draw.choice(_SETTINGS), draw.choice(_CLAIMS), draw.choice(_SOURCES)
    return f"{setting}; the claim is about {claim}; among the sources are {sources}"
