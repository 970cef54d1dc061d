"""The pilot: takes stages as long as there are any, and time for them; then it leaves.

It has one thread and imports once what all its children need, so that a child begins within
milliseconds.
"""

from __future__ import annotations

import gc
import logging
import os
import select
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType

from fireworks_ext.folders.claims import BEAT_S
from fireworks_ext.folders.exchange import Exchange, PilotOrder
from runner.clock import Clock
from runner.pilot import deaths, hand, starts
from runner.pilot.choice import Offer, choose, is_out_of_time
from runner.pilot.crew import Crew, Gone
from runner.pilot.kinship import adopt_orphans
from runner.pilot.offers import Offers
from runner.pilot.post import Post
from runner.pilot.tally import Tally

logger = logging.getLogger(__name__)

POLL_S = 0.2
"""Between two looks; the end of a child is noticed at once."""
LEAVE_S = 1.0
"""Between two looks at whether all are to leave."""
REPORT_S = 30.0
CORES_AGAIN_S = 0.2
"""Between two tries to get cores that something else on this machine holds."""
AWAY_S = 60.0
"""An exchange folder that cannot be read for so long is gone."""
SHORTEST_GRACE_S = 8.0
TIDY_S = 30.0
"""Of the time before the job's end: for results to be read and written after programs stopped."""
KILL_AFTER_S = 20.0
"""After the grace: what has not ended by itself then never will."""


NOT_STARTED_AGAIN_S = 600.0
"""Until a stage whose program did not start here is tried here again: others may start it."""


