"""Computes a score in chunks, here or in processes of its own; one bad row never costs others."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from schemas.columns import Column, arrow_schema
from schemas.errors import UserError
from schemas.protocols import Score, Surroundings
from schemas.registry import scores

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK_S = 5.0
"""About how long a chunk takes: kept, and told to whoever watches, after each."""
FEWEST_ROWS = 16
"""Of a chunk: models are quicker with several rows at once."""
WORTH_A_PROCESS_S = 1e-3
"""Rows that take less are not worth being sent to another process."""
SHORTEST_S = 1e-7
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
NOTE = Column("note", "text", "What the score has to say about a value that it cannot know.")
ERROR = Column("error", "text", "Why the score failed on the row.")


class Computing:
    """A score at work on batches; set up when the first row needs it."""

    def __init__(
        self, name: str, plugin: Score, params: Any, surroundings: Surroundings, workers: int
    ) -> None:
        self._name = name
        self._plugin = plugin
        self._params = params
        self._surroundings = surroundings
        self._row_s = plugin.seconds(params)
        self._workers = workers if self._row_s > WORTH_A_PROCESS_S else 1
        self._work: Work | None = None
        self._pool: Executor | None = None
        self.worked = False
        """Whether it ever gave a row its values, here or before."""

    def __call__(self, batch: pa.RecordBatch) -> Iterator[tuple[pa.RecordBatch, float]]:
        """Yield the scored rows of a batch in their order, and the seconds that each row took.

        Raises
        ------
        UserError
            When the score cannot be set up, or never worked and fails on every row.
        """
        rows = max(FEWEST_ROWS, round(CHUNK_S / self._row_s))
        chunks = [batch.slice(start, rows) for start in range(0, len(batch), rows)]
        broken: list[str] = []
        for done in self._run(chunks):
            self._row_s = max(done.seconds / done.rows.num_rows, SHORTEST_S)
            broken += done.broken
            self.worked = self.worked or len(done.broken) < done.rows.num_rows
            yield done.rows, self._row_s
        if not self.worked and len(broken) >= FEWEST_ROWS:
            raise UserError(f"score {self._name} fails on every row: {broken[0]}")

    def close(self) -> None:
        """End the processes."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def _run(self, chunks: list[pa.RecordBatch]) -> Iterator[Done]:
        if self._workers == 1 or (len(chunks) == 1 and self._pool is None):
            if self._work is None:
                self._work = Work(self._name, self._plugin, self._params, self._surroundings)
            yield from map(self._work, chunks)
            return
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._workers,
                get_context("spawn"),
                _set_up,
                (self._name, self._params, self._surroundings),
            )
        with _deaf_to_interrupts():
            waiting = [self._pool.submit(_work_here, chunk) for chunk in chunks]
        try:
            yield from (future.result() for future in waiting)
        except BrokenProcessPool as error:
            raise UserError(
                f"a process that computed the score {self._name} was killed, most likely for want "
                "of memory; what was computed is kept, run it again with fewer --workers"
            ) from error


@dataclass(frozen=True)
class Done:
    """A scored chunk, why rows of it failed in ways that the score did not foresee, its time."""

    rows: pa.RecordBatch
    broken: list[str]
    seconds: float


class Work:
    """A score that was set up, on whatever rows it is given."""

    def __init__(self, name: str, plugin: Score, params: Any, surroundings: Surroundings) -> None:
        self._name = name
        self._columns = (*plugin.columns(params), NOTE, ERROR)
        self._scorer = plugin.scorer(params, surroundings)

    def __call__(self, batch: pa.RecordBatch) -> Done:
        """Score a chunk."""
        import pyarrow as pa

        began = time.perf_counter()
        broken: list[str] = []
        tables = [pa.Table.from_batches([part]) for part in self._parts(batch, broken)]
        rows = pa.concat_tables(tables).combine_chunks().to_batches()[0]
        return Done(rows, broken, time.perf_counter() - began)

    def _parts(self, batch: pa.RecordBatch, broken: list[str]) -> Iterator[pa.RecordBatch]:
        """Score a batch; where that fails, its halves, until the row is found that is to blame."""
        import pyarrow as pa

        schema = arrow_schema(self._columns)
        try:
            scored = self._scorer(batch)
        except UserError:
            raise
        except Exception as error:  # noqa: BLE001  (a score of anybody's, on a row of anybody's)
            if len(batch) == 1:
                broken.append(f"{type(error).__name__}: {error}")
                row = {ERROR.name: broken[-1]}
                yield pa.RecordBatch.from_pylist([row], schema=schema)
                return
            half = len(batch) // 2
            yield from self._parts(batch.slice(0, half), broken)
            yield from self._parts(batch.slice(half), broken)
            return
        if scored.num_rows != len(batch):
            raise ValueError(f"score {self._name} returned {scored.num_rows} rows for {len(batch)}")
        yield scored.select(schema.names).cast(schema)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Have processes that are started meanwhile be deaf to Ctrl-C until they are set up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_here: list[Work] = []
"""The work of a process of the pool."""


def _set_up(name: str, params: Any, surroundings: Surroundings) -> None:
    # Ctrl-C reaches these processes too: they end at once and leave the word to the main one.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for variable in THREADS:
        os.environ[variable] = "1"
    _making.append(lambda: Work(name, scores.get(name), params, surroundings))


_making: list[Callable[[], Work]] = []


def _work_here(batch: pa.RecordBatch) -> Done:
    if not _here:
        # Not in the initializer: what goes wrong there is not told.
        _here.append(_making[0]())
    return _here[0](batch)
