"""Puts right what killed processes leave behind; part of every `campaign run`.

FireWorks alone would leave it for hours, or for ever: locks without a holder, reservations without
a launch, launches whose worker is gone, fireworks that wait for somebody who never calls. What one
janitor does, another may do beside it, and workers may work meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from fireworks_ext import leases, states
from fireworks_ext.artefacts import Artefacts
from fireworks_ext.janitor import breakdowns, locks, lost_runs, repairs, scheduling, waiters
from fireworks_ext.janitor.repairs import Report
from fireworks_ext.janitor.rest import Rest
from fireworks_ext.janitor.scheduling import Jobs
from fireworks_ext.janitor.sightings import Sightings
from fireworks_ext.processes import host_name, is_gone, parse
from fireworks_ext.store import Store
from fireworks_ext.worker.presence import forget_dead

REST_SHARE = 0.05
"""Of its time, a janitor spends at most this share on going over a campaign at rest."""
QUICK_S = 0.5
"""What takes no longer than this is done in every round."""


@dataclass
class Janitor:
    """Repairs the fireworks of one campaign; keeps what it saw from one round to the next."""

    store: Store
    campaign: str
    artefacts: Artefacts
    jobs: Jobs | None = None
    _sightings: Sightings = field(default_factory=Sightings)
    _rests_at: float = 0.0
    _given_up: Iterator[Sequence[breakdowns.Document]] = field(default_factory=lambda: iter(()))
    _awaited: Iterator[str] = field(default_factory=lambda: iter(()))

    def clean(self, *, thorough: bool = False, beside: bool = False) -> Report:
        """Do one round. The order matters: locks first, then launches, then those that wait.

        Parameters
        ----------
        thorough
            Look at everything, also while workers work.
        beside
            Another process controls the campaign, and may be about to submit what looks unfinished.
        """
        report = Report(self.campaign, f"janitor@{host_name()}")
        self._sightings.begin()
        deserted = self._nobody_works() and not beside
        self._leases(report)
        locks.unlock(self.store, self._sightings, report, deserted=deserted)
        lost_runs.free_reservations(self.store, report, deserted=deserted)
        self._vanished(report)
        lost_runs.run_again(self.store, self.artefacts, self._sightings, report, deserted=deserted)
        quiet = deserted or (self._is_idle() and not beside)
        if thorough or (quiet and time.monotonic() >= self._rests_at):
            self._rest(report, quiet=quiet)
        if not quiet or thorough:
            self._breakdowns(report, everything=thorough)
        self._waiters(report, everything=thorough or quiet)
        self._sightings.end()
        repairs.keep(self.store, report)
        return report

    def unlock(self) -> None:
        """Unlock only: who wrote down less than half may have kept it on his disk."""
        report = Report(self.campaign, f"janitor@{host_name()}")
        locks.unlock(self.store, self._sightings, report, deserted=self._nobody_works())
        repairs.keep(self.store, report)

    def stands_still(self) -> bool:
        """Tell whether nothing will move by itself: a user paused the rest, or it is blocked."""
        return self._is_idle() and waiters.nobody_computes(self.store, self.campaign)

    def _is_idle(self) -> bool:
        """Tell whether no firework of the campaign runs, or would if there were a worker."""
        busy = {"spec.campaign": self.campaign, "state": {"$in": ["READY", "RESERVED", "RUNNING"]}}
        return self.store.fireworks.find_one(busy, {"_id": 1}) is None

    def _leases(self, report: Report) -> None:
        """Free the leases of processes that are gone, unless their program still runs."""
        orphaned = leases.orphaned(self.store)
        directories = lost_runs.working_directories() if orphaned else set()
        freed = []
        for lease in orphaned:
            if lost_runs.is_computed(self.artefacts, lease.name, directories):
                report.orphans += 1
                continue
            leases.release(self.store, lease)
            freed.append(lease.name)
            report.add(f"lease of {lease.name[:12]}", f"its worker {lease.owner} is gone")
        if freed:
            states.wake(self.store, *freed)

    def _vanished(self, report: Report) -> None:
        """Give back what was reserved for jobs whose job is gone."""
        if self.jobs is None:
            return
        returned = scheduling.return_vanished(self.store, self.campaign, self.jobs)
        for fw_id, reservation in returned.items():
            report.add(f"firework {fw_id}", f"its job {reservation} is gone from the queue")

    def _rest(self, report: Report, *, quiet: bool) -> None:
        began = time.monotonic()
        Rest(self.store, report, self._sightings, quiet).tidy()
        took = time.monotonic() - began
        self._rests_at = time.monotonic() + (took / REST_SHARE if took > QUICK_S else 0.0)

    def _breakdowns(self, report: Report, *, everything: bool) -> None:
        """Look at one page of what FireWorks gave up, the next page in the next round."""
        if everything:
            for some in breakdowns.given_up(self.store, self.campaign):
                breakdowns.send_on(self.store, some, report)
            return
        page = next(self._given_up, None)
        if page is None:
            self._given_up = breakdowns.given_up(self.store, self.campaign)
            page = next(self._given_up, None)
        if page:
            breakdowns.send_on(self.store, page, report)

    def _waiters(self, report: Report, *, everything: bool) -> None:
        """Wake what waits in vain: while others work, some in each round."""
        names = waiters.awaited(self.store, self.campaign)
        if not everything:
            some = list(islice(self._awaited, waiters.MOST_NAMES))
            if not some:
                self._awaited = names
                some = list(islice(names, waiters.MOST_NAMES))
            names = iter(some)
        waiters.wake_due(self.store, report, names)

    def _nobody_works(self) -> bool:
        """Tell whether all workers that ever registered are known to be gone, and all others.

        A worker of another machine is once it has given no sign of life for a day. All others are
        FireWorks' own, and folders to which stages were handed over: they hold leases.
        """
        forget_dead(self.store)
        workers = self.store.workers.find({}, {"_id": 1})
        processes = [parse(document["_id"]) for document in workers]
        gone = [process for process in processes if process is None or is_gone(process)]
        for process in gone:
            if process is not None:
                self.store.workers.delete_one({"_id": process.name})
        return len(gone) == len(processes) and not leases.of_others(self.store)
