"""What a stage will take, learnt from the ledger: time on its cores, and memory per node."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from fireworks_ext.store import Store
from runner.cost import calibrate, prior_of
from runner.finished_runs import attempts_at, ended_attempts, whole_runs
from runner.fleet.memory import MemoryModel, Peak, calibrate_memory, died, peaks_of
from runner.fleet.timing import TimeModel, earlier_of
from runner.posterior import MACHINES
from schemas.clock import SECONDS_PER_MINUTE
from schemas.protocols import Engine
from schemas.registry import engines
from schemas.resources import Resources
from schemas.stage_file import Forecast
from schemas.structure import Structure
from schemas.work import StageOrder

LOOK_AGAIN_S = 60.0
"""Between two looks for runs that have finished."""


@dataclass(frozen=True)
class Experience:
    """What is known of a task."""

    newest: datetime | None
    time: TimeModel
    peaks: Sequence[Peak]

    def memory(self, *, guessed: bool) -> MemoryModel:
        """Return the model of the memory."""
        return self._with_guess if guessed else self._without_guess

    @cached_property
    def _with_guess(self) -> MemoryModel:
        return calibrate_memory(self.peaks, guessed=True)

    @cached_property
    def _without_guess(self) -> MemoryModel:
        return calibrate_memory(self.peaks, guessed=False)


def experience(
    attempts: Sequence[Mapping[str, Any]],
    engine: str,
    task: str,
    typical_work: float,
    machines: Sequence[tuple[float, float]] = MACHINES,
) -> Experience:
    """Return what ended attempts at a task, the newest first, teach. Pure.

    `typical_work`: of the calculations to come, where nobody knows what a unit of it means.
    """
    cost = calibrate(whole_runs(attempts), prior_of(engine, task), typical_work, machines)
    return Experience(_newest(attempts), TimeModel(cost), tuple(peaks_of(attempts)))


class Forecaster:
    """Forecasts of stages; what is known of a task is read again when runs of it finished.

    Parameters
    ----------
    machines
        What is thought of the differences between machines, by default that the next run may be
        on another one: runner.posterior.ONE_MACHINE where there is one.
    """

    def __init__(
        self,
        store: Store,
        *,
        machines: Sequence[tuple[float, float]] = MACHINES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._machines = machines
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[float, Experience]] = {}

    def forecast(self, order: StageOrder, structure: Structure) -> Forecast:
        """Return what a stage will take; see `forecasts`."""
        return self.forecasts([(order, structure)])[0]

    def forecasts(self, wanted: Sequence[tuple[StageOrder, Structure]]) -> list[Forecast]:
        """Return what stages will take, in their order.

        With an order comes the structure of its candidate, by which attempts count their work.
        """
        attempts: dict[str, list[Mapping[str, Any]]] = {}
        for one in attempts_at(self._store, sorted({order.key for order, _ in wanted})):
            attempts.setdefault(one["key"], []).append(one)
        return [
            self._forecast(order, structure, attempts.get(order.key, []))
            for order, structure in wanted
        ]

    def _forecast(
        self, order: StageOrder, structure: Structure, attempts: Sequence[Mapping[str, Any]]
    ) -> Forecast:
        engine: Engine = engines.get(order.engine)
        params = engine.params.model_validate(order.params)
        work = engine.work(structure, order.task, params)
        return forecast_of(
            self._experience(order.engine, order.task, work),
            order,
            work,
            engine.resources(structure, order.task, params),
            attempts,
            continues=engine.continuation is not None,
        )

    def _experience(self, engine: str, task: str, work: float) -> Experience:
        now = self._clock()
        looked_at, known = self._known.get((engine, task), (None, None))
        if known is not None and looked_at is not None and now - looked_at < LOOK_AGAIN_S:
            return known
        if known is None or self._has_news(engine, task, known):
            attempts = ended_attempts(self._store, engine, task)
            known = experience(attempts, engine, task, work, self._machines)
        self._known[engine, task] = (now, known)
        return known

    def _has_news(self, engine: str, task: str, known: Experience) -> bool:
        return _newest(ended_attempts(self._store, engine, task, most=1)) != known.newest


def forecast_of(
    known: Experience,
    order: StageOrder,
    work: float,
    guess: Resources,
    attempts: Sequence[Mapping[str, Any]],
    *,
    continues: bool,
) -> Forecast:
    """Return what a stage will take. Pure.

    Parameters
    ----------
    guess
        The engine's own.
    attempts
        The ended ones at its key.
    continues
        The engine can go on from where an attempt was interrupted.
    """
    asked = order.resources
    newest = max(attempts, key=lambda one: one["attempt"], default=None)
    goes_on = continues and newest is not None and newest["outcome"] in {"interrupted", "lost"}
    taken = known.time.times(
        work,
        asked.cores * asked.nodes,
        earlier_of(attempts),
        goes_on=goes_on,
        limit_s=asked.walltime_min * SECONDS_PER_MINUTE,
    )
    memory_gb, source = _memory(known, asked, guess, attempts)
    return Forecast(
        expected_s=taken.expected_s,
        high_s=taken.high_s,
        memory_gb=memory_gb,
        basis=f"time: {taken.basis}; memory: {source}",
    )


def _memory(
    known: Experience, asked: Resources, guess: Resources, attempts: Sequence[Mapping[str, Any]]
) -> tuple[float | None, str]:
    """Return the memory per node, and where it comes from."""
    # An order holds the engine's guess where nobody gave it anything else.
    if asked.memory_gb is not None and asked.memory_gb != guess.memory_gb:
        return asked.memory_gb, "as given"
    per_process = guess.memory_gb / guess.cores if guess.memory_gb is not None else None
    model = known.memory(guessed=per_process is not None)
    died_at = max((one["peak_memory_gb"] or 0.0 for one in attempts if died(one)), default=0.0)
    needs = model.process_gb(per_process, died_at)
    if needs is None:
        return None, "nothing known"
    return round(needs * asked.cores, 3), model.basis


def _newest(attempts: Sequence[Mapping[str, Any]]) -> datetime | None:
    return attempts[0]["finished_at"] if attempts else None