@dataclass
class Pilot:
    """One process in a job, and its children."""

    exchange: Exchange
    job: str
    order: PilotOrder
    post: Post
    environ: Mapping[str, str]
    leaving: str | None = None
    """Why nothing new is taken."""
    tally: Tally = field(default_factory=Tally)
    _stopped_at: float | None = None
    _asked: list[signal.Signals] = field(default_factory=list)
    _changed: bool = False
    _cores_at: float = 0.0
    """When to try again to get cores."""
    _busy_at: float = field(default_factory=time.monotonic)
    _away_since: float | None = None
    _looked_again: bool = False
    _not_started: set[str] = field(default_factory=set)
    """Stages whose program did not start, since the last whose program did."""

    def __post_init__(self) -> None:
        self._ears, self._ring = os.pipe()
        os.set_blocking(self._ring, False)  # what the interpreter asks of a wakeup descriptor
        os.set_blocking(self._ears, False)
        grace_s = max(self.order.stop_before_s - TIDY_S, SHORTEST_GRACE_S)
        self._crew = Crew(
            self.exchange,
            self.job,
            self.post,
            grace_s,
            self.environ,
            foreign=(self._ears, self._ring),
        )
        index = self.post.allocation.index
        shared = None if self.order.own_only else self.exchange.stages
        self._offers = Offers(shared, self.exchange.own(self.job, index))
        self._every = {
            "beat": Clock(BEAT_S),
            "report": Clock(REPORT_S),
            "leave": Clock(LEAVE_S),
        }

    def run(self) -> str:
        """Work until there is a reason to leave; return it."""
        self._listen()
        adopt_orphans()
        gc.collect()
        gc.freeze()  # a collection in a child would copy every page of the imported modules
        while True:
            self._settle(self._crew.reap())
            self._obey()
            if self.leaving is None:
                self._take()
            if not self._crew.members:
                self.leaving = self.leaving or self._nothing_left()
                if self.leaving:
                    break
            if self._every["beat"].due():
                self._crew.beat()
            if self._every["report"].due():
                self._report()
            self._sleep()
        self._report()
        return self.leaving

    def _listen(self) -> None:
        """Take note of signals, and of children that end, wherever we are."""

        def note(number: int, _frame: FrameType | None) -> None:
            self._asked.append(signal.Signals(number))

        signal.set_wakeup_fd(self._ring, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for one in hand.OBEYED:
            signal.signal(one, note)

    def _sleep(self) -> None:
        """Return when a signal comes or a child ends, or it is time for another look."""
        ready, _, _ = select.select([self._ears], [], [], POLL_S)
        if ready:
            os.read(self._ears, 65536)

    def _settle(self, gone: list[Gone]) -> None:
        """Do what is to be done after children have ended."""
        for one in gone:
            self._changed = True
            self._busy_at = time.monotonic()
            self.tally.add(one)
            name = one.member.offer.name
            self._judge_machine(one)
            if one.code == hand.DONE:
                self._offers.drop(name)
                continue
            if one.code == hand.NOT_OURS or one.member.is_lost:
                self._offers.give_back(name)
            elif one.code == hand.DISK_AWAY:
                # Here is a place where everything would end like that.
                self.leaving = self.leaving or "disk"
            elif one.code == hand.NOT_STARTED:
                self._offers.give_back(name, again_s=NOT_STARTED_AGAIN_S)
            else:
                self._mourn(one)
                self._offers.give_back(name, again_s=0.0)
            one.member.claim.give_back()  # without harm where somebody has succeeded us

    def _judge_machine(self, one: Gone) -> None:
        """Leave a machine on which no program starts: each stage would fail there at once."""
        if one.not_started is None:
            if one.code == hand.DONE:
                self._not_started.clear()
            return
        self._not_started.add(one.member.offer.name)
        if len(self._not_started) >= starts.MOST_IN_A_ROW:
            self.leaving = self.leaving or f"{starts.NO_PROGRAMS}: {one.not_started}"

    def _mourn(self, one: Gone) -> None:
        """Count a child that died: the stage is tried again, but not for ever."""
        self.tally.died += 1
        name = one.member.offer.name
        logger.warning("%s: its process died (%d)", name, one.code)
        output = self.exchange.output(self.job, name)
        try:
            if deaths.count(self.exchange, one.member.claim.folder, one.code, output):
                self._offers.drop(name)
        except OSError as error:
            logger.warning("%s", error)

    def _obey(self) -> None:
        """Stop what runs when that is asked for, or the job ends soon."""
        now = time.time()
        asked, self._asked = self._asked, []
        ends = self.post.stop_at is not None and now >= self.post.stop_at
        if asked or (ends and self._stopped_at is None):
            urgent = any(one is not signal.SIGUSR1 for one in asked)
            self.leaving = self.leaving or ("asked" if asked else "time")
            self._stopped_at = self._stopped_at or time.monotonic()
            self._crew.stop(signal.SIGTERM if urgent else signal.SIGUSR1)
        if self._stopped_at is not None:
            late_s = time.monotonic() - self._stopped_at - self._crew.grace_s
            if late_s > KILL_AFTER_S:
                self._crew.kill()
        elif self.leaving is None and self._every["leave"].due():
            with suppress(OSError):  # the next look is another chance
                self.leaving = "leave" if self.exchange.is_leaving() else None

    def _take(self) -> None:
        """Start what fits."""
        try:
            if self._changed:  # what is known already: cores wait for no file system
                self._changed = False
                self._fill()
            if self._free():
                self._offers.look()
                self._fill()
            self._away_since = None
        except OSError as error:
            self._lost(error)

    def _free(self) -> int:
        return self.post.allocation.cores - sum(one.cores for one in self._crew.busy())

    def _lost(self, error: OSError) -> None:
        now = time.monotonic()
        if self._away_since is None:
            logger.warning("%s", error)
        self._away_since = self._away_since or now
        gone = isinstance(error, FileNotFoundError) and not self.exchange.root.exists()
        if gone or now - self._away_since > AWAY_S:
            self.leaving = "exchange"

    def _fill(self) -> None:
        """Start stages until nothing fits; where others are quicker, choose again."""
        again = True
        while again and self._free() and time.monotonic() >= self._cores_at:
            choice = choose(self._offers.open(), self._crew.busy(), self.post.seat())
            self._offers.pass_over(choice.passed_over)
            again = False
            for one in choice.start:
                again |= not self._start(one)
                if time.monotonic() < self._cores_at:
                    return

    def _start(self, offer: Offer) -> bool:
        """Start a stage; tell whether it was started."""
        start = self._crew.start(offer, self._offers.place(offer.name))
        match start.how:
            case "started":
                self._offers.take(offer.name)
                self._busy_at = time.monotonic()
                self._looked_again = False
                return True
            case "no cores":
                self._cores_at = time.monotonic() + CORES_AGAIN_S
            case "taken":
                self._offers.taken(offer.name, start.claim)
            case "alone":
                self._offers.isolate(offer.name)
            case "ended":
                self._offers.drop(offer.name)
        return False

    def _nothing_left(self) -> str | None:
        """Tell why there is nothing to stay for, while nothing runs; None: there may be."""
        if self.order.own_only and not self._offers.any_left():
            return "done"
        if is_out_of_time(self._offers.open(), self.post.seat()):
            return "time"
        if time.monotonic() - self._busy_at <= self.order.idle_s:
            return None
        if not self._looked_again:  # what others had may be free since
            self._looked_again = True
            self._offers.hurry()
            return None
        return "idle"

    def _report(self) -> None:
        members = self._crew.members.values()
        seat = self.post.seat()
        large = [one.name for one in self._offers.open() if not seat.is_large_enough(one)]
        left = None if members else self.leaving
        report = self.tally.report(self.post.allocation, members, left, large)
        try:
            self.exchange.report(self.job, report)
        except OSError as error:
            logger.warning("%s", error)
