"""Streams candidates through the filter steps; every row gets a verdict and a reason.

Rows are judged one by one, so verdicts do not depend on how rows are cut into batches. Memory is
constant but for what a step must hold back: its `top` rows, its control sample, and the ids of
the survivors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from runner.gate import Gate
from runner.scoring import Rows
from runner.screening_table import Source, screening_columns
from runner.selection import Funnel, Step, StepCount, Verdict, draw
from runner.shards import Shards
from schemas.candidate import Candidate
from schemas.columns import arrow_schema
from schemas.errors import UserError
from schemas.protocols import Surroundings

BATCH_ROWS = 2048
SHARD_ROWS = 100_000
HELD_DIGITS = 32
"""Of a survivor's id, to know it again: 128 bits, as a number half as large as the text."""
DUPLICATE = "duplicate"
"""The `step` of rows that passed all steps and have the same cell as an earlier survivor."""
READ = "read"
"""The `step` of rows that their generator could not make candidates of."""
BUILD = "build"
"""The `step` of rows that passed all steps and have no structure."""


@dataclass(frozen=True)
class Survivor:
    """A candidate that goes on to the stages; `control` ones were rejected and go on all the same.

    `scores` holds the values of all score columns by name.
    """

    row: int
    candidate: Candidate
    candidate_id: str
    control: bool
    scores: Mapping[str, Any]


@dataclass
class Screening:
    """One pass over a search space.

    `surroundings` gives the folder of relative paths and the campaign's seed; `folder` is where
    the screening table goes (it replaces one that is there, when all rows are decided), or None.
    `progress` is told the rows enumerated so far, and of how many, or None. A `fraction` below 1
    screens about that part of the rows, chosen by the seed: to learn how many pass `keep` steps.
    `kept` is the folder of what slow scores gave before; `workers` is how many processes they may
    have.
    """

    sources: Sequence[Source]
    steps: Sequence[Step]
    campaign: str
    surroundings: Surroundings
    folder: Path | None = None
    batch_rows: int = BATCH_ROWS
    shard_rows: int = SHARD_ROWS
    progress: Callable[[int, int | None], None] | None = None
    fraction: float = 1.0
    kept: Path | None = None
    workers: int = 1

    def __post_init__(self) -> None:
        self.columns = screening_columns(self.sources, self.steps)
        self.funnel = Funnel([StepCount(step.label) for step in self.steps])

    def total(self) -> int | None:
        """Return how many rows there will be, or None where only enumeration tells."""
        counts = [source.plugin.count(source.params, self.surroundings) for source in self.sources]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    def survivors(self) -> Iterator[Survivor]:
        """Yield the candidates that go on; the table is complete when the last one was taken.

        Those that passed come in the order of the space, as far as no `top` step holds them back;
        control rows come after all of them. The same seed gives the same sequence.
        """
        run = _Run(self)
        try:
            yield from run.survivors()
            if run.shards:
                run.shards.commit()
        finally:
            run.close()


def screen(screening: Screening) -> list[Survivor]:
    """Run a screening to its end and return the survivors."""
    return list(screening.survivors())


