"""Whole numbers of atoms from amounts that may be fractions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import product
from math import gcd, lcm, prod

FINEST = 24
"""The largest denominator of a fraction: 0.333 is a third."""
MOST_STOICHIOMETRIES = 100_000


def check_amounts(labels: Iterable[str], amounts: Mapping[str, Sequence[float]]) -> None:
    """Raise ValueError unless every label has amounts, and they do not make too many ratios."""
    expected = tuple(labels)
    if set(amounts) != set(expected):
        raise ValueError(
            f"amounts are given for {', '.join(amounts) or 'none'}, "
            f"expected the labels of species: {', '.join(expected)}"
        )
    empty = [label for label, given in amounts.items() if not given]
    if empty:
        raise ValueError(f"amounts: {', '.join(empty)} has none; give at least one")
    number = prod(len(given) for given in amounts.values())
    if number > MOST_STOICHIOMETRIES:
        raise ValueError(
            f"amounts make {number:,} stoichiometries, expected at most {MOST_STOICHIOMETRIES:,}"
        )


def stoichiometries(
    labels: Iterable[str], amounts: Mapping[str, Sequence[float]]
) -> list[dict[str, int]]:
    """Return every combination of amounts as the smallest whole numbers, each ratio once.

    Labels come in the order of `labels`, the amounts of the last one change fastest.
    """
    order = tuple(labels)
    found = dict.fromkeys(_whole(one) for one in product(*(amounts[label] for label in order)))
    return [dict(zip(order, whole, strict=True)) for whole in found]


def _whole(amounts: Sequence[float]) -> tuple[int, ...]:
    fractions = [Fraction(amount).limit_denominator(FINEST) for amount in amounts]
    scale = lcm(*(fraction.denominator for fraction in fractions))
    whole = [int(fraction * scale) for fraction in fractions]
    divisor = gcd(*whole)
    return tuple(count // divisor for count in whole)
