"""The ledger as Arrow tables, made of the bytes in which a store holds it.

They have the rows of `runner.ledger_rows`, for many candidates at once and without a Python object
for each value.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fireworks_ext import raw
from fireworks_ext.ledger import SECONDS_PER_HOUR
from fireworks_ext.store import Store
from runner.export.arrays import array, read_fields, texts
from runner.export.fields import Fields, Numbers, Values, fields
from runner.export.json_arrays import distinct
from runner.export.rows import NameOf
from runner.export.structures import structure_texts
from schemas.columns import Column, ColumnType, arrow_schema, arrow_type
from schemas.errors import UserError
from schemas.ledger import StageState
from schemas.tables import PARTITIONS, RESULTS

ATTEMPTS = "attempts"
PAGE = 4096
"""Candidates that are read at a time: some 12 MB, with the results of a stage."""

Arrays = dict[str, pa.Array]

_ENTRY: Mapping[str, ColumnType] = {
    "key": "text", "state": "text", "cached": "bool", "deviation": "text", "failure": "text",
    "reason": "text",
}  # fmt: skip
_RESULT: Mapping[str, ColumnType] = {
    "engine": "text", "task": "text", "program": "text", "started_at": "timestamp",
    "finished_at": "timestamp", "walltime_s": "float", "cores": "int", "attempt": "int",
    "usd_per_core_hour": "float", "artefacts": "text", "recovery": "json", "schema_version": "int",
}  # fmt: skip
_FAILED: Mapping[str, ColumnType] = {
    "started_at": "timestamp", "finished_at": "timestamp", "walltime_s": "float",
    "core_hours": "float", "usd_per_core_hour": "float", "cores": "int", "attempt": "int",
    "directory": "text",
}  # fmt: skip
"""What the row of a failure has from its last attempt."""
_ATTEMPT = Column("attempt", "int", "")
_SETTLED = [one.value for one in StageState if one.settled]
_CELL = pa.struct({"elements": pa.list_(pa.string()), "n_atoms": pa.int64()})


@dataclass(frozen=True)
class Members:
    """A page of candidates, as a store holds them."""

    documents: raw.RawDocuments

    @cached_property
    def _found(self) -> Fields:
        names = ("id", "formula", "structure", "member", "stages")
        return fields(self.documents.data, self.documents.starts, names)

    @cached_property
    def ids(self) -> pa.Array:
        """Who they are."""
        return texts(self._found["id"])

    @cached_property
    def columns(self) -> Arrays:
        """What a row has from its candidate."""
        species = self._found["structure"].inner(("species",))["species"]
        cells = distinct(species, _cell, _CELL)
        return {
            "candidate_id": self.ids,
            "formula": texts(self._found["formula"]),
            "elements": cells.field(0),
            "n_atoms": cells.field(1),
        }

    def settled(self, stage: str) -> tuple[Numbers, Arrays]:
        """Return which members are settled at a stage, and what the ledger says of it."""
        entries = self._found["stages"].inner((stage,))[stage].inner(_ENTRY)
        member = array(self._found["member"], Column("member", "bool", ""), self.name_of)
        states = texts(entries["state"])
        there = pc.and_(member, pc.is_in(states, pa.array(_SETTLED)))
        (rows,) = np.nonzero(there.to_numpy(zero_copy_only=False))
        return rows, read_fields(entries.take(rows), _ENTRY, lambda at: self.name_of(rows[at]))

    def name_of(self, row: int) -> str:
        """Return what messages call a candidate."""
        return f"candidate {self.ids[row]}"


def _cell(species: list[str]) -> dict[str, Any]:
    return {"elements": sorted(set(species)), "n_atoms": len(species)}


@dataclass(frozen=True)
class StageTable:
    """The rows of one stage of a campaign."""

    store: Store
    campaign: str
    stage: str
    task: Mapping[str, Any]
    columns: tuple[Column, ...]
    """Of the table, with those of the stage's engine or analysis."""

    def rows(self, members: Members) -> pa.Table:
        """Return the rows of some candidates, in their order.

        Raises
        ------
        UserError
            For a value that its column does not take, or one that has no column.
        """
        rows, entry = members.settled(self.stage)
        arrays = {name: one.take(pa.array(rows)) for name, one in members.columns.items()}
        arrays |= _entry_columns(entry)
        ok = pc.equal(entry["state"], StageState.OK.value)
        names = arrays["candidate_id"]

        def name_of(row: int) -> str:
            return f"candidate {names[row]}"

        failed = pc.is_valid(entry["failure"])
        computed = self._computed(pc.if_else(ok, entry["key"], None), name_of)
        tried = self._failed(pc.if_else(failed, entry["key"], None), name_of)
        for name in ("engine", "task"):
            given = pa.repeat(pa.scalar(self.task.get(name), pa.string()), len(rows))
            computed[name] = pc.coalesce(computed.get(name, given), given)
        for name, values in (*computed.items(), *tried.items()):
            arrays[name] = pc.coalesce(arrays[name], values) if name in arrays else values
        return table_of(arrays, self.columns, len(rows))

    def _computed(self, keys: pa.Array, name_of: NameOf) -> Arrays:
        """Return what the results of some keys say; a row without a key has nothing."""
        wanted = keys.drop_null().unique().to_pylist()
        if not wanted:
            return {}
        found = raw.find(self.store, "results", {"key": {"$in": wanted}}, {"products": 0})
        known = fields(found.data, found.starts, ("key", "deviation", "campaign"))
        results = _of_rows(found, keys, self._ranked(known), (*_RESULT, "structure", "values"))
        arrays = read_fields(results, _RESULT, name_of)
        arrays["attempt"] = arrays["attempt"].cast(pa.string())
        arrays["core_hours"] = pc.divide(
            pc.multiply(arrays["cores"].cast(pa.float64()), arrays["walltime_s"]), SECONDS_PER_HOUR
        )
        arrays["cost_usd"] = pc.multiply(arrays["core_hours"], arrays.pop("usd_per_core_hour"))
        arrays["structure"] = structure_texts(results["structure"], name_of)
        return arrays | self._values(results["values"], name_of)

    def _ranked(self, known: Fields) -> tuple[pa.Array, pa.Array]:
        """Return keys of results, and their ranks: null for what the campaign may not use.

        A deviation serves only the campaign that made it, which prefers it.
        """
        keys, deviations = texts(known["key"]), texts(known["deviation"])
        deviates = pc.fill_null(pc.not_equal(deviations, ""), False)  # noqa: FBT003 - Arrow's
        foreign = pc.and_(deviates, pc.not_equal(texts(known["campaign"]), self.campaign))
        return keys, pc.if_else(foreign, None, deviates.cast(pa.int64()))

    def _values(self, values: Values, name_of: NameOf) -> Arrays:
        """Return what an engine or an analysis computed."""
        columns = self.columns[len(RESULTS) :]
        inner = values.inner([column.name for column in columns], others=True)
        for name, row in inner.others.items():
            raise UserError(f"{name_of(row)}: no column '{name}' in the table")
        return {one.name: array(inner[one.name], one, name_of) for one in columns}

    def _failed(self, keys: pa.Array, name_of: NameOf) -> Arrays:
        """Return what the last failed attempts at some keys say."""
        wanted = keys.drop_null().unique().to_pylist()
        if not wanted:
            return {}
        found = raw.find(self.store, "attempts", {"key": {"$in": wanted}})
        known = fields(found.data, found.starts, ("key", "attempt", "campaign", "outcome"))
        numbers = array(known["attempt"], _ATTEMPT, str)
        mine = pc.and_(
            pc.equal(texts(known["campaign"]), self.campaign),
            pc.equal(texts(known["outcome"]), "failed"),
        )
        ranked = texts(known["key"]), pc.if_else(mine, numbers, None)
        attempts = _of_rows(found, keys, ranked, _FAILED)
        arrays = read_fields(attempts, _FAILED, name_of)
        arrays["attempt"] = arrays["attempt"].cast(pa.string())
        arrays["artefacts"] = arrays.pop("directory")
        arrays["cost_usd"] = pc.multiply(arrays["core_hours"], arrays.pop("usd_per_core_hour"))
        return arrays


