"""One filter step at work: scores rows, judges them, holds back what must wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.barriers import Barrier, barrier
from runner.crystal.equivalence import Equivalence
from runner.scoring import HeldRow, Rows, Scoring, built, noted, reasons, rows_of, unknowns
from runner.selection import Smallest, Step, StepCount, Verdict, draw
from schemas.protocols import Surroundings

if TYPE_CHECKING:
    import pyarrow as pa


class Gate:
    """Takes rows of a schema, yields those that go on, and hands the others to `write`.

    The seed of the surroundings chooses the control sample; `count` is kept up to date. `kept` and
    `workers` are those of `Screening`.
    """

    def __init__(
        self,
        step: Step,
        *,
        schema: pa.Schema,
        surroundings: Surroundings,
        count: StepCount,
        write: Callable[[Rows], None],
        kept: Path | None = None,
        workers: int = 1,
    ) -> None:
        self._step = step
        self._schema = schema
        self._seed = surroundings.seed
        self._count = count
        self._write = write
        self._scoring = (
            Scoring(step, surroundings, kept=kept, workers=workers) if step.plugin else None
        )
        self._barrier: Barrier[HeldRow] | None = barrier(step)
        self._seen: Equivalence[int] | None = Equivalence() if step.distinct else None
        self._sample: Smallest[HeldRow] | None = (
            Smallest(step.control_sample) if step.control_sample else None
        )

    def push(self, rows: Rows) -> Iterator[Rows]:
        """Score and judge rows; yield those that go on at once."""
        if not rows.control:
            self._count.entered += len(rows)
        if self._scoring:
            rows = self._without_errors(*self._scoring(rows))
            self._count.seconds, self._count.found = self._scoring.seconds, self._scoring.found
        if rows.control or not (self._step.keep or self._barrier or self._seen):
            self._count.passed += 0 if rows.control else len(rows)
            yield rows
        elif self._step.keep:
            yield self._kept(rows, self._step.keep.evaluate_batch(rows.batch).to_pylist())
        elif self._barrier:
            yield self._compared(rows, self._barrier)
        elif self._seen:
            yield self._different(rows, self._seen)

    def finish(self) -> Iterator[Rows]:
        """Yield the rows that were held back, now that there are no more."""
        if self._barrier:
            chosen, others = self._barrier.release()
            self._count.passed += len(chosen)
            self._reject(rows_of(others, self._schema))
            yield rows_of(chosen, self._schema)
        if self._sample:
            sample = self._sample.release()
            self._count.control += len(sample)
            rows = rows_of(sample, self._schema, control=True)
            yield rows.having("control", [True] * len(rows))

    def close(self) -> None:
        """Keep what was computed; nothing is scored any more."""
        if self._scoring:
            self._scoring.close()

    def _without_errors(self, rows: Rows, errors: Sequence[str | None]) -> Rows:
        if not any(errors):
            return rows
        if rows.control:
            return noted(rows, self._step.label, errors)
        failed = [error is not None for error in errors]
        self._decide(rows.where(failed), "error", [error for error in errors if error is not None])
        self._count.errors += sum(failed)
        return rows.where([not fails for fails in failed])

    def _kept(self, rows: Rows, verdicts: list[bool | None]) -> Rows:
        self._reject(rows.where([verdict is False for verdict in verdicts]))
        self._count.passed += verdicts.count(True)
        return self._with_unknown(rows, [verdict is None for verdict in verdicts], verdicts)

    def _compared(self, rows: Rows, choice: Barrier[HeldRow]) -> Rows:
        """Hold the rows that may still be chosen, reject those that no longer can."""
        signs = [1.0 if order == "ascending" else -1.0 for order in self._step.compared.values()]
        columns = [rows.values(name) for name in self._step.compared]
        unknown = [any(value is None for value in values) for values in zip(*columns, strict=True)]
        rejects: list[HeldRow] = []
        beaten = [False] * len(rows)
        for index, (row, *values) in enumerate(zip(rows.values("row"), *columns, strict=True)):
            if unknown[index]:
                continue
            signed = tuple(sign * value for sign, value in zip(signs, values, strict=True))
            if choice.wants(signed, row):
                rejects += choice.offer(signed, row, rows.held(index))
            else:
                beaten[index] = True
        self._reject(rows.where(beaten))
        self._reject(rows_of(rejects, self._schema))
        return self._with_unknown(rows, unknown, [False] * len(rows))

    def _different(self, rows: Rows, seen: Equivalence[int]) -> Rows:
        """Return the rows whose structures are not equivalent to an earlier one's."""
        rows, _, problems = built(rows)
        rows = self._without_errors(rows, problems)
        firsts = [
            seen.first(row, candidate.structure)
            for row, candidate in zip(rows.values("row"), rows.candidates, strict=True)
        ]
        new = [first is None for first in firsts]
        self._count.passed += sum(new)
        same = [f"the same crystal as row {first}" for first in firsts if first is not None]
        self._reject(rows.where([not one for one in new]), same)
        return rows.where(new)

    def _with_unknown(
        self, rows: Rows, unknown: list[bool], verdicts: Sequence[bool | None]
    ) -> Rows:
        """Return the passed rows, and the unknown ones where the step keeps them."""
        self._count.unknown += sum(unknown)
        if self._step.unknown == "reject" and any(unknown):
            dropped = rows.where(unknown)
            self._decide(dropped, "unknown", _with_notes(dropped, unknowns(dropped, self._step)))
        keeps = self._step.unknown == "keep"
        return rows.where(
            [
                verdict is True or (keeps and is_unknown)
                for verdict, is_unknown in zip(verdicts, unknown, strict=True)
            ]
        )

    def _reject(self, rows: Rows, why: Sequence[str] | None = None) -> None:
        """Give the verdict; a random few wait for their turn as control rows, if asked for."""
        self._count.rejected += len(rows)
        if not len(rows):
            return
        rows = rows.decided("reject", self._step.label, why or reasons(rows, self._step))
        if self._sample is None:
            self._write(rows)
            return
        losers: list[HeldRow] = []
        final = [True] * len(rows)
        for index, row in enumerate(rows.values("row")):
            key = draw(self._seed, self._step.label, row)
            if self._sample.wants(key, row):
                final[index] = False
                loser = self._sample.offer(key, row, rows.held(index))
                losers += [loser] if loser else []
        self._write(rows.where(final))
        self._write(rows_of(losers, self._schema))

    def _decide(self, rows: Rows, verdict: Verdict, why: Sequence[str]) -> None:
        self._write(rows.decided(verdict, self._step.label, why))


def _with_notes(rows: Rows, texts: Sequence[str]) -> list[str]:
    return [
        f"{text} ({note})" if note else text
        for text, note in zip(texts, rows.values("note"), strict=True)
    ]