class _Run:
    """What one pass keeps."""

    def __init__(self, screening: Screening) -> None:
        self._screening = screening
        self._funnel = screening.funnel
        self._schema = arrow_schema(screening.columns)
        self._row_of: dict[int, int] = {}
        self._score_names = [column.name for step in screening.steps for column in step.columns()]
        self.shards = (
            Shards(screening.folder, self._schema, shard_rows=screening.shard_rows)
            if screening.folder
            else None
        )
        self._gates = [
            Gate(
                step,
                schema=self._schema,
                surroundings=screening.surroundings,
                count=count,
                write=self._write,
                kept=screening.kept,
                workers=screening.workers,
            )
            for step, count in zip(screening.steps, screening.funnel.steps, strict=True)
        ]

    def survivors(self) -> Iterator[Survivor]:
        for rows in self._enumerated():
            yield from self._through(rows, 0)
        # Last, so that a reject never takes the place of an equal cell that passed.
        control: list[tuple[Rows, int]] = []
        for position, gate in enumerate(self._gates):
            for rows in gate.finish():
                if rows.control:
                    control.append((rows, position + 1))
                else:
                    yield from self._through(rows, position + 1)
        for rows, position in control:
            yield from self._through(rows, position)

    def close(self) -> None:
        """Keep what slow scores gave; a table that is not whole goes."""
        with ExitStack() as closing:
            if self.shards:
                closing.callback(self.shards.abandon)
            for gate in self._gates:
                closing.callback(gate.close)

    def _write(self, rows: Rows) -> None:
        if self.shards and len(rows):
            self.shards.add(rows.batch)

    def _enumerated(self) -> Iterator[Rows]:
        screening = self._screening
        total = screening.total()
        stream = (
            candidate
            for source in screening.sources
            for candidate in source.plugin.candidates(source.params, screening.surroundings)
        )
        while batch := list(islice(stream, screening.batch_rows)):
            first = self._funnel.enumerated
            self._funnel.enumerated += len(batch)
            yield self._readable(self._sampled(self._rows(batch, first)))
            if screening.progress:
                screening.progress(self._funnel.enumerated, total)

    def _readable(self, rows: Rows) -> Rows:
        """Return the rows without those that their generator could not make candidates of."""
        problems = [candidate.problem for candidate in rows.candidates]
        if not any(problems):
            return rows
        unread = rows.where([problem is not None for problem in problems])
        self._funnel.unread += len(unread)
        self._write(unread.decided("error", READ, [one for one in problems if one is not None]))
        return rows.where([problem is None for problem in problems])

    def _sampled(self, rows: Rows) -> Rows:
        fraction = self._screening.fraction
        if fraction >= 1.0:
            return rows
        seed = self._screening.surroundings.seed
        bound = fraction * 2**63
        return rows.where([draw(seed, "fraction", row) < bound for row in rows.values("row")])

    def _rows(self, candidates: list[Candidate], first: int) -> Rows:
        import pyarrow as pa

        n = len(candidates)
        made = [candidate.row() for candidate in candidates]
        fixed = {
            "campaign": [self._screening.campaign] * n,
            "row": range(first, first + n),
            "control": [False] * n,
            "score_s": [0.0] * n,
        }
        present = set().union(*made)
        arrays = [
            pa.array(fixed[field.name], field.type)
            if field.name in fixed
            else pa.array([row.get(field.name) for row in made], field.type)
            if field.name in present
            else pa.nulls(n, field.type)
            for field in self._schema
        ]
        return Rows(pa.RecordBatch.from_arrays(arrays, schema=self._schema), candidates)

    def _through(self, rows: Rows, position: int) -> Iterator[Survivor]:
        if not len(rows):
            return
        if position == len(self._gates):
            yield from self._settle(rows)
            return
        for passed in self._gates[position].push(rows):
            yield from self._through(passed, position + 1)

    def _settle(self, rows: Rows) -> Iterator[Survivor]:
        """Build the cells of rows that passed everything, write the rows, yield the survivors."""
        ids: list[str | None] = []
        verdicts: list[tuple[Verdict, str, str] | None] = []
        for row, candidate in zip(rows.values("row"), rows.candidates, strict=True):
            try:
                ids.append(candidate.id)
            except (UserError, ValueError) as error:
                ids.append(None)
                verdicts.append(("error", BUILD, f"no structure: {error}"))
                self._funnel.unbuilt += 1
                continue
            first = self._row_of.setdefault(int(candidate.id[:HELD_DIGITS], 16), row)
            if first == row:
                verdicts.append(None)
            else:
                verdicts.append(("reject", DUPLICATE, f"same cell as row {first}"))
                self._funnel.duplicates += 1
        rows = rows.having("candidate_id", ids)
        going = [verdict is None for verdict in verdicts]
        stopped = [verdict for verdict in verdicts if verdict is not None]
        self._write_stopped(rows.where([not goes for goes in going]), stopped)
        rows = rows.where(going)
        self._write(rows if rows.control else rows.decided("pass", None, [None] * len(rows)))
        scores = rows.batch.select(self._score_names).to_pylist()
        for row, candidate, values in zip(rows.values("row"), rows.candidates, scores, strict=True):
            self._funnel.survivors += 1
            self._funnel.control += rows.control
            yield Survivor(row, candidate, candidate.id, rows.control, values)

    def _write_stopped(self, rows: Rows, verdicts: Sequence[tuple[Verdict, str, str]]) -> None:
        if not verdicts:
            return
        if rows.control:
            # Rejects they are already, for the reason of their step; they only stop being sent on.
            reasons_now = [
                f"{reason}; {why}"
                for reason, (_, _, why) in zip(rows.values("reason"), verdicts, strict=True)
            ]
            rows = rows.having("reason", reasons_now)
        else:
            rows = rows.having("verdict", [verdict for verdict, _, _ in verdicts])
            rows = rows.having("step", [step for _, step, _ in verdicts])
            rows = rows.having("reason", [why for _, _, why in verdicts])
        self._write(rows.having("control", [False] * len(rows)))
