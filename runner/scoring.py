"""Rows on their way through the filters, and the scores that add to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.selection import Step, Verdict, value_text
from schemas.candidate import Candidate
from schemas.columns import Column, arrow_type
from schemas.errors import UserError
from schemas.protocols import Surroundings

if TYPE_CHECKING:
    import pyarrow as pa

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
    """The score of one step, set up at the first batch: loading weights may take a while."""

    def __init__(self, step: Step, surroundings: Surroundings) -> None:
        if step.plugin is None:
            raise ValueError(f"step {step.label} has no score")
        self._step = step
        self._plugin = step.plugin
        self._surroundings = surroundings
        self._columns: Mapping[str, Column] = {
            theirs.name: ours
            for theirs, ours in zip(step.plugin.columns(step.params), step.columns(), strict=True)
        }
        self._scorer: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None

    def __call__(self, rows: Rows) -> tuple[Rows, list[str | None]]:
        """Return the rows with the score's columns and notes, and the error of each row."""
        if self._scorer is None:
            self._scorer = self._plugin.scorer(self._step.params, self._surroundings)
        wanted = self._plugin.requires(self._step.params)
        problems: list[str | None] = [None] * len(rows)
        batch = rows.batch
        if "structure" in wanted:
            rows, cells, problems = _structures(rows)
            batch = rows.batch.append_column("structure", cells)
        scorable = [problem is None for problem in problems]
        if not any(scorable):
            return rows, problems
        scored = self._scorer(_filtered(batch.select(list(wanted)), scorable))
        if scored.num_rows != sum(scorable):
            raise ValueError(
                f"score {self._step.score} returned {scored.num_rows} rows for {sum(scorable)}"
            )
        errors = iter(scored["error"].to_pylist())
        problems = [next(errors) if problem is None else problem for problem in problems]
        for name, column in self._columns.items():
            values = _finite(scored[name].cast(arrow_type(column.type)))
            rows = rows.having(column.name, _spread(values, scorable))
        notes = _spread(scored["note"], scorable).to_pylist()
        return noted(rows, self._step.label, notes), problems


def reasons(rows: Rows, step: Step) -> list[str]:
    """Return for each row the values that decided, and the rule that they met."""
    names = sorted(step.keep.names) if step.keep else [step.by or ""]
    if step.keep:
        rule = f"keep: {step.keep.text}"
    else:
        rule = f"not among the {step.top} {'lowest' if step.order == 'ascending' else 'highest'}"
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


def _structures(rows: Rows) -> tuple[Rows, pa.Array, list[str | None]]:
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
