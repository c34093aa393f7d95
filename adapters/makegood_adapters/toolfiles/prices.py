"""What a tool file may say of the price: one number, a table of cases, or so much for a unit of an input."""

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated

from pydantic import Field

from makegood_adapters.toolfiles.conditions import WhenField
from makegood_adapters.toolfiles.elements import Table

# Far above anything sensible: what a slip of the finger writes must not reach wallets.
CREDITS_MAX = 1_000_000

#: Credits for one unit; a fraction is taken as it is written, 0.1 is one tenth.
Rate = Annotated[float, Field(ge=0, le=CREDITS_MAX, allow_inf_nan=False)]


class PriceRule(Table):
    """A price in whole credits under a condition."""

    credits: int = Field(ge=0, le=CREDITS_MAX)
    when: WhenField


class RateRule(Table):
    """Credits for one unit under a condition."""

    credits: Rate
    when: WhenField


class PerUnit(Table):
    """So many credits for each unit of a number, rounded up to whole credits, `at_least` in any case.

    The rate is that of the first of `rules` that holds, else `credits`.
    """

    input: str = Field(min_length=1)
    credits: Rate
    at_least: int = Field(default=0, ge=0, le=CREDITS_MAX)
    rules: Annotated[tuple[RateRule, ...], Field(strict=False)] = ()

    def of(self, given: Mapping[str, object]) -> int:
        """Return the price for the inputs *given*, which have the number."""
        rate = next((r.credits for r in self.rules if r.when.holds(given)), self.credits)
        return self.cost(rate, given[self.input])

    def cost(self, rate: object, quantity: object) -> int:
        """Return what *quantity* units cost at *rate*."""
        # Through their text: binary fractions would make 3 times 0.1 more than 0.3, and that a credit more.
        exact = Fraction(str(rate)) * Fraction(str(quantity))
        return max(self.at_least, math.ceil(exact))


class Price(Table):
    """The price: that of the first rule that holds, else `per_unit` where it is given, else `default`."""

    default: int | None = Field(default=None, ge=0, le=CREDITS_MAX)
    per_unit: PerUnit | None = None
    rules: Annotated[tuple[PriceRule, ...], Field(strict=False)] = ()

    def of(self, given: Mapping[str, object]) -> int:
        """Return the price in whole credits for the inputs *given*."""
        for rule in self.rules:
            if rule.when.holds(given):
                return rule.credits
        return self.per_unit.of(given) if self.per_unit else self.default or 0
