"""Runs jobs in the queue of a cluster with Slurm: scripts, submission, and what became of jobs.

What runs in them is any command; what a campaign file sets is `SlurmParams`.
"""

from launchers.slurm.params import SlurmParams
from launchers.slurm.scheduler import SlurmScheduler

__all__ = ["SlurmLauncher", "SlurmParams", "SlurmScheduler", "plugin"]


class SlurmLauncher:
    """`launcher: {kind: slurm}`."""

    params = SlurmParams

    def scheduler(self, params: SlurmParams) -> SlurmScheduler:
        """Return the queue, as the user that calls sees it."""
        return SlurmScheduler(params)


plugin = SlurmLauncher()
