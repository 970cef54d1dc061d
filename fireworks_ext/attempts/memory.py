"""How much memory a program took, as the kernel counts it while it runs.

What `wait4` reports at the end (`ru_maxrss`) is no less than what the parent had: the child begins
in the parent's memory (vfork(2)), and the high-water mark survives `execve`.
"""

from __future__ import annotations

import resource
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

KIB_PER_GIB = 1024.0**2
PROC = Path("/proc")


@dataclass
class Scale:
    """Weighs a program and its ranks now and then."""

    leader: int
    largest_kib: int = 0
    """Of one process."""

    def weigh(self) -> None:
        """Take note of the high-water marks of all processes (proc(5), VmHWM)."""
        for pid in family(self.leader):
            self.largest_kib = max(self.largest_kib, _high_water_kib(pid))

    def peak_gb(self, reported_kib: int) -> float | None:
        """Return the most that one process took, or None where it was too quick to be weighed.

        Parameters
        ----------
        reported_kib
            `ru_maxrss` of the program: believed where it is more than what we have ourselves.
        """
        ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        largest = max(self.largest_kib, reported_kib if reported_kib > ours else 0)
        return round(largest / KIB_PER_GIB, 4) if largest else None


def family(leader: int) -> list[int]:
    """Return a process and all that it started, directly or not, as far as they live."""
    found, left = [], [leader]
    while left:
        pid = left.pop()
        found.append(pid)
        with suppress(OSError):  # it ended meanwhile, or the kernel does not say
            for task in (PROC / str(pid) / "task").iterdir():
                left += map(int, (task / "children").read_text().split())
    return found


def _high_water_kib(pid: int) -> int:
    try:
        text = (PROC / str(pid) / "status").read_text()
    except OSError:  # it ended meanwhile
        return 0
    line = next((one for one in text.splitlines() if one.startswith("VmHWM:")), "")
    return int(line.split()[1]) if line else 0