def _of_rows(
    found: raw.RawDocuments,
    keys: pa.Array,
    ranked: tuple[pa.Array, pa.Array],
    names: Collection[str],
) -> Fields:
    """Return fields of the documents that rows with some keys are to have; the best of several.

    `ranked` holds the keys of the documents, and their ranks: null for those not to be had.
    """
    known, ranks = ranked
    order = pc.array_sort_indices(ranks, "descending").slice(0, len(ranks) - ranks.null_count)
    places = order.take(pc.index_in(keys, known.take(order)))
    (rows,) = np.nonzero(places.is_valid().to_numpy(zero_copy_only=False))
    wanted = found.take(places.drop_null().to_pylist())
    return fields(wanted.data, wanted.starts, names).spread(rows, len(keys))


def _entry_columns(entry: Arrays) -> Arrays:
    """Return what a row has from the ledger's entry of its stage."""
    failed = pc.is_valid(entry["failure"])
    nothing = pa.scalar(None, pa.string())
    return {
        "key": entry["key"],
        "outcome": entry["state"],
        "failure": entry["failure"],
        "failure_message": pc.if_else(failed, entry["reason"], nothing),
        "reason": pc.if_else(failed, nothing, entry["reason"]),
        "cached": entry["cached"],
        "deviation": pc.if_else(pc.equal(entry["deviation"], ""), nothing, entry["deviation"]),
    }


