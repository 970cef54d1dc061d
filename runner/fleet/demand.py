"""What is asked of a queue for a campaign's stages, and which of them running pilots are given."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from fireworks_ext.folders import reservations
from fireworks_ext.folders.exchange import Begun as Pilot
from runner.fleet import casualties
from runner.fleet.backlog import Backlog
from runner.fleet.loads import Alive, Limits, Load, needs_own_job
from runner.fleet.outstanding import Out, Outstanding
from runner.fleet.queue import Queue
from runner.fleet.records import JobRecord
from runner.fleet.sizing import OwnJob, lookahead, own_job, size
from schemas.clock import SECONDS_PER_MINUTE
from schemas.queue import JobShape

Begun: TypeAlias = Mapping[str, Sequence[Pilot]]
"""By job: the pilots that began."""


@dataclass
class Demand:
    """Weighs what could start against the jobs that there are."""

    queue: Queue
    outstanding: Outstanding
    backlog: Backlog
    limits: Limits
    arrays: bool
    _why_not_more: str = ""

    def ask(self, begun: Begun) -> bool:
        """Ask for as many jobs as there is work for and as may be; tell whether for any."""
        if not self.queue.may_ask():
            return False
        self.outstanding.look_who_has_what()
        ready = [one.load for one in self.backlog.read() if not self._is_impossible(one.load)]
        wish = size(
            [*ready, *self._beyond(ready)],
            [self.outstanding.load(one) for one in self.outstanding.shared()],
            [one for job in self.queue.jobs.values() for one in self._alive(job, begun)],
            self.limits,
            others=self.queue.others,
        )
        self._why_not_more = wish.why_not_more
        pilots, taken = wish.pilots, True
        while pilots > 0 and taken:
            count = pilots if self.arrays else 1
            taken = self.queue.ask("pilot", self.limits.pilot, count=count) is not None
            pilots -= count
        for shape, own in self._together(wish.own):
            taken = taken and self._ask_for(shape, own)
        return bool(wish.pilots or wish.own)

    def _together(self, wanted: Sequence[OwnJob]) -> list[tuple[JobShape, list[OwnJob]]]:
        """Return the stages that are asked for at once: with arrays, all those of one shape."""
        if not self.arrays:
            return [(one.shape, [one]) for one in wanted]
        alike: dict[JobShape, list[OwnJob]] = {}
        for one in wanted:
            alike.setdefault(one.shape, []).append(one)
        return list(alike.items())

    def _ask_for(self, shape: JobShape, own: Sequence[OwnJob]) -> bool:
        """Ask for a job with an element for each stage; tell whether it went.

        Stages are RESERVED until their element begins.
        """
        given: list[Out] = []

        def give(job: JobRecord) -> bool:
            given.extend(self.outstanding.give_to(job.name, [int(one.name) for one in own]))
            return bool(given)

        job = self.queue.ask("own", shape, count=len(own), prepare=give)
        for one in given:
            number = job.element(one.index) if job else None
            reservations.reserve(self.outstanding.session.store, one.briefing, number or "")
        return job is not None or not given or shape in self.queue.impossible

    def hand_over(self, begun: Begun) -> None:
        """Give running pilots enough to choose from."""
        cores = sum(one.allocation.cores for some in begun.values() for one in some)
        if not cores:
            return
        self.outstanding.look_who_has_what()
        untaken = self._without_what_fits_nowhere(self.outstanding.untaken())
        ready = {
            one.load.name: one
            for one in self.backlog.read()
            if not needs_own_job(one.load, self.limits)
        }
        if not ready:
            return
        pilots = [job for name, job in self.queue.jobs.items() if name in begun]
        chosen = lookahead(
            [one.load for one in ready.values()],
            [self.outstanding.load(one) for one in untaken],
            cores,
            self.limits,
            [one for job in pilots for one in self._alive(job, begun)],
        )
        self.outstanding.give([ready[one.name].fw_id for one in chosen])

    @property
    def words(self) -> str:
        """Why not more is asked for."""
        if self.queue.words is not None:
            return self.queue.words
        refused = "; ".join(sorted(set(self.queue.impossible.values())))
        return f"stages that need large jobs: {refused}" if refused else self._why_not_more

    def is_hopeless(self) -> bool:
        """Tell whether patience alone will not get a job."""
        if self.queue.is_hopeless:
            return True
        if not self.queue.impossible or len(self.outstanding) > len(self.queue.refused()):
            return False
        ready = self.backlog.read()
        return bool(ready) and all(self._is_impossible(one.load) for one in ready)

    def learn_of_nodes(self, pilots: Sequence[Pilot]) -> None:
        """Take note of the memory that nodes have, where the settings do not say."""
        known = [one.allocation.memory_gb for one in pilots if one.allocation.memory_gb]
        if known:
            self.limits = replace(self.limits, node_gb=max(self.limits.node_gb or 0.0, *known))

    def _beyond(self, ready: Sequence[Load]) -> list[Load]:
        """Return loads that stand for candidates that are not submitted yet: like those that are.

        No more than would fill all jobs.
        """
        small = [one for one in ready if not needs_own_job(one, self.limits)]
        if not small:
            return []
        cores = self.limits.max_jobs * self.limits.pilot.nodes * self.limits.pilot.cores
        number = min(self.backlog.pending(), max(2 * cores - len(small), 0))
        return [replace(small[place % len(small)], name="") for place in range(number)]

    def _is_impossible(self, load: Load) -> bool:
        """Tell whether a stage needs a job that the scheduler will never take."""
        if not needs_own_job(load, self.limits):
            return False
        return own_job(load, self.limits).shape in self.queue.impossible

    def _without_what_fits_nowhere(self, untaken: Sequence[Out]) -> list[Out]:
        """Return stages without those that need jobs of their own, as is known by now."""
        left = []
        for one in untaken:
            if needs_own_job(self.outstanding.load(one), self.limits):
                casualties.give_back(one.place, one.briefing, "no pilot has room for it")
                self.outstanding.finish(one)
            else:
                left.append(one)
        return left

    def _alive(self, job: JobRecord, pilots: Begun) -> list[Alive]:
        """Return what a job, or each element of an array, is to the number of further ones."""
        walltime_s = SECONDS_PER_MINUTE * job.request.shape.walltime_min
        ended = sum(one.phase == "ended" for one in job.seen.values())
        begun = {one.allocation.job: one.began_at for one in pilots.get(job.name, ())}
        over = {one.id for one in job.seen.values() if one.phase == "ended"}
        left = [
            max(walltime_s - (time.time() - at), 0.0)
            for one, at in begun.items()
            if one not in over
        ]
        waiting = max(job.request.count - ended - len(left), 0)
        return [Alive(job.kind == "pilot", one) for one in (*left, *[walltime_s] * waiting)]
