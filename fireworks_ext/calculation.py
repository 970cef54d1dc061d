"""One calculation under custodian: inputs, program, handlers, parser."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from custodian import Custodian
from custodian.custodian import CustodianError

from fireworks_ext.jobs import EngineJob
from fireworks_ext.session import Session
from schemas.failure import Failure, FailureName
from schemas.protocols import Calculation, Engine
from schemas.result import Correction, Result

MOST_CORRECTIONS = 20
"""Over all handlers; each handler has its own, lower limit."""

logging.getLogger("custodian").setLevel(logging.WARNING)


@dataclass(frozen=True)
class Ended:
    """How a calculation ended."""

    outcome: Result | Failure
    corrections: tuple[Correction, ...]
    exit_code: int | None
    interrupted: bool = False


def run(engine: Engine, calculation: Calculation, directory: Path, session: Session) -> Ended:
    """Run a calculation in its empty directory; failing is a value."""
    engine.inputs(calculation, directory, session.site)
    command = engine.command(calculation, session.site)
    job = EngineJob(command, session, calculation.resources.walltime_min)
    custodian = Custodian(
        list(engine.handlers(calculation)),
        [job],
        max_errors=MOST_CORRECTIONS,
        terminate_on_nonzero_returncode=False,
        directory=str(directory),
    )
    try:
        custodian.run()
    except FileNotFoundError as error:
        if error.filename != command.argv[0]:
            raise
        return Ended(_no_program(command.argv[0]), (), None)
    except CustodianError:
        pass  # no remedy was left: what the parser finds in the directory says why
    if session.stopping:
        stopped = Failure(name=FailureName.KILLED_BY_SIGNAL, message="the worker was stopped")
        return Ended(stopped, (), job.exit_code, interrupted=True)
    outcome = engine.parse(calculation.task, directory)
    if isinstance(outcome, Failure):
        outcome = _explain(outcome, job, calculation)
    return Ended(outcome, engine.corrections(directory), job.exit_code)


def _explain(failure: Failure, job: EngineJob, calculation: Calculation) -> Failure:
    """Say what only the one who ran the program can know: its end by a signal, or by time."""
    if job.timed_out:
        minutes = calculation.resources.walltime_min
        return Failure(
            name=FailureName.OUT_OF_WALLTIME,
            message=f"ended after its walltime of {minutes:g} min",
            details=failure.details,
        )
    if job.exit_code is not None and job.exit_code < 0:
        return Failure(
            name=FailureName.KILLED_BY_SIGNAL,
            message=f"the program was ended by signal {-job.exit_code}",
            details=failure.details,
        )
    return failure


def _no_program(program: str) -> Failure:
    return Failure(
        name=FailureName.PROGRAM_NOT_FOUND,
        message=f"no program '{program}'; `campaign doctor` says what is missing",
    )
