"""Which processes live: workers by name, programs by the directory in which they run."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil

from schemas.model import Model

TERMINATE_GRACE_S = 5.0
"""Less than the grace that a launcher gives its workers, who have to write down what happened."""


FIRST_NAMESPACE = 0xEFFFFFFC
"""Of process ids, outside of all containers (Linux, include/linux/proc_ns.h: PROC_PID_INIT_INO)."""


class Process(Model):
    """A process that can be recognised again: a pid alone comes back with another program.

    `host` is what `place_name` says there.
    """

    host: str
    pid: int
    started: int

    @property
    def name(self) -> str:
        """The process as one word, `host:pid:started`; `parse` reads it."""
        return f"{self.host}:{self.pid}:{self.started}"


@cache
def host_name() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


@cache
def place_name() -> str:
    """Return the name of those processes of this machine that can see each other.

    Containers may have the name of their host, or each other's, and processes of their own.
    """
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    return host_name() if namespace == FIRST_NAMESPACE else f"{host_name()}~{namespace}"


def _started(pid: int) -> int | None:
    """Return the start time in clock ticks since boot, or None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def this_process() -> Process:
    """Return the calling process."""
    return Process(host=place_name(), pid=os.getpid(), started=_started(os.getpid()) or 0)


def parse(name: str) -> Process | None:
    """Return the process that a name stands for, or None for a name that is not ours."""
    host, _, rest = name.rpartition(":")
    host, _, pid = host.rpartition(":")
    if not (host and pid.isdigit() and rest.isdigit()):
        return None
    return Process(host=host, pid=int(pid), started=int(rest))


def is_gone(process: Process) -> bool:
    """Tell whether the process is known to have ended: only its own machine can know."""
    return process.host == place_name() and _started(process.pid) != process.started


def running_in(directory: Path) -> list[psutil.Process]:
    """Return the processes on this machine whose working directory is `directory`.

    A program that outlived its worker is found by this, also when the worker was killed before it
    could write down which process it had started.
    """
    found = []
    real = os.path.realpath(directory)  # a working directory is reported without links
    for process in psutil.process_iter():
        try:
            if process.cwd() == real and process.pid != os.getpid():
                found.append(process)
        except (psutil.Error, OSError):
            continue  # it ended meanwhile, or belongs to somebody else
    return found


def end_session(leader: int, grace_s: float = TERMINATE_GRACE_S) -> None:
    """End a program and its ranks: SIGTERM to the leader's group, SIGKILL to all after the grace.

    The leader was started in a session of its own; MPI launchers put ranks into groups of their
    own, but they stay in the session.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while _session(leader) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in _session(leader):
        with suppress(psutil.Error):
            process.kill()


def _session(leader: int) -> list[psutil.Process]:
    members = []
    for process in psutil.process_iter():
        with suppress(OSError, psutil.Error):
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
    return members