def table_of(arrays: Arrays, columns: tuple[Column, ...], length: int) -> pa.Table:
    """Return columns as a table, without those that are folders; null where there is nothing."""
    kept = tuple(one for one in columns if one.name not in PARTITIONS["results"])
    whole = [arrays.get(one.name, pa.nulls(length, arrow_type(one.type))) for one in kept]
    return pa.Table.from_arrays(whole, schema=arrow_schema(kept))


def ledger_tables(
    store: Store,
    campaign: str,
    tasks: Mapping[str, Mapping[str, Any]],
    columns: Mapping[str, tuple[Column, ...]],
) -> Callable[[tuple[raw.RawDocuments | None, Mapping[str, str]]], dict[str, pa.Table]]:
    """Return what makes the tables of some stages, and of `attempts`, for a page of candidates.

    It takes the candidates (none where there are only attempts), and the range of their ids.
    """
    stages = {
        name: StageTable(store, campaign, name, tasks[name], some)
        for name, some in columns.items()
        if name != ATTEMPTS
    }

    def make(page: tuple[raw.RawDocuments | None, Mapping[str, str]]) -> dict[str, pa.Table]:
        documents, ids = page
        tables = {}
        if documents is not None and stages:
            members = Members(documents)
            tables = {name: stage.rows(members) for name, stage in stages.items()}
        if ATTEMPTS in columns:
            tables[ATTEMPTS] = attempts_table(store, campaign, ids, columns[ATTEMPTS])
        return tables

    return make


def attempts_table(
    store: Store, campaign: str, candidates: Mapping[str, str], columns: tuple[Column, ...]
) -> pa.Table:
    """Return the attempts at a range of candidates (`$gt`, `$lte`), sorted."""
    found = raw.find(store, "attempts", {"campaign": campaign, "candidate": candidates})
    kept = [one for one in columns if one.name != "campaign"]
    names = {one.name: {"candidate_id": "candidate"}.get(one.name, one.name) for one in kept}
    attempts = fields(found.data, found.starts, tuple(names.values()))
    who = texts(attempts["candidate"])
    arrays = {}
    for one in kept:
        kind: ColumnType = "int" if one.name == "attempt" else one.type
        arrays[one.name] = array(
            attempts[names[one.name]], replace(one, type=kind), lambda at: f"candidate {who[at]}"
        )
    arrays["attempt"] = arrays["attempt"].cast(pa.string())
    arrays["cost_usd"] = pc.multiply(arrays["core_hours"], arrays["usd_per_core_hour"])
    table = pa.Table.from_arrays(list(arrays.values()), schema=arrow_schema(tuple(kept)))
    order = [(name, "ascending") for name in ("candidate_id", "stage", "key", "attempt")]
    return table.sort_by(order)
