"""Rows on their way through the filters, and the scores that add to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.computing import Computing
from runner.score_cache import STRUCTURE, ScoreCache, is_kept, row_keys, score_key
from runner.selection import Step, Verdict, value_text
from schemas.candidate import Candidate
from schemas.columns import Column, arrow_type
from schemas.errors import UserError
from schemas.protocols import Surroundings

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

HeldRow = tuple[Candidate, dict[str, object]]
"""One row as plain values, for the few that wait at a barrier."""


@dataclass(frozen=True)
class Rows:
    """Rows of the screening table and their candidates, in the same order.

    `control` rows are rejects that go on; a step scores them and does not judge them.
    """

    batch: pa.RecordBatch
    candidates: Sequence[Candidate]
    control: bool = False

    def __len__(self) -> int:
        return len(self.candidates)

    def where(self, mask: Sequence[bool]) -> Rows:
        """Return the rows for which the mask is true."""
        import pyarrow as pa

        if all(mask):
            return self
        chosen = [c for c, wanted in zip(self.candidates, mask, strict=True) if wanted]
        return Rows(self.batch.filter(pa.array(mask, pa.bool_())), chosen, self.control)

    def having(self, name: str, values: Any) -> Rows:
        """Return the rows with another column of that name."""
        import pyarrow as pa

        at = self.batch.schema.get_field_index(name)
        kind = self.batch.schema.field(at).type
        array = values if isinstance(values, pa.Array) else pa.array(values, kind)
        batch = self.batch.set_column(at, self.batch.schema.field(at), array.cast(kind))
        return Rows(batch, self.candidates, self.control)

    def values(self, name: str) -> list[Any]:
        """Return a column as plain values."""
        return list(self.batch[name].to_pylist())

    def decided(self, verdict: Verdict, step: str | None, reasons: Sequence[str | None]) -> Rows:
        """Return the rows with their verdict."""
        n = len(self)
        judged = self.having("verdict", [verdict] * n).having("step", [step] * n)
        return judged.having("reason", list(reasons))

    def held(self, index: int) -> HeldRow:
        """Return one row as plain values."""
        return self.candidates[index], self.batch.slice(index, 1).to_pylist()[0]


def rows_of(held: Sequence[HeldRow], schema: pa.Schema, *, control: bool = False) -> Rows:
    """Return rows from plain values."""
    import pyarrow as pa

    batch = pa.RecordBatch.from_pylist([values for _, values in held], schema=schema)
    return Rows(batch, [candidate for candidate, _ in held], control)


class Scoring:
    """The score of one step, set up at the first batch: loading weights may take a while.

    Slow scores are looked up among kept values first; what is missing is computed in chunks, so
    that little is lost with the process.
    """

    def __init__(
        self, step: Step, surroundings: Surroundings, *, kept: Path | None = None, workers: int = 1
    ) -> None:
        if step.plugin is None or step.score is None:
            raise ValueError(f"step {step.label} has no score")
        self._step = step
        self._plugin = step.plugin
        self._surroundings = surroundings
        self._columns: Mapping[str, Column] = {
            theirs.name: ours
            for theirs, ours in zip(step.plugin.columns(step.params), step.columns(), strict=True)
        }
        self._kept = kept if kept and is_kept(step.plugin, step.params) else None
        self._cache: ScoreCache | None = None
        self._computing = Computing(step.score, step.plugin, step.params, surroundings, workers)
        self.seconds = 0.0
        """Spent on computing values here."""
        self.found = 0
        """Rows whose values were known."""

    def __call__(self, rows: Rows) -> tuple[Rows, list[str | None]]:
        """Return the rows with the score's columns, notes and time, and the error of each row."""
        wanted = self._plugin.requires(self._step.params)
        problems: list[str | None] = [None] * len(rows)
        batch = rows.batch
        if STRUCTURE in wanted:
            rows, cells, problems = built(rows)
            batch = rows.batch.append_column(STRUCTURE, cells)
        scorable = [problem is None for problem in problems]
        if not any(scorable):
            return rows, problems
        scored = self._scored(_filtered(batch, scorable), wanted)
        errors = iter(scored["error"].to_pylist())
        problems = [next(errors) if problem is None else problem for problem in problems]
        for name, column in self._columns.items():
            values = _finite(scored[name].cast(arrow_type(column.type)))
            rows = rows.having(column.name, _spread(values, scorable))
        rows = _timed(rows, _spread(scored["seconds"], scorable))
        notes = _spread(scored["note"], scorable).to_pylist()
        return noted(rows, self._step.label, notes), problems

    def close(self) -> None:
        """Keep what was computed, and end the processes that computed it."""
        try:
            # First: processes end only after the chunks that they are at.
            if self._cache:
                self._cache.flush()
        finally:
            self._computing.close()

    def _scored(self, batch: pa.RecordBatch, wanted: Sequence[str]) -> pa.RecordBatch:
        """Return the score's columns, `note`, `error` and `seconds` of every row."""
        cache = self._open()
        asked = batch.select(list(wanted))
        if cache is None:
            return self._computed(asked, None, ())
        others = {name: batch[name].to_pylist() for name in wanted if name != STRUCTURE}
        reads_cells = STRUCTURE in wanted
        ids = batch["candidate_id"].to_pylist() if reads_cells else [None] * len(batch)
        keys = row_keys(others, ids)
        places = cache.find(keys)
        missing = [bool(place < 0) for place in places]
        self.found += missing.count(False)
        if not any(missing):
            return self._joined(cache, places, None, missing)
        new_keys = [key for key, lacks in zip(keys, missing, strict=True) if lacks]
        computed = self._computed(_filtered(asked, missing), cache, new_keys)
        return self._joined(cache, places, computed, missing)

    def _open(self) -> ScoreCache | None:
        if self._kept and self._cache is None:
            key = score_key(
                str(self._step.score), self._plugin, self._step.params, self._surroundings
            )
            self._cache = ScoreCache(self._kept / key, self._plugin.columns(self._step.params))
            # Rows that it broke on are not kept: they may be all that is left.
            self._computing.worked = self._cache.holds_rows()
        return self._cache

    def _computed(
        self, asked: pa.RecordBatch, cache: ScoreCache | None, keys: Sequence[bytes]
    ) -> pa.RecordBatch:
        import pyarrow as pa

        parts, start = [], 0
        for part, seconds in self._computing(asked):
            self.seconds += seconds * part.num_rows
            if cache:
                cache.add(keys[start : start + part.num_rows], part, seconds)
            start += part.num_rows
            spent = pa.array([seconds] * part.num_rows, pa.float64())
            parts.append(part.append_column("seconds", spent))
        return pa.Table.from_batches(parts).combine_chunks().to_batches()[0]

    def _joined(
        self,
        cache: ScoreCache,
        places: NDArray[np.int64],
        computed: pa.RecordBatch | None,
        missing: Sequence[bool],
    ) -> pa.RecordBatch:
        """Return known and computed rows in the order of the batch."""
        import numpy as np
        import pyarrow as pa

        lacks = np.array(missing)
        known = cache.rows(places[~lacks])
        known = known.append_column("error", pa.nulls(len(known), pa.string())).drop(["key"])
        tables = [known]
        if computed is not None:
            rest = pa.Table.from_batches([computed]).select(known.column_names)
            tables.append(rest.cast(known.schema))
        order = np.empty(len(lacks), np.int64)
        order[~lacks] = np.arange(len(known))
        order[lacks] = len(known) + np.arange(int(lacks.sum()))
        return pa.concat_tables(tables).take(order).combine_chunks().to_batches()[0]


