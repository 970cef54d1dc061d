"""How likely one ion takes the place of another in a crystal, from substitutions that are known.

Hautier, Fischer, Ehrlacher, Jain and Ceder, Inorg. Chem. 50, 656 (2011), doi:10.1021/ic102031h; the
weights are those that pymatgen ships.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property
from itertools import combinations_with_replacement
from math import exp, prod
from typing import Any, TypeAlias

from runner.crystal.radii import ion_name

Ion: TypeAlias = tuple[str, int]
"""Symbol and oxidation state."""
UNSEEN = -5.0
"""The weight of a pair of ions that the data do not hold: the authors' choice."""


class IonicSimilarity:
    """Probabilities p(new | old) = exp(w(new, old)) / sum over all ions of exp(w(ion, old))."""

    def __init__(self, weights: Mapping[frozenset[Ion], float]) -> None:
        self._weights = weights
        self._ranked: dict[Ion, tuple[tuple[float, Ion], ...]] = {}

    @cached_property
    def ions(self) -> tuple[Ion, ...]:
        """All ions that the data hold, sorted by symbol and state."""
        return tuple(sorted({ion for pair in self._weights for ion in pair}))

    def ranked(self, old: Ion) -> tuple[tuple[float, Ion], ...]:
        """Return the probability of every ion in the place of this one, the likeliest first.

        The ion itself is among them. Those alike are in the order of their symbols.

        Raises
        ------
        ValueError
            When the data do not hold the ion.
        """
        known = self._ranked.get(old)
        if known is None:
            if old not in self.ions:
                raise ValueError(f"{ion_name(*old)} is not among the ions of the data")
            likeness = {
                new: exp(self._weights.get(frozenset((old, new)), UNSEEN)) for new in self.ions
            }
            total = sum(likeness.values())
            known = tuple(
                sorted(
                    ((value / total, new) for new, value in likeness.items()),
                    key=lambda entry: (-entry[0], entry[1]),
                )
            )
            self._ranked[old] = known
        return known

    def substitutions(
        self, old: Sequence[Ion], atoms: Sequence[int], rules: Rules
    ) -> list[tuple[float, tuple[Ion, ...]]]:
        """Return the ions that may take the places of these, and how likely all of them do.

        The probability is the product over all ions, those that stay too, as the authors have it.
        No element comes in two places. The likeliest come first, those alike in the order of their
        ions; leaving all as it is is not among them.

        Parameters
        ----------
        old, atoms
            The ions of a compound, and the atoms of each.
        rules
            What is allowed.

        Raises
        ------
        ValueError
            When the data do not hold one of the ions.
        """
        options = [
            [
                (probability, new)
                for probability, new in self.ranked(ion)
                if probability >= rules.threshold and rules.allows(ion, new)
            ]
            for ion in old
        ]
        if not all(options):
            return []
        best = [max(probability for probability, _ in of) for of in options]
        found = [
            (probability, ions)
            for probability, ions in _extended(tuple(old), options, best, rules)
            if ions != tuple(old) and rules.balances(old, ions, atoms)
        ]
        return sorted(found, key=lambda entry: (-entry[0], entry[1]))


class Rules:
    """Which substitutions are made.

    Parameters
    ----------
    threshold
        The least probability.
    most
        How many ions may be replaced at once.
    kept
        Elements that stay.
    allowed
        Elements that may come; None for all.
    balanced
        Whether the charges have to add up to what they did.
    """

    def __init__(
        self,
        *,
        threshold: float,
        most: int,
        kept: frozenset[str] = frozenset(),
        allowed: frozenset[str] | None = None,
        balanced: bool = True,
    ) -> None:
        self.threshold = threshold
        self.most = most
        self._kept = kept
        self._allowed = allowed
        self._balanced = balanced

    def allows(self, old: Ion, new: Ion) -> bool:
        """Tell whether an ion may come in the place of another; the same one always may."""
        if new == old:
            return True
        # Another state of the same element makes no other structure.
        if old[0] in self._kept or new[0] == old[0]:
            return False
        return self._allowed is None or new[0] in self._allowed

    def balances(self, old: Sequence[Ion], new: Sequence[Ion], atoms: Sequence[int]) -> bool:
        """Tell whether the charges add up to what they did, where that is asked for."""
        before, now = (
            sum(state * n for (_, state), n in zip(ions, atoms, strict=True)) for ions in (old, new)
        )
        return before == now or not self._balanced


@cache
def ionic_similarity() -> IonicSimilarity:
    """Return the probabilities from pymatgen's table of weights, loaded once."""
    from pymatgen.core import Species
    from pymatgen.core.structure_prediction.substitution_probability import SubstitutionProbability

    table: Any = SubstitutionProbability()  # type: ignore[no-untyped-call]  # ships without types
    ions = {
        one: (str(one.symbol), int(one.oxi_state))
        for one in table.species
        if isinstance(one, Species) and one.oxi_state is not None
    }
    return IonicSimilarity(
        {
            frozenset((ions[one], ions[other])): weight
            for one, other in combinations_with_replacement(ions, 2)
            if (weight := float(table.get_lambda(one, other))) != UNSEEN
        }
    )


def _extended(
    old: tuple[Ion, ...],
    options: Sequence[Sequence[tuple[float, Ion]]],
    best: Sequence[float],
    rules: Rules,
    chosen: tuple[tuple[float, Ion], ...] = (),
) -> Iterator[tuple[float, tuple[Ion, ...]]]:
    """Yield the choices of one option each that stay above the threshold."""
    position = len(chosen)
    so_far = prod(probability for probability, _ in chosen)
    if position == len(old):
        yield so_far, tuple(ion for _, ion in chosen)
        return
    rest = prod(best[position + 1 :])
    replaced = sum(ion != before for (_, ion), before in zip(chosen, old, strict=False))
    for probability, ion in options[position]:
        if so_far * probability * rest < rules.threshold:
            break  # the others are less likely
        if ion != old[position] and replaced == rules.most:
            continue
        if any(ion[0] == other[0] for _, other in chosen):
            continue
        yield from _extended(old, options, best, rules, (*chosen, (probability, ion)))
