"""What `campaign doctor` says about a cluster: does it take our jobs, does it tell their ends."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from launchers.slurm import accounting
from launchers.slurm.commands import Commands
from launchers.slurm.params import SlurmParams
from launchers.slurm.refusals import words
from launchers.slurm.script import script
from schemas.errors import UserError
from schemas.protocols import Finding
from schemas.queue import JobRequest, Silent

PLAN = re.compile(
    r"to start at (?P<at>\S+) using (?P<cores>\d+) processors on nodes? (?P<nodes>\S+)"
)
"""sbatch --test-only, about a job that it would take."""


def examine(params: SlurmParams, commands: Commands) -> Iterator[Finding]:
    """Yield what is there and what is missing; nothing is submitted."""
    try:
        version = commands.ask("sbatch", "--version").output.strip()
        yield Finding("Slurm", "ok", version)
        yield _job(params, commands)
        yield _accounting(commands)
    except UserError as error:
        yield Finding("Slurm", "missing", str(error))
    except Silent as silence:
        remedy = "wait for slurmctld, or ask who runs the cluster; campaigns wait for it, too"
        yield Finding("Slurm", "missing", str(silence), remedy)


def _job(params: SlurmParams, commands: Commands) -> Finding:
    """Have Slurm say what it would do with a pilot's job."""
    with tempfile.TemporaryDirectory() as folder:
        command = ("true",)
        request = JobRequest(
            name="doctor", shape=params.shape, command=command, folder=Path(folder)
        )
        path = Path(folder) / "job.sh"
        path.write_text(script(params, request), encoding="utf-8")
        answer = commands.ask("sbatch", "--test-only", str(path))
    said = words(answer.errors)
    if answer.code:
        remedy = "change `launcher` in the profile; `scontrol show partition` shows what there is"
        return Finding("a job like the campaign's", "missing", said, remedy)
    found = PLAN.search(answer.errors)
    where = f"{found['cores']} cores on {found['nodes']}" if found else said
    return Finding("a job like the campaign's", "ok", f"would get {where}")


def _accounting(commands: Commands) -> Finding:
    answer = commands.ask("sacct", "--noheader", "--jobs=1")
    if accounting.DISABLED in answer.errors:
        return Finding(
            "accounting",
            "warning",
            "sacct says that it is disabled",
            "nothing has to be done: how jobs ended is then known from their own records and, "
            "for some minutes, from slurmctld",
        )
    return Finding("accounting", "ok", "sacct tells how jobs ended")
