"""The settings of the local launcher, and how many cores of this machine it may use."""

import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from schemas.errors import UserError
from schemas.model import Model


class TooManyCores(UserError):
    """The settings ask for more cores than this machine lets us use."""


@dataclass(frozen=True, slots=True)
class Cores:
    """The cores that may be used, and whether jobs are pinned to the ones that they hold.

    Where a container is limited by CPU time rather than by cores, the numbers only count: pinning
    there would crowd every container of the host onto its first cores.
    """

    numbers: tuple[int, ...]
    pinned: bool


class LocalParams(Model):
    """Settings of `launcher: {kind: local}`."""

    slots: int | None = Field(
        default=None,
        ge=1,
        description="Jobs that run at the same time. Default: usable cores divided by "
        "cores_per_job.",
    )
    cores_per_job: int = Field(
        default=1, ge=1, description="Cores of one job, one MPI rank each, never shared."
    )

    spot: bool = Field(
        default=False,
        description="This machine is a spot instance of Amazon EC2: stop, and save the state of "
        "what runs, at the notice that it is taken away.",
    )
    grace_s: float = Field(
        default=20.0,
        gt=0,
        description="From the request to stop until what still runs is ended, in s: what programs "
        "have for saving their state. A spot instance has 120.",
    )

    def seats(self, usable: int) -> int:
        """Return the number of slots on a machine with that many usable cores.

        Raises
        ------
        TooManyCores
            When the slots would need more cores than there are.
        """
        slots = self.slots or max(1, usable // self.cores_per_job)
        wanted = slots * self.cores_per_job
        if wanted <= usable:
            return slots
        if self.cores_per_job > usable:
            remedy = f"set cores_per_job to {usable} or less"
        else:
            remedy = f"set slots to {usable // self.cores_per_job} or less, or leave it out"
        raise TooManyCores(
            f"launcher.slots: {slots} x cores_per_job {self.cores_per_job} = {wanted} cores, but "
            f"{usable} can be used on this machine; {remedy}"
        )


def usable_cores() -> Cores:
    """Return the cores that this process may use: its affinity, cut to its share of CPU time."""
    allowed = tuple(sorted(os.sched_getaffinity(0)))
    quota = cpu_quota()
    if quota is None or quota >= len(allowed):
        return Cores(allowed, pinned=True)
    return Cores(allowed[: max(1, int(quota))], pinned=False)


def cpu_quota(
    membership: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")
) -> float | None:
    """Return the CPUs' worth of time that the control groups allow, or None without a limit.

    Both layouts are read: `cpu.max` of version 2, `cpu.cfs_quota_us` of version 1 (cgroups(7)).
    A limit of any ancestor holds too; the smallest counts.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return None
    quotas: list[float] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            root = mount
        elif "cpu" in controllers.split(","):
            root = mount / "cpu"
        else:
            continue
        # Inside a container the path may be the host's; the container's own limit is at the root.
        folder = root / path.lstrip("/")
        for level in (folder, *folder.parents):
            quotas += _quota_of(level)
            if level == root:
                break
    return min(quotas, default=None)


def _quota_of(folder: Path) -> list[float]:
    """Return the limit that one control group sets, as a list of one or none."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
    except OSError:
        return []
    return [int(quota) / int(period)] if quota not in {"max", "-1"} else []
