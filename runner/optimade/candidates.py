"""Candidates from the entries of an answer."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import reduce
from math import gcd
from typing import Any

from runner.optimade.columns import AskedColumn
from runner.optimade.entries import LeftOut, read_cell
from runner.optimade.providers import Provider
from runner.optimade.snapshots import Snapshot
from schemas.candidate import Candidate
from schemas.columns import Column

GENERATOR = "optimade"
CANDIDATE_COLUMNS = (
    Column("database", "text", "Database of the candidate: its name, or its base URL."),
    Column("database_id", "text", "Id of the entry in its database."),
    Column("database_date", "text", "Day on which the database answered, UTC: 2026-03-01."),
)


def candidates_of(
    snapshot: Snapshot, provider: Provider, asked: Mapping[str, AskedColumn]
) -> Iterator[Candidate]:
    """Yield a candidate for each entry that is an ordered crystal, in the order of the answer.

    The choice holds a digest of the entry as it was answered: an entry that its database changed
    is another candidate, and scores of the former are not taken for it.
    """
    day = snapshot.day.isoformat()
    for entry in snapshot.entries():
        attributes = entry["attributes"]
        try:
            cell = read_cell(attributes)
        except LeftOut:
            continue  # counted when it was fetched, see `Snapshot.remarks`
        counts = dict(Counter(cell.species))
        yield Candidate(
            generator=GENERATOR,
            choice={
                "database": provider.key,
                "id": entry["id"],
                "entry_sha256": _digest(attributes),
            },
            composition=counts,
            build=cell.structure,
            formula=_formula(counts),
            extra={
                "database": provider.key,
                "database_id": entry["id"],
                "database_date": day,
                **{name: one.value(attributes) for name, one in asked.items()},
            },
        )


def left_out_of(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """Yield id and reason of each entry that gives no candidate."""
    for entry in snapshot.entries():
        try:
            read_cell(entry["attributes"])
        except LeftOut as why:
            yield entry["id"], str(why)


def _digest(attributes: Mapping[str, Any]) -> str:
    """Return 16 digits of the hash of what was answered, whatever its order."""
    text = json.dumps(attributes, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _formula(counts: Mapping[str, int]) -> str:
    common = reduce(gcd, counts.values())
    return "".join(f"{symbol}{n // common if n != common else ''}" for symbol, n in counts.items())
