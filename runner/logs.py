"""How the calculations of a candidate went, from their records and their run directories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fireworks_ext import artefacts, ledger
from fireworks_ext.attempts.exits import EXIT_FILE, read_exit
from fireworks_ext.store import Store
from runner.members import Member, members_of, the_one
from runner.remedies import installed
from runner.texts import COMPRESSED, PLAIN, Files, read_text
from schemas.errors import UserError, suggestion
from schemas.failure_reports import AttemptLog, FileEntry, Logs, StageLog, TextFile
from schemas.ledger import AttemptRecord, StageEntry
from schemas.protocols import Engine
from schemas.result import Correction
from schemas.retention import ArtefactClass

LAST_LINES = 20
INPUT_LINES = 60
RUNS = "runs"
"""Folder of the earlier runs of a program in the same attempt."""
SCHEDULER = (
    "slurm-*.out",
    "slurm-*.err",
    "scheduler.out",
    "scheduler.err",
    "*.o[0-9]*",
    "*.e[0-9]*",
)
"""What schedulers leave in a run directory."""
RECORDS = frozenset(
    {artefacts.ORDER, artefacts.OUTCOME, EXIT_FILE, "deck.json", "command.json", "recovery.json"}
)
"""Files that programs of ours write and read."""


@dataclass(frozen=True)
class Wanted:
    """What is to be read of run directories."""

    attempt: int | None = None
    files: bool = False
    full: bool = False


def logs(
    store: Store,
    campaign: str,
    candidate: str,
    stage: str | None = None,
    *,
    attempt: int | None = None,
    files: bool = False,
    full: bool = False,
) -> Logs:
    """Return everything about a candidate's calculations.

    Parameters
    ----------
    candidate
        Its formula, or the beginning of its id.
    attempt
        Read the texts of this attempt, instead of those of the last.
    full
        Read whole texts, of all attempts.

    Raises
    ------
    UserError
        When there is no such campaign, candidate, stage or attempt, or several such candidates.
    """
    document = ledger.find_campaign(store, campaign)
    member = the_one(members_of(store, campaign), candidate)
    if stage is not None and stage not in member.stages:
        known = tuple(member.stages)
        raise UserError(f"{member.formula} has no stage '{stage}'{suggestion(stage, known)}")
    return logs_of(store, document, member, Wanted(attempt, files, full), stage)


def logs_of(
    store: Store,
    document: Mapping[str, Any],
    member: Member,
    wanted: Wanted,
    stage: str | None = None,
) -> Logs:
    """Return everything about the calculations of a member, or about one stage of it.

    Raises
    ------
    UserError
        When there is no such attempt.
    """
    chosen = {name: entry for name, entry in member.stages.items() if stage in {None, name}}
    records = {name: _records(store, entry.key) for name, entry in chosen.items()}
    numbers = sorted({one.attempt for several in records.values() for one in several})
    if wanted.attempt is not None and wanted.attempt not in numbers:
        there = ", ".join(map(str, numbers)) or "none"
        raise UserError(f"{member.formula} has no attempt {wanted.attempt}; there are: {there}")
    stages = tuple(
        _stage(name, entry, document["tasks"].get(name, {}), records[name], wanted)
        for name, entry in chosen.items()
    )
    return Logs(
        campaign=document["_id"], candidate=member.id, formula=member.formula, stages=stages
    )


def _records(store: Store, key: str) -> list[AttemptRecord]:
    """Return the attempts at a key, also those of other campaigns, in their order."""
    documents = store.attempts.find({"key": key})
    records = (
        AttemptRecord.model_validate({k: v for k, v in one.items() if k != "_id"})
        for one in documents
    )
    return sorted(records, key=lambda record: record.attempt)


def _stage(
    name: str,
    entry: StageEntry,
    task: Mapping[str, str],
    records: Sequence[AttemptRecord],
    wanted: Wanted,
) -> StageLog:
    engine = installed(task.get("engine", ""))
    last = wanted.attempt or (records[-1].attempt if records else None)
    return StageLog(
        stage=name,
        engine=task.get("engine", ""),
        task=task.get("task", ""),
        key=entry.key,
        state=entry.state,
        cached=entry.cached,
        failure=entry.failure,
        reason=entry.reason,
        overrides=entry.overrides,
        attempts=tuple(
            _attempt(record, engine, wanted, texts=wanted.full or record.attempt == last)
            for record in records
            if wanted.attempt in {None, record.attempt}
        ),
    )


def _attempt(
    record: AttemptRecord, engine: Engine | None, wanted: Wanted, *, texts: bool
) -> AttemptLog:
    directory = Path(record.directory)
    ended = read_exit(directory)
    runs = directory / RUNS
    folders = [one for one in runs.iterdir() if one.name.isdigit()] if runs.is_dir() else []
    shown: dict[str, Any] = {}
    if texts and directory.is_dir():
        shown = _texts(directory, engine, wanted)
    fields = record.model_dump(include=AttemptLog.model_fields.keys() - shown.keys())
    return AttemptLog.model_validate(
        {
            **fields,
            "corrections": record.corrections or _corrections(engine, directory),
            "ended_by": ended.reason if ended else None,
            "gone": not directory.is_dir(),
            "runs": [str(one) for one in sorted(folders, key=lambda one: int(one.name))],
            **shown,
        }
    )


def _corrections(engine: Engine | None, directory: Path) -> tuple[Correction, ...]:
    """Return what recovery changed so far in an attempt whose record does not say it yet."""
    return () if engine is None else engine.corrections(directory)


def _texts(directory: Path, engine: Engine | None, wanted: Wanted) -> dict[str, Any]:
    """Return the texts of a run directory by what they are."""
    files = Files(directory)
    scheduler = files.matching(SCHEDULER)
    patterns = engine.artefacts if engine is not None else {}
    inputs = [
        one
        for one in files.matching(patterns.get(ArtefactClass.INPUTS, ()))
        if one.parent == directory and one.name not in RECORDS
    ]
    printed = [one for one in files.matching(("*.out", "*.out.gz")) if one not in scheduler]
    errors = [one for one in files.matching(("*.err", "*.err.gz", "CRASH")) if one not in scheduler]
    last = None if wanted.full else LAST_LINES
    first = None if wanted.full else INPUT_LINES
    return {
        "inputs": [read_text(one, directory, first=first) for one in _main(inputs)],
        "outputs": [read_text(one, directory, last=last) for one in printed],
        "errors": _said(read_text(one, directory, last=last) for one in errors),
        "scheduler": _said(read_text(one, directory, last=last) for one in scheduler),
        "files": [
            FileEntry(name=str(one.relative_to(directory)), bytes=one.stat().st_size)
            for one in files.all()
        ]
        if wanted.files
        else [],
    }


def _main(inputs: list[Path]) -> list[Path]:
    """Return the inputs that people write: `.in`, or else the first there is."""
    decks = [one for one in inputs if one.name.removesuffix(COMPRESSED).endswith(".in")]
    readable = (one for one in inputs if Path(one.name.removesuffix(COMPRESSED)).suffix in PLAIN)
    return decks or list(readable)[:1]


def _said(texts: Any) -> list[TextFile]:
    """Return the texts that are not empty."""
    return [one for one in texts if one.text.strip()]
