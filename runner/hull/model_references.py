"""Reference structures with the energies of one model: each is computed once, and kept."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from itertools import chain
from pathlib import Path
from typing import Literal

from runner.hull.competing import Pair, how_to_add
from runner.hull.facets import Entry
from runner.hull.reference_set import System, subsystems
from schemas.errors import UserError
from schemas.identity import candidate_id
from schemas.structure import Structure

FOLDER = "reference-energies"
SCHEMA_VERSION = 1
DIGITS = 12
"""Of the hash of weights, in the name of a folder."""


@dataclass(frozen=True)
class Evaluation:
    """How energies are computed: a model by its name and method key, on relaxed cells or not.

    `weights` is a hash of the model's weights: energies by others are kept apart.
    """

    model: str
    method: str
    relax: bool
    device: Literal["auto", "cpu", "cuda"]
    weights: str


class ModelReferences:
    """The references of a campaign by one model; see `reference_set.ReferenceSet`.

    Energies are computed when a chemical system asks for them. Those that were found are kept in
    a folder, one file each, so that neither a second process nor a second run computes them again.

    Parameters
    ----------
    structures : sequence of Structure
    evaluation : Evaluation
    cache : Path or None
        A folder of the user, or None: nothing is kept.
    """

    def __init__(
        self, structures: Sequence[Structure], evaluation: Evaluation, cache: Path | None
    ) -> None:
        self._evaluation = evaluation
        self._kept = cache and (
            cache
            / FOLDER
            / f"{evaluation.method.replace('/', '_')}-{evaluation.weights[:DIGITS]}"
            / ("relaxed" if evaluation.relax else "as-given")
        )
        self._structures: dict[frozenset[str], list[int]] = {}
        self._all = _once(structures)
        self._labels = _labels(self._all)
        for place, structure in enumerate(self._all):
            self._structures.setdefault(frozenset(structure.species), []).append(place)
        self._found: dict[int, Entry | str] = {}

    @property
    def method(self) -> str:
        """The method key of the model."""
        return self._evaluation.method

    def within(self, system: System) -> list[Entry]:
        """Return the entries whose elements are all of the system, in the order of the set."""
        self.prepare([system])
        found = (self._found[place] for place in self._places(system))
        return [entry for entry in found if isinstance(entry, Entry)]

    def holds(self, elements: frozenset[str]) -> bool:
        """Tell whether there is an entry of exactly these elements."""
        places = self._structures.get(elements, [])
        self._compute(places)
        return any(isinstance(self._found[place], Entry) for place in places)

    def remarks(self, system: System) -> list[str]:
        """Return which references of a system have no energy, and why."""
        self.prepare([system])
        found = ((self._labels[place], self._found[place]) for place in self._places(system))
        return [
            f"reference {label} left out: {why}" for label, why in found if isinstance(why, str)
        ]

    def prepare(self, systems: Iterable[System]) -> None:
        """Compute what these systems need and is not known yet, all at once."""
        self._compute({place for system in systems for place in self._places(system)})

    def remedy(self, pairs: Iterable[Pair]) -> str:
        """Return how binaries that are missing are added to it."""
        return how_to_add(pairs)

    def _places(self, system: System) -> list[int]:
        parts = chain.from_iterable(self._structures.get(p, ()) for p in subsystems(system))
        return sorted(parts)

    def _compute(self, places: Iterable[int]) -> None:
        wanted = sorted({*places} - self._found.keys())
        wanted = [place for place in wanted if not self._recall(place)]
        if not wanted:
            return
        with self._alone():
            # Another process may have computed them while this one waited.
            wanted = [place for place in wanted if not self._recall(place)]
            if wanted:
                self._evaluate(wanted)

    def _evaluate(self, places: Sequence[int]) -> None:
        from runner.ml import energies as models

        how = self._evaluation
        answers = models.energies(
            how.model,
            [self._all[place] for place in places],
            relax=how.relax,
            device=how.device,
        )
        for place, answer in zip(places, answers, strict=True):
            if answer.energy_ev_per_atom is None:
                self._found[place] = answer.error or "the model gives no energy"
            else:
                self._remember(place, answer.energy_ev_per_atom)

    def _remember(self, place: int, energy_ev_per_atom: float) -> None:
        self._found[place] = self._entry(place, energy_ev_per_atom)
        if self._kept is None:
            return
        path = self._file(self._kept, place)
        content = {
            "schema_version": SCHEMA_VERSION,
            "method": self.method,
            "relaxed": self._evaluation.relax,
            "formula": self._all[place].formula,
            "energy_ev_per_atom": energy_ev_per_atom,
        }
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            part.write_text(json.dumps(content) + "\n", encoding="utf-8")
            part.replace(path)
        except OSError as error:
            raise UserError(f"energies cannot be kept in {self._kept}: {error}") from error

    def _recall(self, place: int) -> bool:
        """Take an energy from the folder, if it is there."""
        if self._kept is None:
            return False
        try:
            content = json.loads(self._file(self._kept, place).read_text(encoding="utf-8"))
            energy = content["energy_ev_per_atom"]
        except (OSError, ValueError, KeyError, TypeError):
            return False  # not there, or not whole: computed again, and written anew
        if not isinstance(energy, float):
            return False
        self._found[place] = self._entry(place, energy)
        return True

    def _entry(self, place: int, energy_ev_per_atom: float) -> Entry:
        species = self._all[place].species
        amounts = {element: float(species.count(element)) for element in dict.fromkeys(species)}
        return Entry(amounts, energy_ev_per_atom, self._labels[place])

    def _file(self, folder: Path, place: int) -> Path:
        return folder / f"{candidate_id(self._all[place])}.json"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from computing the same energies at the same time."""
        if self._kept is None:
            yield
            return
        try:
            self._kept.mkdir(parents=True, exist_ok=True)
            lock = (self._kept / ".lock").open("w")
        except OSError as error:
            raise UserError(f"energies cannot be kept in {self._kept}: {error}") from error
        with lock:
            flock(lock, LOCK_EX)
            yield


def _once(structures: Sequence[Structure]) -> tuple[Structure, ...]:
    """Return structures that are the same cell only once."""
    return tuple({candidate_id(structure): structure for structure in structures}.values())


def _labels(structures: Sequence[Structure]) -> list[str]:
    """Return formulas, numbered where several structures have the same one."""
    seen: dict[str, int] = {}
    labels = []
    for structure in structures:
        formula = structure.formula
        seen[formula] = seen.get(formula, 0) + 1
        labels.append(formula if seen[formula] == 1 else f"{formula} ({seen[formula]})")
    return labels
