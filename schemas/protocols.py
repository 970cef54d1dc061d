"""What plug-ins provide. Adding one touches no other file: see `schemas.registry`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from schemas.candidate import Candidate
from schemas.columns import Column
from schemas.failure import Failure
from schemas.model import JsonValue, Model
from schemas.profile import Site
from schemas.resources import Resources
from schemas.result import Correction, Result
from schemas.retention import ArtefactClass
from schemas.structure import Structure

if TYPE_CHECKING:
    import pyarrow as pa
    from custodian.custodian import ErrorHandler

Scorer: TypeAlias = "Callable[[pa.RecordBatch], pa.RecordBatch]"
"""Rows in, the score's columns for the same rows in the same order out, and `error`: text or null.

A value that cannot be known (no radius for that ion) is null with a null `error` and, where the
score has something to say, a text in the column `note`; a score that failed on a row says so in
`error`. Both columns are always there.
"""


@dataclass(frozen=True)
class Surroundings:
    """What generators and scores may look at, beside their params.

    `folder` is where relative paths start, `seed` the campaign's; `cache` is a folder of the user
    for what was fetched from elsewhere (None: nothing is kept); `references` are the structures
    of the campaign's `references`: competing phases, which no filter touches.
    """

    folder: Path
    seed: int
    cache: Path | None = None
    references: tuple[Structure, ...] = ()


class Generator(Protocol):
    """Yields candidates: lazily, in constant memory, the same sequence for the same seed."""

    @property
    def params(self) -> type[Model]:
        """The model of its settings."""

    def columns(self, params: Any) -> tuple[Column, ...]:
        """Return the columns that its candidates have beside the base columns."""

    def count(self, params: Any, surroundings: Surroundings) -> int | None:
        """Return how many candidates it will yield, or None where only yielding them tells."""

    def candidates(self, params: Any, surroundings: Surroundings) -> Iterator[Candidate]:
        """Yield the candidates. Raises UserError for files that cannot be read."""


class Score(Protocol):
    """Computes columns for candidates; selection (`keep`, `top`) is separate."""

    @property
    def params(self) -> type[Model]:
        """The model of its settings."""

    def columns(self, params: Any) -> tuple[Column, ...]:
        """Return the columns that it adds."""

    def requires(self, params: Any) -> tuple[str, ...]:
        """Return the columns that it reads; `structure`: the cell, see `runner.crystal.cells`."""

    @property
    def version(self) -> int:
        """Raised when the same params come to give other values."""

    def seconds(self, params: Any) -> float:
        """Return about how long one row takes, in seconds of one core, before that is measured.

        Values of scores that take longer than they would take to look up are kept, see
        `runner.score_cache`.
        """

    def files(self, params: Any, surroundings: Surroundings) -> Mapping[str, str]:
        """Return label -> SHA-256 of everything that decides values beside params and version.

        Weights, reference sets. Raises UserError for what is not there.
        """

    def scorer(self, params: Any, surroundings: Surroundings) -> Scorer:
        """Set up once (load weights, tables) and return the function that scores batches.

        What a row gets depends on that row alone. Raises UserError for what is not there.
        """


@dataclass(frozen=True)
class Role:
    """An input of a stage that another stage provides: `structure`, `charge_density`."""

    name: str
    required: bool
    description: str


@dataclass(frozen=True)
class Command:
    """A program call: argv (never a shell string), where its output goes, and its environment.

    `silence_s` is the shortest time without output that may mean that the program hangs; a program
    that was silent for long before is given more.
    """

    argv: tuple[str, ...]
    stdout: str
    stderr: str
    environment: Mapping[str, str] = field(default_factory=dict)
    silence_s: float = 900.0


@dataclass(frozen=True)
class Calculation:
    """One stage of one candidate, everything resolved: what an engine is asked to do.

    `params` is an instance of the engine's own params model; `upstream` maps a role to the run
    directory whose product is used; `structure` is the cell to start from; `protected` names params
    that no handler may change.
    """

    task: str
    structure: Structure
    params: Any
    resources: Resources
    upstream: Mapping[str, Path] = field(default_factory=dict)
    protected: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One line of `campaign doctor`: what was looked for, what was found, what to do about it."""

    subject: str
    state: Literal["ok", "warning", "missing"]
    message: str
    remedy: str = ""


class Continuation(Protocol):
    """How runs of an engine are stopped so that they can go on, and how they go on.

    A state is what a program left in a run directory (or a checkpoint, which is laid out alike).
    """

    @property
    def stop_file(self) -> str:
        """The file, relative to the run directory, that asks the program to save and stop."""

    @property
    def state(self) -> tuple[str, ...]:
        """Patterns of the files that a checkpoint holds."""

    def limit(self, directory: Path, seconds: float) -> None:
        """Have the next run stop by itself after so long, its state saved."""

    def problem(self, source: Path) -> str | None:
        """Return why a state is not whole, or None for one that can be continued."""

    def restart(self, source: Path, directory: Path) -> str:
        """Have the next run in `directory` go on from a state that is whole; say from where.

        The state is moved into `directory` where it is that of another attempt, copied where
        it is a checkpoint, and stays where it is when both are the same.
        """

    def last_structure(self, source: Path, directory: Path) -> str | None:
        """Have the next run begin at the last structure that a damaged run printed, if any."""


