"""Money: what a request cost, and what it can cost at most."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from core.config.task import Price
from storage.errors import UserError

_MILLION = Decimal(1_000_000)
# A token of ordinary text has about four characters; text with other scripts or many figures has fewer.
_CHARACTERS_A_TOKEN = 4
_CAUTIOUS_CHARACTERS_A_TOKEN = 2


class UnpricedError(UserError, ValueError):
    """A budget is set, but a model has no price, so that nobody could tell when the budget is spent."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"a budget is set, but the model {model!r} has no price: add [prices.{model!r}] with input and output "
            "(money for a million tokens) to sidequest.toml, or drop the budget"
        )


def cost(price: Price | None, input_tokens: int | None, output_tokens: int | None) -> float | None:
    """The cost of a request in the currency of the price table; None, never zero, where anything is unknown."""
    if price is None or input_tokens is None or output_tokens is None:
        return None
    return float((price.input * input_tokens + price.output * output_tokens) / _MILLION)


def highest_cost(price: Price, characters: int, max_output_tokens: int) -> float:
    """The most that a request with a prompt of `characters` can cost, for a reservation."""
    return float(
        (price.input * (characters // _CAUTIOUS_CHARACTERS_A_TOKEN + 1) + price.output * max_output_tokens) / _MILLION
    )


def estimate_tokens(characters: int) -> int:
    """About how many tokens a text of `characters` characters has."""
    return characters // _CHARACTERS_A_TOKEN + 1


def price_of(prices: Mapping[str, Price], model: str, *, budgeted: bool) -> Price | None:
    """The price of `model`, or None. Raises UnpricedError if it has none and there is a budget."""
    price = prices.get(model)
    if price is None and budgeted:
        raise UnpricedError(model)
    return price
