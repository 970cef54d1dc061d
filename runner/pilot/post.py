"""What a pilot has of its machine: cores, memory, and until when."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fireworks_ext.folders.exchange import NO_SCHEDULER, PilotOrder
from launchers.local.cores import CoreClaim
from launchers.local.params import usable_cores
from runner.pilot.choice import Seat
from schemas.errors import UserError
from schemas.queue import Allocation, Scheduler, Silent
from schemas.registry import launchers

logger = logging.getLogger(__name__)

MARGIN_S = 5.0
"""For a process to start, and for a result to be read and written, beside the program itself."""
LARGEST_NOTICE = 0.5
"""Of a job's time."""


@dataclass(frozen=True)
class Post:
    """Where a pilot works, from when, until when."""

    allocation: Allocation
    numbers: tuple[int, ...]
    """Of the cores that it may choose from: those of other jobs too, where nothing tells them."""
    pinned: bool
    locks: Path
    stop_before_s: float
    whole_s: float | None
    began_at: float
    """Unix time, s."""

    @property
    def stop_at(self) -> float | None:
        """When what runs is to be stopped, Unix time, s; None: no limit is known."""
        ends_at = self.allocation.ends_at
        return None if ends_at is None else ends_at - self._notice_s(ends_at - self.began_at)

    def seat(self) -> Seat:
        """Return what there is now."""
        left_s = None if self.stop_at is None else self.stop_at - time.time() - MARGIN_S
        whole_s = self.whole_s
        if whole_s is not None:
            whole_s -= self._notice_s(whole_s) + MARGIN_S
        elif self.stop_at is not None:
            whole_s = self.stop_at - self.began_at - MARGIN_S
        gpus = self.allocation.gpus
        return Seat(
            self.allocation.cores,
            self.allocation.memory_gb,
            left_s,
            whole_s,
            None if gpus is None else len(gpus),
        )

    def _notice_s(self, whole_s: float) -> float:
        """Return how long before its end a job is stopped; a short one keeps half of its time."""
        return min(self.stop_before_s, LARGEST_NOTICE * whole_s)

    def claim(self, cores: int) -> CoreClaim:
        """Return what can hold so many of the cores."""
        return CoreClaim(self.locks, self.numbers, cores)

    def close(self) -> None:
        """Remove what nobody else uses."""
        if not self.pinned:
            shutil.rmtree(self.locks, ignore_errors=True)


def open_post(order: PilotOrder, environ: Mapping[str, str], asked_s: float | None = None) -> Post:
    """Return where this process works. Raises UserError for an order that nobody can follow.

    `asked_s`: the time that was asked for, which counts from now where nothing else tells an end.
    """
    usable = usable_cores()
    allocation = _allocation(order, environ, len(usable.numbers))
    if allocation.ends_at is None and asked_s is not None:
        allocation = allocation.model_copy(update={"ends_at": time.time() + asked_s})
    pinned = order.pinned and usable.pinned and allocation.cores <= len(usable.numbers)
    numbers, locks = usable.numbers, _folder(order)
    if not pinned:
        # Cores are only counted, so those that others count are not ours to avoid.
        numbers, locks = tuple(range(allocation.cores)), locks / f"pilot-{os.getpid()}"
        if allocation.cores > len(usable.numbers):
            logger.warning(
                "the job has %d cores, but this process may use %d: its programs share them",
                allocation.cores,
                len(usable.numbers),
            )
    return Post(
        allocation=allocation,
        numbers=numbers,
        pinned=pinned,
        locks=locks,
        stop_before_s=order.stop_before_s,
        whole_s=order.whole_s,
        began_at=time.time(),
    )


def _folder(order: PilotOrder) -> Path:
    if order.locks is not None:
        return Path(order.locks)
    return Path(tempfile.gettempdir()) / f"matcampaign-{os.getuid()}" / "cores"


def _allocation(order: PilotOrder, environ: Mapping[str, str], usable: int) -> Allocation:
    settings = dict(order.launcher)
    kind = settings.pop("kind", NO_SCHEDULER)
    if kind != NO_SCHEDULER:
        plugin: Any = launchers.get(str(kind))
        scheduler: Scheduler = plugin.scheduler(plugin.params.model_validate(settings))
        try:
            return scheduler.allocation(environ)
        except Silent as silence:
            raise UserError(f"what this job has cannot be told: {silence}") from silence
    given = order.allocation or Allocation(job=NO_SCHEDULER, cores=usable)
    # Two on the same machine would write over each other's records.
    return given.model_copy(update={"job": f"{given.job}.{os.getpid()}"})
