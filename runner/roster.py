"""The survivors of a screening in a file, to be gone over again and again without being held.

One JSON text a line, in the order in which the screening let them go. The file appears when the
screening is complete, in the place of an earlier one.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.screening import Survivor
from runner.selection import Step
from schemas.candidate import Candidate
from schemas.structure import Structure


@dataclass(frozen=True)
class Roster:
    """Survivors in a file; every iteration reads it anew.

    `ranks` holds the place of each, best first (0), in the order of the file.
    """

    path: Path
    ranks: Sequence[int]

    def __len__(self) -> int:
        return len(self.ranks)

    def __iter__(self) -> Iterator[Survivor]:
        with self.path.open(encoding="utf-8") as lines:
            for line in lines:
                yield _survivor(json.loads(line))

    def ranked(self) -> Iterator[tuple[int, Survivor]]:
        """Yield the survivors with their ranks."""
        return zip(self.ranks, self, strict=True)


def write_roster(path: Path, survivors: Iterable[Survivor], steps: Sequence[Step]) -> Roster:
    """Write survivors to a file as they come, and return it.

    They are ranked by what the last step compares that compares anything (`top`, `diverse`, the
    first column of `pareto`), those without a value last; else by their order.
    """
    ranking = next((step.compared for step in reversed(steps) if step.compared), None)
    column, order = next(iter(ranking.items())) if ranking else (None, "ascending")
    sign = 1.0 if order == "ascending" else -1.0
    values = array("d")
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            for survivor in survivors:
                file.write(json.dumps(_line(survivor)))
                file.write("\n")
                values.append(sign * _value(survivor, column))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return Roster(path, _ranks(values))


def _value(survivor: Survivor, column: str | None) -> float:
    if column is None:
        return 0.0
    value = survivor.scores.get(column)
    if value is None:
        value = survivor.candidate.row().get(column)
    known = isinstance(value, int | float) and not math.isnan(value)
    return float(value) if known else math.nan  # type: ignore[arg-type]  # a number where it is known


def _ranks(values: array[float]) -> array[int]:
    """Return the place of each value in the order of all: ties as they came, unknown ones last."""
    import numpy as np

    ranks = array("i", bytes(4 * len(values)))
    # NaN goes last in numpy's order.
    best_first = np.argsort(np.array(values), kind="stable")
    for rank, place in enumerate(best_first):
        ranks[place] = rank
    return ranks


def _line(survivor: Survivor) -> dict[str, Any]:
    candidate = survivor.candidate
    return {
        "row": survivor.row,
        "id": survivor.candidate_id,
        "control": survivor.control,
        "scores": dict(survivor.scores),
        "generator": candidate.generator,
        "choice": dict(candidate.choice),
        "composition": dict(candidate.composition),
        "formula": candidate.formula,
        # Prototypes choose their sites: written once.
        "sites": None if candidate.sites is candidate.choice else dict(candidate.sites),
        "extra": dict(candidate.extra),
        "structure": vars(candidate.structure),
    }


def _survivor(line: Mapping[str, Any]) -> Survivor:
    structure = Structure.model_validate(line["structure"])
    candidate = Candidate(
        generator=line["generator"],
        choice=line["choice"],
        composition=line["composition"],
        build=lambda: structure,
        formula=line["formula"],
        sites=line["choice"] if line["sites"] is None else line["sites"],
        extra=line["extra"],
    )
    return Survivor(line["row"], candidate, line["id"], line["control"], line["scores"])