def reasons(rows: Rows, step: Step) -> list[str]:
    """Return for each row the values that decided, and the rule that they met."""
    return _told(rows, step, f"keep: {step.keep.text}" if step.keep else _rule(step))


def unknowns(rows: Rows, step: Step) -> list[str]:
    """Return for each row the values of which one is null, and what cannot be decided then."""
    return _told(rows, step, f"keep: {step.keep.text}" if step.keep else "not to be compared")


def _told(rows: Rows, step: Step, rule: str) -> list[str]:
    names = sorted(step.keep.names) if step.keep else list(step.compared)
    values = zip(*(rows.values(name) for name in names), strict=True) if names else ()
    return [
        "; ".join(
            [
                ", ".join(
                    f"{name} = {value_text(value)}" for name, value in zip(names, row, strict=True)
                ),
                rule,
            ]
        )
        for row in values
    ] or [rule] * len(rows)


def _rule(step: Step) -> str:
    if step.pareto:
        return "another is better in all of them"
    first = "lowest" if step.order == "ascending" else "highest"
    if step.diverse:
        return f"not among the {step.top} that differ most of the {first}"
    return f"not among the {step.top} {first}"


def built(rows: Rows) -> tuple[Rows, pa.Array, list[str | None]]:
    """Build the cells; return the rows with their ids, the cells (`cell_type`), and problems."""
    import pyarrow as pa

    from runner.crystal.cells import cell_row, cell_type

    cells: list[dict[str, Any] | None] = []
    ids: list[str | None] = []
    problems: list[str | None] = []
    for candidate in rows.candidates:
        try:
            cells.append(cell_row(candidate.structure))
            ids.append(candidate.id)
            problems.append(None)
        except (UserError, ValueError) as error:
            cells.append(None)
            ids.append(None)
            problems.append(f"no structure: {error}")
    return rows.having("candidate_id", ids), pa.array(cells, cell_type()), problems


def _filtered(batch: pa.RecordBatch, mask: Sequence[bool]) -> pa.RecordBatch:
    import pyarrow as pa

    return batch if all(mask) else batch.filter(pa.array(mask, pa.bool_()))


def _spread(values: pa.Array, mask: Sequence[bool]) -> pa.Array:
    """Return the values at the places where the mask is true, null elsewhere."""
    import pyarrow as pa

    if all(mask):
        return values
    places = iter(range(len(values)))
    return values.take(pa.array([next(places) if wanted else None for wanted in mask], pa.int64()))


def _finite(values: pa.Array) -> pa.Array:
    """Return the values with null for NaN and infinities, which are not stored."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_floating(values.type):
        return values
    return pc.if_else(pc.is_finite(values), values, pa.scalar(None, values.type))


def _timed(rows: Rows, seconds: pa.Array) -> Rows:
    """Return the rows with the time that a score took added to that of the scores before it."""
    import pyarrow.compute as pc

    return rows.having("score_s", pc.add(rows.batch["score_s"], pc.fill_null(seconds, 0.0)))


def noted(rows: Rows, label: str, notes: Sequence[str | None]) -> Rows:
    """Return the rows with notes of a step put behind those that they have."""
    if not any(notes):
        return rows
    return rows.having(
        "note",
        [
            "; ".join(filter(None, (earlier, f"{label}: {note}" if note else None))) or None
            for earlier, note in zip(rows.values("note"), notes, strict=True)
        ],
    )
