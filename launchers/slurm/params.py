"""The settings of the Slurm launcher."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from schemas.model import Model
from schemas.queue import JobShape

OWN_OPTIONS = {
    **dict.fromkeys(("-p", "--partition"), "partition"),
    **dict.fromkeys(("-A", "--account"), "account"),
    **dict.fromkeys(("-q", "--qos"), "qos"),
    **dict.fromkeys(("-C", "--constraint"), "constraint"),
    **dict.fromkeys(("-N", "--nodes"), "nodes_per_job"),
    **dict.fromkeys(("-n", "--ntasks", "--ntasks-per-node"), "tasks_per_node"),
    **dict.fromkeys(("-c", "--cpus-per-task"), "tasks_per_node"),
    **dict.fromkeys(("--mem", "--mem-per-cpu"), "memory_gb"),
    **dict.fromkeys(("-t", "--time"), "walltime_min"),
    **dict.fromkeys(("-a", "--array"), "arrays"),
    **dict.fromkeys(("--requeue", "--no-requeue"), "requeue"),
    **dict.fromkeys(("--mail-user", "--mail-type"), "mail"),
    "--gres": "gres",
    "--exclusive": "exclusive",
    "--reservation": "reservation",
    "--signal": "stop_before_s",
}
"""Options of sbatch that a setting of the launcher stands for."""

TAKEN_OPTIONS = frozenset(
    (
        *("-J", "--job-name", "-o", "--output", "-e", "--error", "-D", "--chdir", "-W", "--wait"),
        *(
            "--open-mode",
            "--wrap",
            "--parsable",
            "--test-only",
            "-M",
            "--clusters",
            "-i",
            "--input",
        ),
    )
)
"""Options of sbatch without which jobs would not be found again."""


def _word(text: str) -> str:
    if not text or not text.isprintable() or set(text) & set(" \"'\\#"):
        raise ValueError(f"found {text!r}, expected one word without quotes, backslashes and #")
    return text


def _line(text: str) -> str:
    if not text or not text.replace("\t", " ").isprintable():
        raise ValueError(f"found {text!r}, expected one line; a further line is a further item")
    return text


def _extra(text: str) -> str:
    line = _line(text)
    if not re.match(r"--?[A-Za-z]", line):
        raise ValueError(f"found '{line}', expected an option of sbatch: `--licenses=vasp:1`")
    option = re.split(r"[=\s]", line, maxsplit=1)[0]
    if not option.startswith("--"):
        option = option[:2]  # -p and its value may be one word
    if option in OWN_OPTIONS:
        raise ValueError(f"found '{line}', which is the setting `{OWN_OPTIONS[option]}`; use that")
    if option in TAKEN_OPTIONS:
        raise ValueError(f"found '{line}', which the launcher sets itself; leave it out")
    return line


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError(f"found '{path}', expected an absolute path: it is used on other machines")
    return path


Value = Annotated[str, AfterValidator(_word)]
"""The value of an option of sbatch."""
Line = Annotated[str, AfterValidator(_line)]
Option = Annotated[str, AfterValidator(_extra)]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
MailEvent = Literal["begin", "end", "fail", "requeue", "time_limit", "time_limit_80", "all"]


class Mail(Model):
    """Messages that Slurm sends about jobs."""

    user: Value = Field(description="Who gets them: an address.")
    events: tuple[MailEvent, ...] = Field(
        default=("fail",),
        min_length=1,
        description="What they are sent about: begin, end, fail, requeue, time_limit, "
        "time_limit_80, all. Default: fail.",
    )


class Container(Model):
    """The container in which workers run; it holds Python, matcampaign and the codes."""

    image: Value = Field(description="A path that compute nodes see, or an address of an image.")
    program: Literal["apptainer", "singularity"] = Field(
        default="apptainer", description="The program that runs containers on the compute nodes."
    )
    binds: tuple[Line, ...] = Field(
        default=(),
        description="Folders that are seen inside, as `outside` or `outside:inside`. Artefacts, "
        "pseudopotentials and the exchange folder must be seen under their own names.",
    )
    flags: tuple[Line, ...] = Field(
        default=(), description="Further flags, one word each: `--nv`, `--cleanenv`."
    )


class Srun(Model):
    """How workers are started in a job of several nodes."""

    flags: tuple[Line, ...] = Field(
        default=(), description="Further flags of srun, one word each: `--label`."
    )


class SlurmParams(Model):
    """Settings of `launcher: {kind: slurm}`."""

    partition: Value | None = Field(
        default=None, description="Where jobs run. Default: the cluster's."
    )
    account: Value | None = Field(default=None, description="Who is charged.")
    qos: Value | None = Field(default=None, description="Quality of service.")
    constraint: Value | None = Field(
        default=None, description="Features that nodes must have: `skylake|cascade`."
    )
    gres: Value | None = Field(
        default=None, description="Generic resources of every node: `gpu:a100:4`."
    )
    exclusive: bool = Field(default=False, description="Whole nodes, with all of their memory.")
    reservation: Value | None = Field(default=None, description="A reservation to run in.")
    mail: Mail | None = Field(default=None, description="Messages about jobs: `user`, `events`.")
    nodes_per_job: int = Field(default=1, ge=1, description="Nodes of one job.")
    tasks_per_node: int = Field(ge=1, description="Cores of every node, one MPI rank each.")
    memory_gb: float | None = Field(
        default=None,
        gt=0,
        description="Memory of every node, in GB (1e9 bytes). Default: the partition's.",
    )
    walltime_min: float = Field(
        gt=0, description="Time limit of a job, in minutes; Slurm counts whole ones."
    )
    max_jobs: int = Field(
        default=10, ge=1, description="Jobs of a campaign that wait or run at the same time."
    )
    max_queued: int | None = Field(
        default=None,
        ge=1,
        description="Nothing is submitted while the user has so many jobs that wait or run, "
        "others than this campaign's too. Default: only Slurm's own limits count.",
    )
    own_job_cores: int | None = Field(
        default=None,
        ge=1,
        description="Stages with more cores than this, or with several nodes, get a job of their "
        "own. Default: tasks_per_node.",
    )
    fill_min: float = Field(
        default=10.0,
        ge=0,
        description="A further job is asked for only where there is work for it for so long, in "
        "minutes.",
    )
    idle_s: float = Field(
        default=60.0, ge=0, description="A job without work ends after this time, in s."
    )
    stop_before_s: int = Field(
        default=120,
        ge=1,
        le=65_535,
        description="How long before its time limit a job saves the state of what runs and ends, "
        "in s. Slurm's own signal, the second means, may come 60 s earlier.",
    )
    pinned: bool = Field(
        default=True,
        description="Bind calculations that share a node to cores of their own. Off: where Slurm "
        "neither gives whole nodes nor binds jobs to cores, and others use the node too.",
    )
    arrays: bool = Field(default=False, description="Ask for several jobs at once as a job array.")
    requeue: bool = Field(
        default=True, description="Jobs that were preempted or lost their node start again."
    )
    setup: tuple[Line, ...] = Field(
        default=(),
        description="Lines of bash that run first in every job, as they are: `module load ...`. "
        "A command that fails ends the job; `... || true` where that does no harm.",
    )
    container: Container | None = Field(
        default=None, description="What workers run in, and what they start with them."
    )
    srun: Srun = Field(default=Srun(), description="How workers start on several nodes: `flags`.")
    python: AbsolutePath | None = Field(
        default=None,
        description="Python on the compute nodes (or in the container), with matcampaign. "
        "Default: the one that runs the campaign.",
    )
    exchange: AbsolutePath | None = Field(
        default=None,
        description="Folder on the shared file system through which work reaches the jobs.",
    )
    extra: tuple[Option, ...] = Field(
        default=(), description="Further options of sbatch, as they are: `--licenses=vasp:1`."
    )

    @property
    def shape(self) -> JobShape:
        """What one job with workers occupies."""
        return JobShape(
            nodes=self.nodes_per_job,
            cores=self.tasks_per_node,
            gpus=self.gpus_per_node,
            memory_gb=self.memory_gb,
            walltime_min=self.walltime_min,
        )

    @property
    def gpus_per_node(self) -> int:
        """The GPUs that `gres` asks for: of `gpu:4`, `gpu:a100:4`, `gpu` (one)."""
        parts = [part.split(":") for part in (self.gres or "").split(",")]
        return sum(
            int(words[-1]) if words[-1].isdigit() else 1 for words in parts if words[0] == "gpu"
        )

    @model_validator(mode="after")
    def _ends_before_its_limit(self) -> Self:
        limit_s = self.walltime_min * 60
        if self.stop_before_s >= limit_s:
            raise ValueError(
                f"stop_before_s: found {self.stop_before_s}, expected less than the time limit "
                f"of {limit_s:g} s; raise walltime_min or lower it"
            )
        return self
