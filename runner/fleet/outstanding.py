"""The stages of a campaign that its jobs have or may take: handed over, kept, taken in again."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fireworks_ext.folders import claims, reservations
from fireworks_ext.folders.exchange import Exchange
from fireworks_ext.folders.handovers import Handovers, keep, take_in_one
from fireworks_ext.folders.offline import RESULT, read_stage, stages
from fireworks_ext.states import WorkflowBusy
from fireworks_ext.worker.session import Session
from runner.fleet.backlog import Backlog
from runner.fleet.loads import Load
from schemas.endings import Interrupted
from schemas.errors import UserError
from schemas.handover import Briefing
from schemas.ledger import AttemptRecord

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Out:
    """A stage that was handed over."""

    place: Path
    briefing: Briefing
    job: str | None = None
    """The job that alone may take it; None: any pilot."""
    index: int = 0
    """Of the element of that job, where it is an array."""

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.place.name

    @property
    def has_result(self) -> bool:
        """Tell whether it came to an end."""
        return (self.place / RESULT).exists()


@dataclass
class Outstanding:
    """What is out, by the names of the stages' folders."""

    session: Session
    campaign: str
    exchange: Exchange
    backlog: Backlog
    out: dict[str, Out] = field(default_factory=dict)
    stopped: dict[str, list[AttemptRecord]] = field(default_factory=dict)
    """By job: attempts that it ended in good order, for a reason that is not known yet."""
    _taken: dict[str, float] = field(default_factory=dict)
    """By name: since when a pilot has had it."""

    def __len__(self) -> int:
        return len(self.out)

    def adopt(self, jobs: Iterable[str]) -> None:
        """Take note of what was handed over before: to any pilot, or to one of some jobs."""
        self.exchange.make()
        for place in stages(self.exchange.stages):
            self._put(place)
        for job in jobs:
            for index, folder in self.exchange.owned(job).items():
                for place in stages(folder):
                    self._put(place, job, index)
        self.keep()

    def _put(self, place: Path, job: str | None = None, index: int = 0) -> bool:
        """Take note of a stage that lies there; one that cannot be read is set aside."""
        try:
            stage = read_stage(place)
        except UserError as error:
            logger.warning("%s; it is set aside, and handed over again", error)
            self.exchange.set_aside(place)
            return False
        if stage is not None:
            self.out[place.name] = Out(place, stage.briefing, job, index)
        return stage is not None

    def keep(self) -> None:
        """Show that all of it is being worked on."""
        keep(self.session.store, [one.briefing for one in list(self.out.values())])

    def give(self, fw_ids: Sequence[int]) -> list[Out]:
        """Hand READY stages over to any pilot; return those that could be."""
        return self._give(fw_ids, self.exchange.stages)

    def give_to(self, job: str, fw_ids: Sequence[int]) -> list[Out]:
        """Hand READY stages over, each to an element of a job of their own, in their order."""
        given: list[Out] = []
        for fw_id in fw_ids:
            folder = self.exchange.own(job, len(given))
            given += self._give([fw_id], folder, job, len(given))
        return given

    def _give(
        self, fw_ids: Sequence[int], folder: Path, job: str | None = None, index: int = 0
    ) -> list[Out]:
        if not fw_ids:
            return []
        handovers = Handovers(
            self.session,
            self.campaign,
            folder,
            {"fw_id": {"$in": list(fw_ids)}},
            self.backlog.forecast,
        )
        given = []
        for place, briefing in handovers.given(len(fw_ids)):
            # At once: what is written is out, whatever becomes of the others.
            self.out[place.name] = Out(place, briefing, job, index)
            given.append(self.out[place.name])
        self.backlog.forget(fw_ids)
        there = {one.briefing.fw_id for one in given}
        self.backlog.put_off([one for one in fw_ids if one not in there])
        return given

    def take_in(self, names: Iterable[str]) -> bool:
        """Take in what has a result of some stages; tell whether there was any."""
        done = [name for name in names if self._is_taken_in(name)]
        for name in done:
            self.exchange.forget(name)
        return bool(done)

    def _is_taken_in(self, name: str) -> bool:
        if name not in self.out:
            place = self.exchange.stages / name
            if not place.is_dir():
                return self.exchange.is_there()
            if not self._put(place):
                return True
        return self.finish(self.out[name])

    def finish(self, one: Out) -> bool:
        """Take a result in; tell whether the stage is out no more."""
        try:
            if one.job is not None:
                reservations.begin(self.session.store, one.briefing)
            of_job = claims.job_of(one.place) if one.has_result else ""
            taken = take_in_one(self.session.store, one.place)
        except WorkflowBusy as error:
            logger.warning("%s", error)
            return False
        except UserError as error:
            logger.warning("%s; it is set aside, and the stage goes on", error)
            (one.place / RESULT).replace(one.place / f".unreadable-{RESULT}")
            claims.take_away(one.place, claims.job_of(one.place))
            self.exchange.forget(one.name)
            return False
        if taken is None and (one.place.exists() or not self.exchange.is_there()):
            return False
        if taken is not None and isinstance(taken.ending, Interrupted):
            self.stopped.setdefault(of_job, []).extend(taken.attempts)
        del self.out[one.name]
        self._taken.pop(one.name, None)
        self.backlog.forget_out(one.briefing.order.key)
        return True

    def given_to(self, job: str, index: int | None = None) -> list[Out]:
        """Return the stages that only this job, or this element of it, may take."""
        return [one for one in self.out.values() if one.job == job and index in {None, one.index}]

    def shared(self) -> list[Out]:
        """Return the stages that any pilot may take."""
        return [one for one in self.out.values() if one.job is None]

    def held_by(self, job_id: str) -> Iterator[Out]:
        """Yield the stages that a job had when it ended."""
        for one in self.out.values():
            if not one.has_result and claims.job_of(one.place) == job_id:
                yield one

    @property
    def n_taken(self) -> int:
        """How many of them a job has, as was seen last."""
        return len(self._taken)

    def look_who_has_what(self) -> None:
        """Take note of the stages that pilots have taken since."""
        for one in self.out.values():
            if one.name not in self._taken and claims.holder(one.place) is not None:
                self._taken[one.name] = time.monotonic()

    def free(self, one: Out) -> None:
        """Take note that nobody has a stage any more."""
        self._taken.pop(one.name, None)

    def untaken(self) -> list[Out]:
        """Return the shared stages that no pilot has."""
        return [one for one in self.shared() if one.name not in self._taken]

    def load(self, one: Out) -> Load:
        """Return what a stage is to a job."""
        resources = one.briefing.order.resources
        since = self._taken.get(one.name)
        runs_for_s = None if since is None else time.monotonic() - since
        forecast = self.backlog.forecast(one.briefing)
        return Load.of(one.name, resources, forecast, runs_for_s=runs_for_s)
