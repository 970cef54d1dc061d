"""The children of a pilot: each carries one stage out, on cores of its own."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fireworks_ext.folders.claims import Claim, FileSystemClock, claim_after, last_claim
from fireworks_ext.folders.exchange import Exchange
from fireworks_ext.folders.offline import ALONE, RESULT
from fireworks_ext.processes import this_process
from launchers.local.cores import CoreClaim
from runner.pilot import hand
from runner.pilot.choice import Busy, Offer
from runner.pilot.kinship import end_orphans, kill
from runner.pilot.post import Post

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """What came of starting a stage."""

    how: Literal["started", "no cores", "taken", "ended", "alone"]
    """alone: it may, but by itself only."""
    claim: int = 0
    """The number of the claim that somebody else has."""


@dataclass
class Member:
    """A child, as its pilot knows it."""

    offer: Offer
    claim: Claim
    cores: CoreClaim
    answer: int
    gpus: tuple[str, ...] = ()
    began: float = field(default_factory=time.monotonic)
    is_lost: bool = False
    """Somebody else has its stage, or it was killed by us: how it ends is nobody's fault."""

    @property
    def seconds(self) -> float:
        """How long it has been there."""
        return time.monotonic() - self.began


@dataclass(frozen=True)
class Gone:
    """A child that has ended."""

    member: Member
    code: int
    """As `os.waitstatus_to_exitcode` says it."""
    program_cpu_s: float
    not_started: str | None = None
    """What was observed where the stage's program did not start."""


@dataclass
class Crew:
    """All children of this process."""

    exchange: Exchange
    job: str
    post: Post
    grace_s: float
    environ: Mapping[str, str]
    foreign: tuple[int, ...] = ()
    """Open files of this process that are none of a child's business."""
    members: dict[int, Member] = field(default_factory=dict)
    """By process id."""

    def __post_init__(self) -> None:
        self._clock = FileSystemClock(self.exchange.root)

    def busy(self) -> list[Busy]:
        """Return what is taken."""
        seat = self.post.seat()
        return [
            seat.held_by(one.offer, one.offer.expected_s - one.seconds)
            for one in self.members.values()
        ]

    def start(self, offer: Offer, place: Path) -> Start:
        """Take a stage, if its cores and its folder can be had, and have a child carry it out.

        Raises OSError where folder or machine refuse.
        """
        cores = self.post.claim(offer.cores)
        if not cores.try_take():  # a program outlived its pilot, or another job has not ended
            return Start("no cores")
        claim = None
        try:
            last = last_claim(place)
            job = self.post.allocation.job
            claim = claim_after(last, place, this_process(), job, now=self._clock.now)
            if claim is None:
                return Start("taken", last.number if last else 0)
            if (place / RESULT).exists():
                return Start("ended")
            if last is not None and not offer.alone and (place / ALONE).exists():
                claim.give_back()
                return Start("alone")
            gpus = self._free_gpus(offer.gpus)
            pid, answer = self._fork(offer, claim, cores, gpus)
            self.members[pid] = Member(offer, claim, cores, answer, gpus)
        except OSError:
            if claim is not None:
                claim.give_back()
            raise
        finally:
            if not any(one.cores is cores for one in self.members.values()):
                cores.release()
        return Start("started")

    def reap(self) -> list[Gone]:
        """Return the children that have ended, and end what those left that could not tidy up."""
        gone: list[Gone] = []
        with suppress(ChildProcessError):
            while True:
                pid, status, used = os.wait4(-1, os.WNOHANG)
                if pid == 0:
                    break
                member = self.members.pop(pid, None)
                if member is None:  # an orphan of a child's
                    continue
                code = os.waitstatus_to_exitcode(status)
                said = _answer(member.answer)
                spent_s = used.ru_utime + used.ru_stime if said is None else said.program_cpu_s
                gone.append(Gone(member, code, spent_s, said.not_started if said else None))
        for one in gone:
            if one.code not in hand.TIDY:
                self._tidy_up(one.member)
        for one in gone:
            if one.code in hand.TIDY:
                _unlock(one.member.cores)
            one.member.cores.release()
        return gone

    def beat(self) -> None:
        """Show that what we hold is still held; stop what somebody else has now."""
        for pid, member in self.members.items():
            if member.is_lost:
                continue
            try:
                member.claim.beat()
                member.is_lost = not member.claim.is_ours()
            except FileNotFoundError:
                member.is_lost = True
            except OSError as error:  # the next beat is another chance
                logger.warning("%s", error)
            if member.is_lost:
                logger.warning("%s: is somebody else's now, and is stopped", member.offer.name)
                _signal(pid, signal.SIGTERM)

    def stop(self, number: signal.Signals) -> None:
        """Have all stages stopped, their state saved: SIGUSR1, or SIGTERM where that is urgent."""
        for pid in self.members:
            _signal(pid, number)

    def kill(self) -> None:
        """End all that is left at once."""
        for pid, member in self.members.items():
            member.is_lost = True
            kill(pid)

    def _free_gpus(self, number: int) -> tuple[str, ...]:
        """Return so many that no other stage has; none where nobody knows them."""
        taken = {gpu for one in self.members.values() for gpu in one.gpus}
        free = [one for one in self.post.allocation.gpus or () if one not in taken]
        return tuple(free[:number])

    def _limit_s(self, offer: Offer) -> float | None:
        """Return how long a stage may take that could not go on in another job."""
        seat = self.post.seat()
        return None if offer.continues or not seat.outlasts(offer) else seat.left_s

    def _tidy_up(self, member: Member) -> None:
        """End what a child left that died: it would go on beside whoever has the stage next."""
        left = end_orphans(self.members.keys(), member.cores.cores if self.post.pinned else ())
        if left:
            logger.warning("%s: its process died, %d others were ended", member.offer.name, left)

    def _fork(
        self, offer: Offer, claim: Claim, cores: CoreClaim, gpus: tuple[str, ...]
    ) -> tuple[int, int]:
        """Return a child's process id, and the descriptor that it answers on."""
        answer, told = os.pipe()
        others = self.members.values()
        foreign = [fd for one in others for fd in (one.answer, *one.cores.descriptors)]
        errand = hand.Errand(
            exchange=self.exchange,
            claim=claim,
            cores=cores.cores,
            gpus=gpus,
            pinned=self.post.pinned,
            locks=cores.descriptors,
            foreign=(answer, *self.foreign, *foreign),
            answer=told,
            output=self.exchange.output(self.job, offer.name),
            grace_s=self.grace_s,
            limit_s=self._limit_s(offer),
            outer=dict(self.environ),
        )
        before = signal.pthread_sigmask(signal.SIG_BLOCK, hand.OBEYED)
        parent = os.getpid()
        try:
            pid = os.fork()
            if pid == 0:
                # Nothing of the pilot's is to be undone: no frame above this one runs again.
                os._exit(hand.run(errand, parent))
        except OSError:
            os.close(answer)
            raise
        finally:
            os.close(told)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pid, answer


def _answer(descriptor: int) -> hand.Said | None:
    """Return what a child said at its end."""
    try:
        return hand.Said(**json.loads(os.read(descriptor, 4096)))
    except (OSError, ValueError, TypeError):
        return None
    finally:
        os.close(descriptor)


def _unlock(cores: CoreClaim) -> None:
    """Free cores although a child that was forked meanwhile still has copies of their files open.

    It closes them as soon as it runs, which takes a while where the machine is busy.
    """
    for descriptor in cores.descriptors:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
