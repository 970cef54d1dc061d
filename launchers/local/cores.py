"""Who holds which core of this machine: one locked file per core.

The lock is flock(2): it belongs to the open file, not to the process, so a program that inherits
the descriptor keeps the core taken after its worker was killed, and the kernel frees the core when
the last of them ends. Nothing is ever cleaned up by hand. The folder must be on a local disk: over
NFS the kernel turns flock into locks of one process (flock(2), "NFS details").
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

RETRY_S = 0.2  # between looks for free cores; the longest delay of a drain while waiting
GUARD_RETRY_S = 0.005  # others hold the guard for well under a millisecond
GUARD_TRIES = 20


class CoreClaim:
    """Some cores of this machine, held all together or not at all."""

    def __init__(self, folder: Path, cores: Sequence[int], count: int) -> None:
        self._folder = folder
        self._cores = tuple(cores)
        self._count = count
        self._held: dict[int, int] = {}

    @property
    def cores(self) -> tuple[int, ...]:
        """The numbers of the cores that are held, ascending."""
        return tuple(self._held)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The open files that hold them."""
        return tuple(self._held.values())

    def take(self, *, give_up: Callable[[], bool]) -> bool:
        """Wait until enough cores are free and hold them; tell whether they are held.

        Parameters
        ----------
        give_up
            Asked every `RETRY_S`; when it says so the wait ends without cores.
        """
        while not give_up():
            if self.try_take():
                return True
            time.sleep(RETRY_S)
        return False

    def try_take(self) -> bool:
        """Hold the first free cores if there are enough of them now."""
        if self._held:
            return True
        self._folder.mkdir(parents=True, exist_ok=True)
        # Two workers that each pick up half of what they need would keep each other waiting, so
        # only one picks at a time.
        guard = self._guard()
        if guard is None:
            return False
        found: dict[int, int] = {}
        try:
            for core in self._cores:
                descriptor = _lock(self._folder / f"core-{core}.lock")
                if descriptor is not None:
                    found[core] = descriptor
                if len(found) == self._count:
                    self._held = found
                    return True
            _close(found.values())
            return False
        finally:
            os.close(guard)

    def release(self) -> None:
        """Let go; a core stays taken while a program that inherited its lock lives."""
        held, self._held = self._held, {}
        _close(held.values())

    def _guard(self) -> int | None:
        for _ in range(GUARD_TRIES):
            guard = _lock(self._folder / "claim.lock")
            if guard is not None:
                return guard
            time.sleep(GUARD_RETRY_S)
        return None


def _lock(path: Path) -> int | None:
    """Return a descriptor that holds the file's lock, or None where another holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # A file that was deleted and made anew in between would be locked twice.
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def pin(cores: Sequence[int]) -> None:
    """Bind every thread of this process to the cores; programs started later inherit it."""
    for thread in Path("/proc/self/task").iterdir():
        try:
            os.sched_setaffinity(int(thread.name), cores)
        except ProcessLookupError:  # ended while we looked
            continue
