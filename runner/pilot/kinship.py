"""What becomes of processes whose parent dies: Linux, prctl(2)."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Collection
from contextlib import suppress

import psutil

from fireworks_ext.processes import end_session

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
"""From linux/prctl.h."""


def tell_of_death_of_parent(number: signal.Signals) -> None:
    """Have this process sent a signal when its parent dies; programs that it starts have not.

    A parent that is dead already sends nothing: ask for its number afterwards.
    """
    _prctl(_PR_SET_PDEATHSIG, number)


def adopt_orphans() -> None:
    """Become the parent of all that our children leave behind."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_orphans(children: Collection[int], cores: Collection[int]) -> int:
    """End what a dead child left running, with all that it started; return how many there were.

    Parameters
    ----------
    children
        Our living children, which are left alone. What their programs have left to us (a launcher's
        daemon, say) is known by its session, which one of theirs leads.
    cores
        That the dead child was bound to, so what it left is, too; none: it was bound to none.
    """
    found = [
        one
        for one in psutil.Process().children()
        if one.pid not in children and (_is_bound(one, cores) if cores else _is_alone(one))
    ]
    for one in found:
        with suppress(psutil.Error):
            _kill_family(one)
    return len(found)


def _is_bound(process: psutil.Process, cores: Collection[int]) -> bool:
    try:
        alive = process.status() != psutil.STATUS_ZOMBIE
        return alive and os.sched_getaffinity(process.pid) <= set(cores)
    except (psutil.Error, OSError):  # it has ended
        return False


def _is_alone(process: psutil.Process) -> bool:
    try:
        leader = os.getsid(process.pid)
        return process.status() != psutil.STATUS_ZOMBIE and (
            leader == process.pid or not psutil.pid_exists(leader)
        )
    except (psutil.Error, OSError):  # as above
        return False


def kill(pid: int) -> None:
    """Kill a process and all that it started."""
    with suppress(psutil.Error):
        _kill_family(psutil.Process(pid))


def _kill_family(process: psutil.Process) -> None:
    family = [process, *process.children(recursive=True)]
    # Programs lead sessions of their own; ranks whose launcher has ended are found by it only.
    leaders = [one.pid for one in family if _leads(one.pid)]
    for one in family:
        with suppress(psutil.Error):
            one.kill()
    for leader in leaders:
        end_session(leader, grace_s=0.0)


def _leads(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


def _prctl(option: int, value: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "prctl")
