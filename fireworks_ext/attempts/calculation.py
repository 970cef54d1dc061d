"""One calculation under custodian: inputs, where it goes on from, program, handlers, parser."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from custodian import Custodian
from custodian.custodian import CustodianError

from fireworks_ext.attempts.deserted import OUT_OF_TIME
from fireworks_ext.attempts.exits import Exit
from fireworks_ext.attempts.jobs import EngineJob, write_command
from fireworks_ext.checkpoints import continuing
from fireworks_ext.checkpoints import places as checkpoints
from fireworks_ext.worker.session import Session
from schemas.checkpoint import Checkpoint
from schemas.failure import Failure, FailureName
from schemas.ledger import CheckpointRecord
from schemas.protocols import Calculation, Command, Engine
from schemas.result import Correction, Result

MOST_CORRECTIONS = 30
"""Over all handlers; each handler has its own, lower limit."""

logging.getLogger("custodian").setLevel(logging.WARNING)


@dataclass(frozen=True)
class Ended:
    """How a calculation ended."""

    outcome: Result | Failure
    corrections: tuple[Correction, ...] = ()
    exit: Exit | None = None
    """Of the last run of the program; None: it never ran."""
    interrupted: bool = False
    """It was stopped from outside, and goes on in another attempt."""
    continued: str | None = None
    checkpoints: tuple[CheckpointRecord, ...] = ()


def run(
    engine: Engine,
    calculation: Calculation,
    directory: Path,
    session: Session,
    *,
    policy: Checkpoint,
    place: checkpoints.Place,
    earlier: Sequence[Path] = (),
    starting: Callable[[], object] = lambda: None,
) -> Ended:
    """Run a calculation in its empty directory; failing is a value.

    Parameters
    ----------
    earlier
        Directories of attempts at the same calculation that it may go on from, newest first.
    starting
        Called before a program is started.
    """
    engine.inputs(calculation, directory, session.site)
    continued = None
    if engine.continuation is not None:
        continued = continuing.go_on(engine.continuation, directory, earlier, place)
    command = engine.command(calculation, session.site)
    if continued:
        command = _next_command(engine, calculation, directory, session) or command
    starting()
    write_command(directory, command.argv, earlier if continued else ())
    job = EngineJob(engine, calculation, command, session, policy, place)
    try:
        _run_all(job, directory)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and error.filename == job.command.argv[0]:
            return Ended(_no_program(job.command.argv[0]))
        # The disk may have become full after the program had ended well, or has said so itself.
        ended = engine.parse(calculation.task, directory)
        if isinstance(ended, Failure) and ended.name is not FailureName.DISK_FULL:
            raise
    except CustodianError:
        pass  # no remedy was left: what the parser finds in the directory says why
    outcome = engine.parse(calculation.task, directory)
    stops = session.stopping and isinstance(outcome, Failure)
    stopped = Failure(name=FailureName.STOPPED_BY_REQUEST, message="the worker was stopped")
    return Ended(
        stopped if stops else outcome,
        corrections=engine.corrections(directory),
        exit=job.exit,
        interrupted=stops or _goes_on(engine, outcome, directory),
        continued=continued,
        checkpoints=tuple(job.taken),
    )


def _run_all(job: EngineJob, directory: Path) -> None:
    """Run the program, and those that follow it in the same directory, each under custodian."""
    while True:
        Custodian(
            list(job.engine.handlers(job.calculation)),
            [job],
            max_errors=MOST_CORRECTIONS,
            terminate_on_nonzero_returncode=False,
            directory=str(directory),
        ).run()
        following = _next_command(job.engine, job.calculation, directory, job.session)
        if following is None:
            return
        write_command(directory, following.argv)
        job.command = following


def _next_command(
    engine: Engine, calculation: Calculation, directory: Path, session: Session
) -> Command | None:
    """Return how the program that comes next is started, for engines with tasks of several."""
    ask: Callable[..., Command | None] | None = getattr(engine, "next_command", None)
    return None if ask is None else ask(calculation, directory, session.site)


def _goes_on(engine: Engine, outcome: Result | Failure, directory: Path) -> bool:
    """Tell whether a run that used up its walltime left a state that another can go on from."""
    if isinstance(outcome, Result) or engine.continuation is None:
        return False
    if outcome.name not in OUT_OF_TIME:
        return False
    return engine.continuation.problem(directory) is None


def _no_program(program: str) -> Failure:
    return Failure(
        name=FailureName.PROGRAM_NOT_FOUND,
        message=f"no program '{program}'; `campaign doctor` says what is missing",
    )
