"""The programs that a private Slurm consists of."""

from __future__ import annotations

import os
import shutil

from database_servers.missing import Missing

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "setpriv")
NEEDED_FOR_ACCOUNTING = ("slurmdbd", "sacctmgr", "sacct", "mariadbd", "mariadb-install-db")


def check(*, accounting: bool) -> None:
    """Raise Missing for what is not installed."""
    for name in (*NEEDED, *(NEEDED_FOR_ACCOUNTING if accounting else ())):
        if program(name) is None:
            raise Missing("Slurm", name)


def program(name: str) -> str | None:
    """Return where a program is."""
    # Debian keeps daemons where only root's PATH leads.
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def required(name: str) -> str:
    """Return where a program is that is known to be there."""
    found = program(name)
    assert found is not None
    return found
