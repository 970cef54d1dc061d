"""Slurm's queue as one user sees it: `schemas.queue.Scheduler` by Slurm's own programs."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from launchers.slurm import accounting, queue
from launchers.slurm.commands import SITE_DEFAULTS, Answer, Commands
from launchers.slurm.elements import is_one_of
from launchers.slurm.examination import examine
from launchers.slurm.params import SlurmParams
from launchers.slurm.refusals import refusal, words
from launchers.slurm.script import MIB_PER_GB, script
from schemas.errors import UserError
from schemas.protocols import Finding
from schemas.queue import Allocation, JobRequest, JobSeen, Silent

NO_DEVICES = "NoDevFiles"
"""Slurm's word in CUDA_VISIBLE_DEVICES for none."""
OVER = re.compile(r"invalid job id|already compl", re.IGNORECASE)
"""scancel's words about jobs that are not there any more."""


class SlurmScheduler:
    """Hands jobs in, tells how they are, takes them back.

    A job is called as squeue calls it: `12`, and `12_3` for an element of an array. Where an id is
    given, that of an array stands for all of its elements.
    """

    def __init__(self, params: SlurmParams, commands: Commands | None = None) -> None:
        self._params = params
        self._commands = commands or Commands()
        self._accounted: bool | None = None

    def script(self, request: JobRequest) -> str:
        """Return the batch script of a request; pure."""
        return script(self._params, request)

    def submit(self, request: JobRequest, script: Path) -> str:  # noqa: ARG002  (the script says it)
        """Hand a script in; return the job's id (an array's, for an array).

        Raises Refused with Slurm's own words, or Silent when nobody knows whether it was taken.
        """
        free = {name for name in SITE_DEFAULTS.values() if getattr(self._params, name) is None}
        answer = self._commands.ask("sbatch", "--parsable", str(script), defaults=frozenset(free))
        job = answer.output.strip().partition(";")[0]  # the cluster's name may follow
        if answer.code == 0 and job.isdigit():
            return job
        if answer.code <= 0:
            raise Silent(f"sbatch ended with {answer.code}: {words(answer.errors)}")
        raise refusal(answer.errors)

    def seen(self) -> Sequence[JobSeen]:
        """Return all jobs of this user that wait or run, those of others' making too."""
        return [job for job in self._queue() if job.phase != "ended"]

    def ended(self, ids: Collection[str]) -> Mapping[str, JobSeen]:
        """Return how jobs ended, those of which Slurm still knows.

        The controller knows for MinJobAge (300 s unless the site says otherwise), accounting for
        ever, where there is any.
        """
        if not ids:
            return {}
        asked = frozenset(ids)
        known = list(self._queue("--states=all"))
        missing = asked - {job.id for job in known} - {job.id.partition("_")[0] for job in known}
        if missing and self._accounted is not False:
            known += self._accounting(missing)
        return {job.id: job for job in known if job.phase == "ended" and is_one_of(job.id, asked)}

    def cancel(self, ids: Collection[str]) -> None:
        """Take jobs out of the queue and end those that run; those that are over stay as they are.

        Raises Silent when Slurm does not answer or says no.
        """
        if not ids:
            return
        answer = self._commands.ask("scancel", *sorted(ids))
        said = words(answer.errors)
        if answer.code and not all(OVER.search(one) for one in said.split("; ")):
            raise Silent(f"scancel: {said}")

    def examine(self) -> Iterable[Finding]:
        """Return what `campaign doctor` says about the cluster."""
        return examine(self._params, self._commands)

    def allocation(self, environment: Mapping[str, str]) -> Allocation:
        """Return what the calling process's job has on this node.

        Raises
        ------
        UserError
            When it is called outside a job.
        """
        if "SLURM_JOB_ID" not in environment:
            raise UserError(
                "SLURM_JOB_ID is not set: this is no job of Slurm's; workers are started by the "
                "jobs that `campaign run` submits"
            )
        array = environment.get("SLURM_ARRAY_JOB_ID")
        index = environment.get("SLURM_ARRAY_TASK_ID")
        job = f"{array}_{index}" if array and index else environment["SLURM_JOB_ID"]
        cores = _cores(environment)
        return Allocation(
            job=job,
            index=int(index) if array and index else None,
            restarts=int(environment.get("SLURM_RESTART_COUNT", "0")),
            cores=cores,
            memory_gb=_memory_gb(environment),
            gpus=_gpus(environment),
            ends_at=self._ends_at(job, environment),
        )

    def _queue(self, *options: str) -> Iterable[JobSeen]:
        answer = self._commands.ask(
            *("squeue", "--noheader", "--array", "--all", f"--user={os.getuid()}"),
            *(f"--format={queue.FORMAT}", *options),
        )
        return queue.jobs(_said(answer, "squeue"))

    def _accounting(self, ids: Collection[str]) -> Iterable[JobSeen]:
        answer = self._commands.ask(
            "sacct", *accounting.options(), f"--jobs={','.join(sorted(ids))}"
        )
        if accounting.DISABLED in answer.errors:
            self._accounted = False
            return []
        self._accounted = True
        return accounting.jobs(_said(answer, "sacct"))

    def _ends_at(self, job: str, environment: Mapping[str, str]) -> float | None:
        if "SLURM_JOB_END_TIME" in environment:  # from Slurm 22.11 on
            return float(environment["SLURM_JOB_END_TIME"])
        try:
            answer = self._commands.ask("squeue", "--noheader", f"--jobs={job}", "--format=%e")
        except (Silent, UserError):  # inside a container there is no squeue
            return None
        found = queue.moment(answer.output.strip())
        return found.timestamp() if found else None


def _said(answer: Answer, program: str) -> str:
    if answer.code:
        raise Silent(f"{program}: {words(answer.errors)}")
    return answer.output


def _cores(environment: Mapping[str, str]) -> int:
    """Return the cores of this node: no more than were asked for, even where nodes are whole."""
    here = int(environment.get("SLURM_CPUS_ON_NODE", "1"))
    tasks = environment.get("SLURM_NTASKS_PER_NODE")
    if tasks is None:
        return here
    return min(here, int(tasks) * int(environment.get("SLURM_CPUS_PER_TASK", "1")))


def _gpus(environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the GPUs of this node; inside a job that sees no others, they count from 0."""
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_GPUS"):
        listed = [one.strip() for one in environment.get(name, "").split(",")]
        if all(listed) and listed != [NO_DEVICES]:
            return tuple(listed)
    number = environment.get("SLURM_GPUS_ON_NODE", "")
    return tuple(map(str, range(int(number)))) if number.isdigit() and int(number) else None


def _memory_gb(environment: Mapping[str, str]) -> float | None:
    mib = int(environment.get("SLURM_MEM_PER_NODE", "0"))
    if not mib:
        per_cpu = int(environment.get("SLURM_MEM_PER_CPU", "0"))
        mib = per_cpu * int(environment.get("SLURM_CPUS_ON_NODE", "1"))
    return mib / MIB_PER_GB if mib else None
