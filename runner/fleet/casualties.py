"""What is done about stages whose job ended under them: they go on, in another job.

What the scheduler said of the job is written into the run directories that were being worked in:
the record of each attempt that died takes its failure from there. A stage under which jobs break
down again and again is given up; one of many that a job had at its end is not known to be to blame,
and runs alone next time if that was for want of memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from fireworks_ext import artefacts
from fireworks_ext.artefacts import Artefacts
from fireworks_ext.attempts.deserted import IN_COMPANY, SCHEDULER
from fireworks_ext.attempts.exits import read_exit
from fireworks_ext.folders import claims
from fireworks_ext.folders.offline import ALONE, RESULT, read_stage
from fireworks_ext.store import Store
from fireworks_ext.worker.execution import delivery_of
from schemas.endings import AnyEnding, Failed, Interrupted
from schemas.failure import Failure, FailureName
from schemas.handover import Briefing
from schemas.ledger import AttemptRecord
from schemas.queue import JobSeen

MOST_DEATHS = 3
"""Of jobs under one stage, for a reason that may lie in the stage."""
_MAY_BE_TO_BLAME = frozenset({FailureName.OUT_OF_MEMORY, FailureName.NODE_FAILED})


def bury(held: Mapping[Path, Briefing], ended: JobSeen, store: Artefacts) -> None:
    """Let all stages go on that a job had when it ended, by their folders."""
    for place, briefing in held.items():
        in_company = (
            len(held) > 1
            and ended.failure in _MAY_BE_TO_BLAME
            and not _took_too_much(place, briefing, store)
        )
        record(briefing, ended, store, in_company=in_company)
        if in_company and ended.failure is FailureName.OUT_OF_MEMORY:
            (place / ALONE).touch()
        settle(place, briefing, ended, store)


def record(
    briefing: Briefing, ended: JobSeen, store: Artefacts, *, in_company: bool = False
) -> None:
    """Write down, in the run directory that was worked in, what the scheduler said.

    `in_company`: others ran in the job, too, and nothing tells which of them was to blame.
    """
    if ended.phase != "ended":  # it was put back: perhaps its node broke down
        return
    unfinished = _unfinished(briefing, store)
    if unfinished is None or ended.failure is None:
        return
    said = f"{ended.state} {ended.reason}".strip()
    failure = Failure(name=ended.failure, message=f"job {ended.id}: {said}")
    known = {"failure": failure.model_dump(mode="json"), IN_COMPANY: in_company}
    artefacts.write_record(unfinished, SCHEDULER, known)


def name(stopped: Iterable[AttemptRecord], ended: JobSeen, store: Store) -> None:
    """Say why attempts were stopped, in whose records nothing is but that they were.

    What was stopped in good order did not die of its job's death.
    """
    if ended.failure is None or ended.failure in _MAY_BE_TO_BLAME:
        return
    why = {
        "failure": ended.failure.value,
        "message": f"the worker was stopped; job {ended.id}: {ended.state} {ended.reason}".rstrip(),
    }
    for one in stopped:
        known = {"failure": FailureName.STOPPED_BY_REQUEST, "outcome": "interrupted"}
        store.attempts.update_one({"_id": f"{one.key}:{one.attempt}", **known}, {"$set": why})


def settle(place: Path, briefing: Briefing, ended: JobSeen, store: Artefacts) -> None:
    """Let a stage go on: whoever has it next finds what its job left behind."""
    deaths = _deaths(briefing, store)
    if len(deaths) >= MOST_DEATHS:
        said = f"{len(deaths)} jobs broke down under it; the last: {deaths[-1].message}"
        _write(place, briefing, Failed(failure=Failure(name=deaths[-1].name, message=said)))
    else:
        claims.take_away(place, ended.id)


def give_back(place: Path, briefing: Briefing, reason: str) -> None:
    """Let a stage be READY again that no job will take."""
    _write(place, briefing, Interrupted(reason=reason))


def _write(place: Path, briefing: Briefing, ending: AnyEnding) -> None:
    delivery = delivery_of(briefing, ending)
    artefacts.write_record(place, RESULT, delivery.model_dump(mode="json"))


def _unfinished(briefing: Briefing, store: Artefacts) -> Path | None:
    """Return the run directory of an attempt of which nobody has said how it ended."""
    over = {one.attempt for one in briefing.attempts if one.outcome != "running"}
    for directory in store.attempts(briefing.order.key)[:1]:
        said = (artefacts.read_record(directory, one) for one in (artefacts.OUTCOME, SCHEDULER))
        if int(directory.name) not in over and not any(said):
            return directory
    return None


def _took_too_much(place: Path, briefing: Briefing, store: Artefacts) -> bool:
    """Tell whether a program is known to have needed more memory than was foreseen."""
    stage, directory = read_stage(place), _unfinished(briefing, store)
    foreseen_gb = stage.forecast.memory_gb if stage and stage.forecast else None
    exited = None if directory is None else read_exit(directory)
    if foreseen_gb is None or exited is None or exited.peak_memory_gb is None:
        return False
    return exited.peak_memory_gb * briefing.order.resources.cores > foreseen_gb


def _deaths(briefing: Briefing, store: Artefacts) -> list[Failure]:
    """Return why jobs died under attempts at a stage, of reasons that may lie in it."""
    records = [
        artefacts.read_record(one, SCHEDULER)
        for one in reversed(store.attempts(briefing.order.key))
    ]
    alone = [one for one in records if one and not one.get(IN_COMPANY)]
    found = [Failure.model_validate(one["failure"]) for one in alone]
    return [one for one in found if one.name in _MAY_BE_TO_BLAME]
