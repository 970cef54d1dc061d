"""The child of a pilot that carries one stage out, from its fork to its exit code."""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

from fireworks_ext.artefacts import Artefacts
from fireworks_ext.folders.claims import Claim
from fireworks_ext.folders.exchange import Exchange
from fireworks_ext.folders.offline import RESULT, read_stage
from fireworks_ext.processes import this_process
from fireworks_ext.worker.execution import carry_out
from fireworks_ext.worker.session import Session
from launchers.local.cores import pin
from runner.pilot import starts
from runner.pilot.environment import environment
from runner.pilot.kinship import tell_of_death_of_parent
from schemas.clock import SECONDS_PER_MINUTE
from schemas.endings import Interrupted
from schemas.handover import Briefing, Delivery

logger = logging.getLogger(__name__)

DONE, NOT_OURS, DISK_AWAY, NOT_STARTED, BROKEN = 0, 3, 4, 5, 70
"""Exit codes: a result is written; somebody else has the stage, or will; nothing can be written
here; its program did not start, which may be this machine's fault; none of these was foreseen."""
TIDY = frozenset({DONE, NOT_OURS, DISK_AWAY, NOT_STARTED})
OBEYED = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT, signal.SIGHUP)
URGENT_GRACE_S = 15.0
"""For a program to save its state after SIGTERM: schedulers kill half a minute after that (Slurm's
KillWait)."""
WRITE_TRIES, WRITE_AGAIN_S = 10, 3.0
"""For a result that cannot be written, as its disk is full or does not answer."""


@dataclass(frozen=True)
class Errand:
    """A stage, and what it is carried out with."""

    exchange: Exchange
    claim: Claim
    cores: tuple[int, ...]
    gpus: tuple[str, ...]
    pinned: bool
    locks: tuple[int, ...]
    """Open files that hold the cores; programs inherit them."""
    foreign: tuple[int, ...]
    """Open files of the pilot: cores of other stages among them, which would stay taken."""
    answer: int
    """Takes one line of JSON: what was used."""
    output: Path
    grace_s: float
    """For a program to save its state, if that is not urgent."""
    limit_s: float | None
    """For a stage that outlasts any job and cannot go on in the next: then it has failed, where it
    would be begun again for ever."""
    outer: dict[str, str]
    """The environment that the pilot was started in."""


@dataclass
class Said:
    """What a child tells its pilot at its end, beside its exit code."""

    program_cpu_s: float = 0.0
    not_started: str | None = None
    """What was observed where the program did not start."""


def run(errand: Errand, parent: int) -> int:
    """Carry a stage out in this process; return its exit code.

    It is called with the signals of `OBEYED` blocked.
    """
    said = Said()
    try:
        for descriptor in errand.foreign:
            os.close(descriptor)
        _redirect(errand.output)
        code = _carry(errand, parent, said)
    except OSError as error:
        logger.warning("%s", error)
        code = DISK_AWAY
    except BaseException:  # noqa: BLE001  (the pilot counts it, and goes on)
        traceback.print_exc()
        code = BROKEN
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    with suppress(OSError):
        if errand.output.stat().st_size == 0:
            errand.output.unlink()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    said.program_cpu_s = round(used.ru_utime + used.ru_stime, 3)
    with suppress(OSError):  # the pilot was killed
        os.write(errand.answer, json.dumps(asdict(said)).encode() + b"\n")
    return code


def _carry(errand: Errand, parent: int, said: Said) -> int:
    place = errand.claim.folder
    tell_of_death_of_parent(signal.SIGTERM)
    # From here on the claim lives as long as this process: programs of ours would be in the way of
    # whoever took the stage because the pilot alone was killed.
    if not _holds(errand, parent, hand=True):
        return NOT_OURS
    stage = read_stage(place) if not (place / RESULT).exists() else None
    if stage is None:
        return NOT_OURS
    if errand.pinned:
        pin(errand.cores)
    cores = errand.cores if errand.pinned else ()
    resources = stage.briefing.order.resources
    inner = environment(errand.outer, resources, stage.site, cores, errand.gpus)
    os.environ.clear()
    os.environ.update(inner)
    session = Session(
        None,
        stage.site,
        Artefacts(stage.artefacts),
        inherit_fds=errand.locks,
        stop_grace_s=errand.grace_s,
    )
    _obey(session)
    delivery = carry_out(session, _limited(stage.briefing, errand.limit_s))
    if isinstance(delivery.ending, Interrupted) and session.disk.why is not None:
        logger.warning("%s", session.disk.why)
        return DISK_AWAY
    said.not_started = starts.why_not(delivery.ending)
    if said.not_started is not None:
        if not _holds(errand, parent):
            return NOT_OURS
        own = place.parent != errand.exchange.stages
        if not starts.is_final(errand.exchange, place.name, own=own):
            return NOT_STARTED
    return _written(errand, parent, delivery)


def _limited(briefing: Briefing, limit_s: float | None) -> Briefing:
    """Return a briefing whose calculation has no more time than that."""
    if limit_s is None:
        return briefing
    order = briefing.order
    minutes = min(order.resources.walltime_min, max(limit_s, 1.0) / SECONDS_PER_MINUTE)
    resources = order.resources.model_copy(update={"walltime_min": minutes})
    return briefing.model_copy(update={"order": order.model_copy(update={"resources": resources})})


def _holds(errand: Errand, parent: int, *, hand: bool = False) -> bool:
    """Tell whether the stage is still ours: our pilot lives, and nobody has succeeded it."""
    try:
        ours = errand.claim.hand_to(this_process()) if hand else errand.claim.is_ours()
    except FileNotFoundError:
        return False
    return ours and os.getppid() == parent


def _written(errand: Errand, parent: int, delivery: Delivery) -> int:
    """Write down how the stage ended, if that is still ours to say.

    What cannot be written is in the run directory: who has the stage next takes it in.
    """
    for _ in range(WRITE_TRIES):
        try:
            if not _holds(errand, parent):
                return NOT_OURS
            errand.exchange.finish(errand.claim.folder, delivery)
        except OSError as error:
            logger.warning("%s", error)
            time.sleep(WRITE_AGAIN_S)
        else:
            return DONE
    return DISK_AWAY


def _redirect(output: Path) -> None:
    """Have all that is printed from now on in a file; where there can be none, with the job's."""
    sys.stdout.flush()
    sys.stderr.flush()
    with suppress(OSError):
        output.parent.mkdir(exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        file = os.open(output, flags, 0o644)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.close(file)


def _obey(session: Session) -> None:
    """Stop at SIGTERM and SIGUSR1; leave to the pilot what a terminal sends to all of us."""

    def stop(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGTERM:
            session.stop_grace_s = min(session.stop_grace_s, URGENT_GRACE_S)
        session.stop()

    def ignore(_number: int, _frame: FrameType | None) -> None:
        """Do nothing: programs, unlike with SIG_IGN, start with the default."""

    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGUSR1, stop)
    signal.signal(signal.SIGINT, ignore)
    signal.signal(signal.SIGHUP, ignore)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, OBEYED)
