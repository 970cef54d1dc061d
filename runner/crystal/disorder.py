"""Cells with sites that hold several elements: as files give them, or made from an ordered cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum

from runner.crystal.elements import ATOMIC_NUMBERS, SYMBOLS, symbol_problem
from schemas.structure import Structure, Vector

VACANCY = "vacancy"
FULL = 1.0
"""Occupation of a site that is never empty."""
_ROUNDING = 5e-3
"""Occupancies of files have two or three digits: sums may be off by so much."""


@dataclass(frozen=True, slots=True)
class Occupants:
    """What a site may hold, `vacancy` too; `fractions` sum up to 1, None means any.

    `fractional` and `any_of` put the symbols into one order, so that equal ones are equal.
    """

    symbols: tuple[str, ...]
    fractions: tuple[float, ...] | None = None

    @property
    def ordered(self) -> bool:
        """Whether there is no choice."""
        return len(self.symbols) == 1

    def counts(self, n_sites: int, tolerance: float) -> tuple[int, ...] | None:
        """Return how many of `n_sites` sites hold each, or None where fractions do not fit.

        They fit when each number of sites is off by at most `tolerance` of all sites.
        """
        if self.fractions is None:
            return None
        wanted = [round(fraction * n_sites, 9) for fraction in self.fractions]
        counts = [int(x) for x in wanted]
        # What is left goes to the largest remainders.
        order = sorted(range(len(wanted)), key=lambda k: (counts[k] - wanted[k], k))
        for k in order[: n_sites - sum(counts)]:
            counts[k] += 1
        off = max(abs(n - x) for n, x in zip(counts, wanted, strict=True))
        return tuple(counts) if off <= tolerance * n_sites + 1e-9 else None

    def __str__(self) -> str:
        if self.fractions is None:
            return " or ".join(self.symbols)
        return ", ".join(
            f"{symbol} {fraction:g}"
            for symbol, fraction in zip(self.symbols, self.fractions, strict=True)
        )


@dataclass(frozen=True, slots=True)
class DisorderedCell:
    """A periodic cell with what each site may hold; arrays as in `schemas.structure.Structure`.

    `moments_bohr` are those of sites without a choice that had one, else 0.
    """

    lattice_ang: tuple[Vector, Vector, Vector]
    sites: tuple[Occupants, ...]
    frac_coords: tuple[Vector, ...]
    moments_bohr: tuple[float, ...] | None = None
    charge: float = 0.0

    @property
    def formula(self) -> str:
        """The atoms of the cell, in the order of the sites: `SrTi0.5Zr0.5O3`; any: equal parts."""
        amounts: dict[str, list[float]] = {}
        for site in self.sites:
            fractions = site.fractions or (FULL / len(site.symbols),) * len(site.symbols)
            for symbol, fraction in zip(site.symbols, fractions, strict=True):
                if symbol != VACANCY:
                    amounts.setdefault(symbol, []).append(fraction)
        sums = {symbol: round(fsum(parts), 4) for symbol, parts in amounts.items()}
        return "".join(symbol if n == 1 else f"{symbol}{n:g}" for symbol, n in sums.items())


def fractional(given: Mapping[str, float]) -> Occupants:
    """Return occupants from the fraction of each element; what is missing to 1 is vacancy.

    Raises
    ------
    ValueError
        For fractions that are not above 0 or sum up to more than 1, and texts that are no element.
    """
    _check(tuple(given))
    if any(fraction <= 0.0 for fraction in given.values()):
        raise ValueError("fractions are numbers above 0")
    total = fsum(given.values())
    if total > FULL + _ROUNDING:
        raise ValueError(f"fractions sum up to {total:g}, expected at most 1")
    fractions = dict(given)
    if total < FULL - _ROUNDING:
        fractions[VACANCY] = fractions.get(VACANCY, 0.0) + FULL - total
        total = FULL
    symbols = _in_order(fractions)
    if len(symbols) == 1:
        return Occupants(symbols)
    return Occupants(symbols, tuple(fractions[symbol] / total for symbol in symbols))


def any_of(symbols: Sequence[str]) -> Occupants:
    """Return occupants in any proportion. Raises ValueError like `fractional`."""
    _check(symbols)
    if len(symbols) < 2 or len(set(symbols)) < len(symbols):  # noqa: PLR2004  (a choice)
        raise ValueError("at least two elements, each once; or their fractions: {Ti: 0.5, Zr: 0.5}")
    return Occupants(_in_order(symbols))


def disordered(structure: Structure) -> DisorderedCell:
    """Return an ordered structure as a cell without a choice."""
    return DisorderedCell(
        structure.lattice_ang,
        tuple(Occupants((symbol,)) for symbol in structure.species),
        structure.frac_coords,
        structure.moments_bohr,
        structure.charge,
    )


def replaced(cell: DisorderedCell, occupants: Mapping[str, Occupants]) -> DisorderedCell:
    """Return the cell with a choice on the sites that hold nothing but one of some elements.

    Raises
    ------
    ValueError
        For an element that no such site holds.
    """
    held = {site.symbols[0] for site in cell.sites if site.ordered}
    missing = [symbol for symbol in occupants if symbol not in held]
    if missing:
        raise ValueError(f"has no site of {', '.join(missing)} alone, which `replace` names")
    sites = tuple(
        occupants.get(site.symbols[0], site) if site.ordered else site for site in cell.sites
    )
    moments = cell.moments_bohr
    kept = None if moments is None else moments_without_choice(moments, sites)
    return replace(cell, sites=sites, moments_bohr=kept)


def moments_without_choice(
    moments_bohr: Sequence[float], sites: Sequence[Occupants]
) -> tuple[float, ...]:
    """Return the moments by site, 0 where the element is open."""
    return tuple(x if site.ordered else 0.0 for x, site in zip(moments_bohr, sites, strict=True))


def _in_order(symbols: Iterable[str]) -> tuple[str, ...]:
    """Return symbols by atomic number, vacancy last."""
    return tuple(sorted(symbols, key=lambda one: ATOMIC_NUMBERS.get(one, len(SYMBOLS) + 1)))


def _check(symbols: Sequence[str]) -> None:
    if not symbols:
        raise ValueError("at least one element")
    if problem := symbol_problem([symbol for symbol in symbols if symbol != VACANCY]):
        raise ValueError(f"{problem}; an empty site is called {VACANCY}")
