"""Graphs on their way to a model: made here, or by processes that feed a GPU."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import TYPE_CHECKING, TypeAlias

from runner.crystal.cells import CellArrays
from runner.ml.batches import budgeted
from runner.ml.graphs import Bonds, GraphBatch, Radii, UnsuitableCell, bonds_of, joined

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CELLS_PER_JOB = 256
"""What a process is given at a time: some 0.1 s of work, more than handing it over takes."""
MOST_PROCESSES = 16


@dataclass(frozen=True)
class Ready:
    """A graph of the cells at `places`, and what is wrong with cells that are in no graph."""

    places: NDArray[np.int64]
    graph: GraphBatch | None
    refused: Mapping[int, str]


Source: TypeAlias = Callable[[CellArrays, Radii, int], Iterator[Ready]]
"""Makes graphs of cells, in batches of at most so many bonds and angles."""


def graphs(cells: CellArrays, radii: Radii, budget: int) -> Iterator[Ready]:
    """Yield the graphs of cells in their order, made in this process; memory is bounded."""
    import numpy as np

    refused: dict[int, str] = {}

    def suitable() -> Iterator[Bonds]:
        for index in range(len(cells)):
            try:
                yield bonds_of(cells, index, radii)
            except UnsuitableCell as error:
                refused[index] = str(error)

    for group in budgeted(suitable(), budget):
        yield Ready(np.array([one.index for one in group]), joined(group, radii), {})
    if refused:
        yield Ready(np.array([], dtype=np.int64), None, refused)


class GraphProcesses:
    """Makes graphs in processes of one thread each, in order and not far ahead of the reader."""

    def __init__(self, processes: int | None = None) -> None:
        usable = len(os.sched_getaffinity(0))
        self.processes = processes or max(1, min(usable - 1, MOST_PROCESSES))
        self._pool = ProcessPoolExecutor(self.processes, mp_context=get_context("spawn"))

    def __call__(self, cells: CellArrays, radii: Radii, budget: int) -> Iterator[Ready]:
        """Yield what `graphs` would yield; batches end where the cells of a process end."""
        waiting: deque[tuple[int, Future[list[Ready]]]] = deque()
        for start in range(0, len(cells), CELLS_PER_JOB):
            job = self._pool.submit(_job, part(cells, start, start + CELLS_PER_JOB), radii, budget)
            waiting.append((start, job))
            if len(waiting) > 2 * self.processes:
                yield from _moved(*waiting.popleft())
        while waiting:
            yield from _moved(*waiting.popleft())

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)


def part(cells: CellArrays, begin: int, end: int) -> CellArrays:
    """Return the cells from `begin` up to, not including, `end`."""
    starts = cells.starts[begin : end + 1]
    sites = slice(starts[0], starts[-1])
    return CellArrays(
        lattices_ang=cells.lattices_ang[begin:end],
        numbers=cells.numbers[sites],
        frac_coords=cells.frac_coords[sites],
        starts=starts - starts[0],
    )


def _job(cells: CellArrays, radii: Radii, budget: int) -> list[Ready]:
    return list(graphs(cells, radii, budget))


def _moved(start: int, job: Future[list[Ready]]) -> Iterator[Ready]:
    for ready in job.result():
        refused = {start + index: why for index, why in ready.refused.items()}
        yield replace(ready, places=ready.places + start, refused=refused)
