"""Structures small enough to send along: whole numbers, the page draws them when asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runner.report.published import Published

MOST_CHARACTERS = 6_000_000
"""Of all structures together, before they are compressed some four times."""
MOST_ATOMS = 200
FRACTIONS = 1000
"""Positions are in thousandths of the vectors, vectors in thousandths of an angstrom."""

_QUERY = """
SELECT p.i, t.structure
FROM points AS p
JOIN (SELECT candidate_id, arg_max(structure, position) AS structure
      FROM (SELECT candidate_id, structure, list_position(?::VARCHAR[], stage) AS position
            FROM results WHERE structure IS NOT NULL)
      GROUP BY candidate_id) AS t ON t.candidate_id = p.candidate_id AND p.fate <> 4
ORDER BY p.fate, p.i
"""


def structures(published: Published, count: int) -> list[list[Any] | None]:
    """Return the last computed structure of each point, or None; needs the table `points`.

    They are [nine numbers of the cell, species, number of atoms of each, positions]. What would
    make the page too large is left out, complete candidates last.
    """
    found: list[list[Any] | None] = [None] * count
    room = MOST_CHARACTERS
    for row in published.rows(_QUERY, [list(published.stages)]):
        if room <= 0:
            break
        packed = pack(json.loads(row["structure"]))
        if packed is not None:
            found[row["i"]] = packed
            room -= len(json.dumps(packed, separators=(",", ":")))
    return found


def pack(structure: Mapping[str, Any]) -> list[Any] | None:
    """Return a structure in few characters, or None for one too large to be drawn."""
    species = structure["species"]
    if len(species) > MOST_ATOMS:
        return None
    names = list(dict.fromkeys(species))
    order = sorted(range(len(species)), key=lambda at: names.index(species[at]))
    positions = [
        round(x % 1 * FRACTIONS) % FRACTIONS for at in order for x in structure["frac_coords"][at]
    ]
    cell = [round(x * FRACTIONS) for vector in structure["lattice_ang"] for x in vector]
    return [cell, names, [species.count(name) for name in names], positions]
