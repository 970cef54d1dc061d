"""The process that workers are forked from: it imports the target once, for all of them.

It has one thread and never runs the target itself, so forking it is safe whatever the controller
does. It is told `<slot>` per line on its standard input, and ends at the end of that input; workers
that still run finish their work without it.

`multiprocessing`'s fork server would do nearly this. It imports the caller's main module again in
every worker, hides a failed import of the target, and takes over its caller's environment, in
which numpy starts threads before the fork.
"""

import gc
import json
import os
import select
import signal
import sys
from types import FrameType
from typing import NoReturn

from launchers.local.worker import HANDLED, Assignment, report, resolve, work


def main() -> NoReturn:
    """Serve the controller until it closes our standard input."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    assignment = Assignment(**json.loads(_first_line()))
    for descriptor in assignment.descriptors():
        # Forked workers have them, their programs do not.
        os.set_inheritable(descriptor, False)  # noqa: FBT003  (positional only)
    sys.path[:] = assignment.path
    try:
        resolve(assignment.target)
    except (ImportError, AttributeError) as error:
        report(assignment.report, failed=f"{assignment.target}: {type(error).__name__}: {error}")
        sys.exit(1)
    gc.collect()
    gc.freeze()  # a collection in a worker would copy every page of the imported modules
    parent = os.getpid()
    slot = _serve(assignment)
    # Only workers get a slot: they leave here, with everything that belongs to the nursery undone.
    sys.exit(0 if slot is None else work(slot, assignment, parent))


def _first_line() -> bytes:
    """Read one line and nothing behind it."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:  # the controller died before it said anything
            sys.exit(0)
        line += byte
    return line


def _serve(assignment: Assignment) -> int | None:
    """Fork and reap until the input ends; return the slot in a forked worker, else None."""
    workers: dict[int, int] = {}
    news, ring = os.pipe()
    os.set_blocking(ring, False)  # what the interpreter asks of a wakeup descriptor
    signal.signal(signal.SIGCHLD, _note)
    signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
    rest = b""
    while True:
        ready, _, _ = select.select([0, news], [], [])
        if news in ready:
            os.read(news, 4096)
            _reap(workers, assignment.report)
        if 0 in ready:
            text = os.read(0, 4096)
            if not text:
                return None
            *slots, rest = (rest + text).split(b"\n")
            for slot in slots:
                pid = os.fork()
                if pid == 0:
                    _leave(news, ring)
                    return int(slot)
                workers[pid] = int(slot)
                report(assignment.report, started=int(slot), pid=pid)


def _leave(*own: int) -> None:
    """Undo, in a forked worker, what belongs to the nursery."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for descriptor in own:
        os.close(descriptor)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _note(_number: int, _frame: FrameType | None) -> None:
    """Let the interpreter ring the wakeup descriptor."""


def _reap(workers: dict[int, int], descriptor: int) -> None:
    while workers:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        if pid in workers:
            code = os.waitstatus_to_exitcode(status)
            report(descriptor, ended=workers.pop(pid), pid=pid, code=code)


if __name__ == "__main__":
    main()
