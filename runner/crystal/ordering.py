"""Ordered cells of a disordered one: which atom sits where, up to symmetry.

Superlattices and colourings follow Hart and Forcade, Phys. Rev. B 77, 224115 (2008) and for several
sites Phys. Rev. B 80, 014120 (2009), doi:10.1103/PhysRevB.80.014120; here each site has its own
choice of elements.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from runner.crystal.colouring import Colouring, number_of
from runner.crystal.frame import ITSELF, Counts, Frame, Parent
from runner.crystal.superlattices import distinct_superlattices
from schemas.structure import Structure

MOST_COLOURINGS = 20_000_000
"""Arrangements that are looked at one by one, for one cell and composition: about half a minute."""
_SEARCHED = 200
"""Sizes that are tried to tell which one would fit."""


@dataclass(frozen=True)
class Ordering:
    """One ordered cell; `colouring` is None where there are too many to look at: `problem`."""

    frame: Frame
    amounts: Mapping[str, int]
    colouring: Colouring | None
    problem: str = ""

    def build(self) -> Structure:
        """Return the cell. Raises ValueError where there are too many to look at."""
        if self.colouring is None:
            raise ValueError(self.problem)
        return self.frame.structure(self.colouring.colours)


def orderings(
    parent: Parent,
    *,
    largest: int,
    superperiodic: bool,
    tolerance: float,
    sample: int | None = None,
    random: Random,
) -> Iterator[Ordering]:
    """Yield the ordered cells of up to `largest` parent cells, smaller ones first.

    A cell without a choice is its own only ordering. Of a primitive parent and without
    `superperiodic`, each ordering comes once, in its smallest cell. With `sample` only so many of
    each superlattice and composition, drawn by `random`.

    Raises
    ------
    ValueError
        When no cell holds the fractions within the tolerance, or there is no symmetry.
    """
    if not parent.classes:
        amounts = parent.amounts(1, ())
        yield Ordering(Frame(parent, ITSELF), amounts, Colouring((), 1))
        return
    none = True
    for size in range(1, largest + 1):
        compositions = list(parent.compositions(size, tolerance))
        none = none and not compositions
        refused: set[Counts] = set()
        rotations = list(parent.operations.rotations) if compositions else []
        for hermite in distinct_superlattices(size, rotations) if compositions else ():
            frame = Frame(parent, hermite)
            for counts in compositions:
                amounts = parent.amounts(size, counts)
                if not amounts:
                    continue
                if sample is None and number_of(counts) > MOST_COLOURINGS:
                    if counts not in refused:
                        refused.add(counts)
                        yield Ordering(frame, amounts, None, _too_many(counts))
                    continue
                found = frame.colourings(counts)
                for colouring in (
                    found.distinct(superperiodic=superperiodic)
                    if sample is None
                    else found.sample(sample, random, superperiodic=superperiodic)
                ):
                    yield Ordering(frame, amounts, colouring)
    if none:
        raise ValueError(_does_not_fit(parent, largest, tolerance))


def _too_many(counts: Counts) -> str:
    return (
        f"{number_of(counts):,} arrangements are more than the {MOST_COLOURINGS:,} that are looked "
        "at one by one; give sample, or fewer atoms"
    )


def _does_not_fit(parent: Parent, largest: int, tolerance: float) -> str:
    held = "; ".join(
        f"{occupants} on {len(sites)} site{'s' if len(sites) > 1 else ''}"
        for occupants, sites in parent.classes
    )
    sizes = range(largest + 1, _SEARCHED)
    fits = next((n for n in sizes if next(parent.compositions(n, tolerance), None)), None)
    n_sites = len(parent.cell)
    found = f"{n_sites} sites" if largest == 1 else f"up to {largest} times {n_sites} sites"
    remedy = f"max_atoms: {fits * n_sites} would do, or a larger" if fits else "give a larger"
    return f"no cell of {found} holds {held}; {remedy} occupancy_tolerance"
