"""Claims on a folder, where there is no database to lease from: of all that want it, one gets it.

A claim is a file `claim-N` whose number counts up with every holder; who creates the next number
(which only one can, on any file system that creates exclusively, NFS from version 3 on included)
has the folder. Its holder touches it every `BEAT_S`; one that was not touched for `STALE_S`, or
whose process is known to be gone, may be succeeded.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fireworks_ext.processes import Process, is_gone, parse

BEAT_S = 20.0
STALE_S = 120.0
PREFIX = "claim-"
GIVEN_BACK = "-"
ASK_S = 20.0
"""Between two questions for a file system's time; in between it goes on as ours does."""


@dataclass(frozen=True)
class Claim:
    """A folder that is ours, as long as its holder lives and beats."""

    path: Path
    job: str = ""
    """The job in which its holder runs, where that is in one."""

    @property
    def folder(self) -> Path:
        """What is claimed."""
        return self.path.parent

    @property
    def number(self) -> int:
        """How many have held the folder, this one included."""
        return _number(self.path)

    def beat(self) -> None:
        """Show that its holder lives; at least every `BEAT_S`. Raises OSError."""
        os.utime(self.path)

    def is_ours(self) -> bool:
        """Tell whether nobody has succeeded us: who was halted for long may find that.

        Raises OSError where the folder cannot be asked.
        """
        following = self.folder / f"{PREFIX}{_number(self.path) + 1}"
        # Not `exists`: a file system that does not answer is no answer.
        try:
            following.stat()
        except FileNotFoundError:
            return self.folder.is_dir()
        return False

    def hand_to(self, process: Process) -> bool:
        """Let another process hold it from now on; tell whether it was still ours to hand on."""
        self._say(_text(process, self.job))
        return self.is_ours()

    def give_back(self) -> None:
        """Let others have the folder; the file stays, so that numbers only grow."""
        try:
            self._say(GIVEN_BACK)
        except OSError:  # a full disk; or whoever took the result in removed the folder
            self.let_go()

    def let_go(self) -> None:
        """Have it count as one that nobody touched for long: that needs no room on a disk."""
        with suppress(OSError):  # then it is free when its time is over
            os.utime(self.path, (0, 0))

    def _say(self, text: str) -> None:
        aside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        aside.write_text(text, encoding="utf-8")
        aside.replace(self.path)


@contextmanager
def claimed(folder: Path, owner: Process) -> Iterator[bool]:
    """Hold the claim on a folder while the body runs; False where somebody else has it.

    The claim of an owner whose body came to its end is taken away: the folder is free again.
    """
    claim = claim_folder(folder, owner)
    if claim is None:
        yield False
        return
    done = threading.Event()
    beat = threading.Thread(target=_beat_for_ever, args=(claim, done), daemon=True)
    beat.start()
    try:
        yield True
    finally:
        done.set()
        beat.join()
        claim.give_back()


def claim_folder(folder: Path, owner: Process, job: str = "") -> Claim | None:
    """Claim a folder, or return None where somebody else has it, or it is gone.

    Who claims is to beat. `job`: in which the owner runs, for those who hear of jobs that ended.
    """
    return claim_after(last_claim(folder), folder, owner, job)


def claim_after(
    last: Claim | None,
    folder: Path,
    owner: Process,
    job: str = "",
    *,
    now: Callable[[], float] | None = None,
) -> Claim | None:
    """Claim a folder as `claim_folder` does, for one who has seen its last claim.

    `now`: a `FileSystemClock` that tries at many folders share.
    """
    if last is not None and not _is_free(last.path, now):
        return None
    path = folder / f"{PREFIX}{last.number + 1 if last else 1}"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_text(owner, job))
    except (FileExistsError, FileNotFoundError):  # or its result was taken in, with the folder
        return None
    except OSError:
        Claim(path).let_go()
        raise
    return Claim(path, job)


def last_claim(folder: Path) -> Claim | None:
    """Return the claim that holds, or held last; None for a folder that nobody ever had."""
    held = max(folder.glob(f"{PREFIX}*"), key=_number, default=None)
    return None if held is None else Claim(held)


def holder(folder: Path) -> Process | None:
    """Return who has a folder, as far as it says; None where nobody has."""
    name, _ = _said(last_claim(folder))
    return parse(name)


def job_of(folder: Path) -> str:
    """Return the job in which the holder of a folder runs; empty where that is in none."""
    _, of_job = _said(last_claim(folder))
    return of_job


def take_away(folder: Path, of_job: str) -> None:
    """Free a folder whose holder ran in a job that is over."""
    claim = last_claim(folder)
    if claim is not None and _said(claim)[1] == of_job:
        claim.give_back()


def _text(process: Process, of_job: str) -> str:
    return f"{process.name} {of_job}".rstrip()


def _said(claim: Claim | None) -> tuple[str, str]:
    """Return what a claim says: its holder, and the job in which that runs."""
    if claim is None:
        return "", ""
    try:
        name, _, of_job = claim.path.read_text(encoding="utf-8").partition(" ")
    except FileNotFoundError:  # it was taken in meanwhile
        return "", ""
    return name, of_job


@dataclass
class FileSystemClock:
    """The time of the file system of a folder, asked for now and then: one file made and removed.

    In between it is rather late than early, so no claim counts as deserted too soon.
    """

    folder: Path
    _ahead_s: float = 0.0
    _asked_at: float = float("-inf")

    def now(self) -> float:
        """Return it, Unix time, s. Raises OSError."""
        ours = time.monotonic()
        if ours - self._asked_at >= ASK_S:
            told = time_of(self.folder)
            ours = time.monotonic()
            self._ahead_s, self._asked_at = told - ours, ours
        return ours + self._ahead_s


def _is_free(path: Path, now: Callable[[], float] | None = None) -> bool:
    """Tell whether a claim was given back, or its holder is gone."""
    try:
        text, touched = path.read_text(encoding="utf-8"), path.stat().st_mtime
        name, _, _ = text.partition(" ")
        if name == GIVEN_BACK:
            return True
        process = parse(name)
        if process is not None and is_gone(process):
            return True
        return (time_of(path.parent) if now is None else now()) - touched > STALE_S
    except FileNotFoundError:
        return False  # it changes under our eyes: somebody is quicker


def time_of(folder: Path) -> float:
    """Return the time as the file system has it: clocks of machines differ."""
    probe = folder / f".now-{os.getpid()}-{threading.get_ident()}"
    probe.touch()
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink()


def _beat_for_ever(claim: Claim, done: threading.Event) -> None:
    while not done.wait(BEAT_S):
        with suppress(OSError):  # the next beat is another chance: STALE_S is six of them
            claim.beat()


def _number(path: Path) -> int:
    number = path.name.removeprefix(PREFIX)
    return int(number) if number.isdigit() else 0
