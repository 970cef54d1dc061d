"""Distances of candidates to the hulls of a reference set, chemical system by chemical system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from runner.hull.competing import missing_binaries, named, possible_pairs
from runner.hull.facets import Hull, IncompleteHull, above
from runner.hull.fractions import fractions
from runner.hull.reference_set import ReferenceSet, System, subsystems
from runner.hull.scoring import Grouped, by_system
from runner.hull.stack import HullStack
from schemas.identity import canonical_json

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]


MOST_SYSTEMS = 20_000
"""Chemical systems whose hulls are remembered; a space may hold millions."""
MOST_COMPOSITIONS = 2**18


class Distances:
    """See `scoring.Comparison`. With `complete`, what lacks competing binaries is refused."""

    def __init__(self, references: ReferenceSet, *, complete: bool = True) -> None:
        self._references = references
        self._complete = complete
        self._forget()

    def prepare(self, systems: Sequence[System]) -> None:
        """Make the energies of all phases of these systems at hand."""
        if len(self._hulls) + len(systems) > MOST_SYSTEMS or len(self._lacks) > MOST_COMPOSITIONS:
            self._forget()
        self._references.prepare([system for system in systems if system not in self._hulls])

    def is_clear(self, system: System) -> bool:
        """Tell whether a system has its hull and all binaries that its compositions can ask for."""
        if system not in self._clear:
            self._clear[system] = (
                not isinstance(self.hull(system), str)
                and not self._references.remarks(system)
                and not self._needs_a_look(system)
            )
        return self._clear[system]

    def remarks(self, system: System) -> list[str]:
        """Return which phases of a system are left out of its hull."""
        return self._references.remarks(system)

    def refusals(self, system: System, atoms: Ints) -> list[str | None]:
        """Return for each row why there is no hull for it, or None."""
        hull = self.hull(system)
        if isinstance(hull, str):
            return [hull] * len(atoms)
        if not self._needs_a_look(system):
            return [None] * len(atoms)
        return [self._lacking(system, tuple(row)) for row in atoms.tolist()]

    def values(self, group: Grouped, energies_ev_per_atom: Floats) -> Floats:
        """Return distances in eV/atom; the systems of all rows have a hull."""
        import numpy as np

        places = np.zeros(len(group.systems), np.int64)
        for system in np.unique(group.which).tolist():
            places[system] = self._place(group.systems[system])
        x = fractions(group.atoms, group.systems[0])
        stack = self._stacks[len(group.systems[0])]
        return above(energies_ev_per_atom, stack.energy(places[group.which], x))

    def decompositions(self, batch: pa.RecordBatch, wanted: pa.BooleanArray) -> pa.StringArray:
        """Return as JSON the phases that compete with each wanted row, null for others."""
        import pyarrow as pa

        from runner.crystal.compositions import compositions

        texts: list[str | None] = [None] * batch.num_rows
        asked = wanted.to_pylist()
        for group in by_system(compositions(batch)):
            for row, place, atoms in zip(
                group.rows.tolist(), group.which.tolist(), group.atoms.tolist(), strict=True
            ):
                if asked[row]:
                    system = group.systems[place]
                    composition = dict(zip(system, atoms, strict=True))
                    parts = self._present(system).decomposition(composition)
                    texts[row] = canonical_json({name: round(x, 6) for name, x in parts.items()})
        return pa.array(texts, pa.string())

    def hull(self, system: System) -> Hull | str:
        """Return the hull of a chemical system, or why there is none."""
        if system not in self._hulls:
            try:
                self._hulls[system] = self._made(system)
            except IncompleteHull as error:
                self._hulls[system] = str(error)
        return self._hulls[system]

    def _present(self, system: System) -> Hull:
        hull = self.hull(system)
        if isinstance(hull, str):
            raise IncompleteHull(hull)
        return hull

    def _made(self, system: System) -> Hull:
        entries = self._references.within(system)
        alone = {next(iter(e.composition)) for e in entries if len(e.composition) == 1}
        missing = [element for element in system if element not in alone]
        if missing:
            raise IncompleteHull(
                f"the reference set ({self._references.method}) has no energy of "
                f"{', '.join(missing)} alone"
            )
        return Hull.of(entries)

    def _place(self, system: System) -> int:
        """Return where the hull of a system stands in the stack of systems of its size."""
        if system not in self._places:
            stack = self._stacks.setdefault(len(system), HullStack(len(system)))
            self._places[system] = stack.add(self._present(system))
        return self._places[system]

    def _forget(self) -> None:
        self._hulls: dict[System, Hull | str] = {}
        self._clear: dict[System, bool] = {}
        self._partial: dict[System, bool] = {}
        self._places: dict[System, int] = {}
        self._stacks: dict[int, HullStack] = {}
        self._lacks: dict[tuple[System, tuple[int, ...]], str | None] = {}

    def _needs_a_look(self, system: System) -> bool:
        """Tell whether some composition of the system might ask for what is not there."""
        if system not in self._partial:
            pairs = possible_pairs(system)
            covered = bool(pairs) and all(map(self._references.holds, pairs))
            self._partial[system] = self._complete and len(system) > 1 and not covered
        return self._partial[system]

    def _lacking(self, system: System, atoms: tuple[int, ...]) -> str | None:
        """Return what is missing to judge a composition, and what to do about it, or None."""
        key = system, atoms
        if key not in self._lacks:
            self._lacks[key] = self._found_lacking(system, atoms)
        return self._lacks[key]

    def _found_lacking(self, system: System, atoms: tuple[int, ...]) -> str | None:
        has = self._references.holds
        missing = missing_binaries(dict(zip(system, atoms, strict=True)), has)
        if missing:
            what = f"no binary of {named(missing)}, which {_compete(missing)}"
        elif any(len(part) > 1 and has(part) for part in subsystems(system)):
            return None
        else:
            what = f"elements alone and no compound of {', '.join(system)}"
        return (
            f"the reference set ({self._references.method}) has {what}; "
            f"{self._references.remedy(missing)}; or say `missing_binaries: allow`"
        )


def _compete(pairs: tuple[object, ...]) -> str:
    return "competes with it" if len(pairs) == 1 else "compete with it"
