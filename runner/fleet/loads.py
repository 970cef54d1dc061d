"""Stages as loads of cores, jobs as what takes them, and what may take what. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.clock import SECONDS_PER_MINUTE
from schemas.queue import JobShape
from schemas.resources import Resources
from schemas.stage_file import Forecast

FRESH_SHARE = 0.8
"""Of its walltime that a pilot must have left to take a stage that outlasts a whole pilot."""
LEAST_LEFT = 0.1
"""Of what a stage was expected to take: one that takes longer is not done the next second."""
NEARLY_WHOLE = 0.95
"""Of a pilot's time: by the time that one has begun, it has no more than this."""


@dataclass(frozen=True, slots=True)
class Load:
    """A stage that waits for cores, or has them; `name` is the caller's."""

    name: str
    cores: int
    """Per node."""
    expected_s: float
    """What is left of it."""
    high_s: float
    """What is left of it at most, nineteen times out of twenty."""
    nodes: int = 1
    gpus: int = 0
    memory_gb: float | None = None
    """Per node."""
    is_running: bool = False

    @classmethod
    def of(
        cls, name: str, asked: Resources, forecast: Forecast, *, runs_for_s: float | None = None
    ) -> Load:
        """Return the load of an order; `runs_for_s`: None for one that does not run."""
        passed_s = runs_for_s or 0.0
        return cls(
            name,
            asked.cores,
            max(forecast.expected_s - passed_s, LEAST_LEFT * forecast.expected_s),
            max(forecast.high_s - passed_s, LEAST_LEFT * forecast.high_s),
            asked.nodes,
            asked.gpus,
            forecast.memory_gb,
            is_running=runs_for_s is not None,
        )


@dataclass(frozen=True, slots=True)
class Alive:
    """A job of this campaign that waits or runs."""

    takes_any: bool
    """A pilot; otherwise it has a stage of its own."""
    left_s: float
    """Until its end; the whole walltime of one that waits."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the launcher's settings allow."""

    pilot: JobShape
    max_jobs: int = 10
    max_queued: int | None = None
    fill_min: float = 10.0
    own_job_cores: int | None = None
    """Stages with more cores get a job of their own; None: with more than a pilot's node has."""
    node_gb: float | None = None
    """Memory of a node, as pilots found it, where the settings do not say."""
    stop_before_s: float = 0.0
    """Before its end a job takes nothing new and saves what runs."""

    @property
    def usable_s(self) -> float:
        """Of a pilot's walltime, what stages may use."""
        whole = self.pilot.walltime_min * SECONDS_PER_MINUTE
        return max(whole - self.stop_before_s, 0.5 * whole)


def needs_own_job(load: Load, limits: Limits) -> bool:
    """Tell whether a stage needs more of a machine than a pilot has.

    One that needs more time than it has runs in a fresh one, and continues.
    """
    pilot = limits.pilot
    own_cores = pilot.cores if limits.own_job_cores is None else limits.own_job_cores
    wants_gb, has_gb = load.memory_gb, pilot.memory_gb or limits.node_gb
    return (
        load.nodes > 1
        or load.cores > min(own_cores, pilot.cores)
        or load.gpus > pilot.gpus
        or (wants_gb is not None and has_gb is not None and wants_gb > has_gb)
    )


def fits(load: Load, left_s: float, limits: Limits) -> bool:
    """Tell whether a pilot with so much time left may start a stage."""
    if load.high_s <= left_s - limits.stop_before_s:
        return True
    whole_s = limits.pilot.walltime_min * SECONDS_PER_MINUTE
    return outlasts(load, limits) and left_s >= FRESH_SHARE * whole_s


def outlasts(load: Load, limits: Limits) -> bool:
    """Tell whether a stage may need more than a whole pilot."""
    return load.high_s > NEARLY_WHOLE * limits.usable_s


def held_cores(load: Load, pilot: JobShape) -> float:
    """Return the cores that a stage holds or keeps from others, by its memory and by gaps."""
    side_by_side = pilot.cores // min(load.cores, pilot.cores)
    if load.memory_gb and pilot.memory_gb:
        by_memory = int(pilot.memory_gb / load.memory_gb)
        side_by_side = max(1, min(side_by_side, by_memory))
    return pilot.cores / side_by_side