class Engine(Protocol):
    """A simulation code: params, inputs, command, handlers, parser."""

    @property
    def params(self) -> type[Model]:
        """The model of its params; each field says whether it is physics."""

    @property
    def physics_version(self) -> int:
        """Raised when the same params come to mean other physics."""

    @property
    def artefacts(self) -> Mapping[ArtefactClass, tuple[str, ...]]:
        """Patterns of the files in a run directory, by class."""

    @property
    def continuation(self) -> Continuation | None:
        """How its runs are continued; None for runs that always start anew."""

    def tasks(self) -> tuple[str, ...]:
        """Return the names of its tasks: scf, relax, vc-relax."""

    def protocols(self) -> tuple[str, ...]:
        """Return the names of its protocols: fast, balanced, stringent."""

    def protocol(self, name: str) -> Mapping[str, JsonValue]:
        """Return the params that a protocol sets. Raises UserError for an unknown name."""

    def roles(self, task: str) -> tuple[Role, ...]:
        """Return the upstream products that a task can use."""

    def provides(self, task: str) -> tuple[str, ...]:
        """Return the roles that a finished task can fill for others."""

    def columns(self, task: str) -> tuple[Column, ...]:
        """Return the columns of a result: what `when` may name."""

    def resolve(self, structure: Structure, task: str, params: Any, site: Site) -> Any:
        """Return params in which nothing depends on the structure or the site any more.

        Raises UserError when the site lacks what the params name (a family without that element).
        """

    def physics(self, task: str, params: Any) -> dict[str, JsonValue]:
        """Return what of resolved params is physics, as JSON: it enters the stage key."""

    def files(self, structure: Structure, params: Any, site: Site) -> dict[str, str]:
        """Return label -> SHA-256 of every file that the calculation reads (pseudopotentials)."""

    def resources(self, structure: Structure, task: str, params: Any) -> Resources:
        """Return a first guess of what the calculation needs."""

    def work(self, structure: Structure, task: str, params: Any) -> float:
        """Return a number proportional to the expected CPU time: the cost model's regressor."""

    def inputs(self, calculation: Calculation, directory: Path, site: Site) -> None:
        """Write all input files into the empty run directory, fetching upstream products."""

    def programs(self, site: Site) -> tuple[str, ...]:
        """Return the executables that it starts, as names on PATH or paths."""

    def command(self, calculation: Calculation, site: Site) -> Command:
        """Return how the program is started inside the run directory."""

    def handlers(self, calculation: Calculation) -> Sequence[ErrorHandler]:
        """Return the custodian handlers of this calculation, one per failure."""

    def corrections(self, directory: Path) -> tuple[Correction, ...]:
        """Return what the handlers changed in a run directory, in order."""

    # Optional: `method(task, params)`, what of resolved params has to be the same where energies of
    # different compositions are compared; without it, `physics`.
    # Optional: `next_command(calculation, directory, site) -> Command | None`, for tasks that are
    # several programs one after the other in one run directory: how the next one is started, its
    # input written; None where the last one failed, or none is left. Asked after each program, and
    # first of all in a directory that goes on from another attempt.
    # Optional: `compute(calculation, site) -> Result | Failure`, for what takes less time than
    # starting a program; it has no run directory, no handlers and leaves no files.

    def is_physics(self, task: str, parameter: str) -> bool:
        """Tell whether a handler's change of that parameter makes another physics (a deviation)."""

    def parse(self, task: str, directory: Path) -> Result | Failure:
        """Read a run directory; any way of failing is a value. Never raises for a bad directory."""

    def diagnose(self, directory: Path) -> tuple[Failure, ...] | None:
        """Return what went wrong in any run directory of its programs, the cause first.

        None: the directory is of other programs. Pure, from the files alone; never raises for
        files, however damaged.
        """

    def examine(self, site: Site) -> list[Finding]:
        """Return what `campaign doctor` says about this engine on this machine."""


@dataclass(frozen=True)
class Gathered:
    """One candidate with its result, as an analysis sees it."""

    candidate: str
    formula: str
    structure: Structure
    values: Mapping[str, JsonValue]


class Analysis(Protocol):
    """Computes a row for every candidate from the results of all: a hull, a ranking."""

    @property
    def params(self) -> type[Model]:
        """The model of its settings."""

    @property
    def version(self) -> int:
        """Raised when the same params and results come to give other rows: it enters the key."""

    def columns(self, params: Any) -> tuple[Column, ...]:
        """Return the columns of its rows: what `when` may name."""

    def requires(self, params: Any) -> tuple[str, ...]:
        """Return the columns that it reads of the stage whose results it gathers."""

    def rows(self, gathered: Sequence[Gathered], params: Any) -> list[dict[str, JsonValue]]:
        """Return a row for each candidate, in their order, whatever that is: pure, no files.

        A value that cannot be known is null, and `note` says why.
        """


class Launcher(Protocol):
    """Gets machines for workers."""

    @property
    def params(self) -> type[Model]:
        """The model of its settings."""
