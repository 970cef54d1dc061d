"""The published tables: their columns, and the values that part them into folders."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.candidate import BASE_COLUMNS
from schemas.columns import NOTE, Column
from schemas.errors import UserError, suggestion

PARTITIONS = {
    "screening": ("campaign",),
    "results": ("campaign", "stage"),
    "attempts": ("campaign",),
    "campaigns": ("campaign",),
}
"""Table -> the columns that are folders, not columns of the files; outermost first."""

_CAMPAIGN = Column("campaign", "text", "Name of the campaign.")
_STAGE = Column("stage", "text", "Name of the stage in the campaign file.")
_CANDIDATE = Column("candidate_id", "text", "SHA-256 of the candidate's cell as generated.")
_KEY = Column("key", "text", "SHA-256 of the calculation: equal keys mean equal physics.")

SCREENING = (
    _CAMPAIGN,
    Column("row", "int", "Position of the candidate in the enumeration, from 0."),
    Column("candidate_id", "text", "SHA-256 of the cell; null until the cell was built."),
    *BASE_COLUMNS,
    Column("verdict", "text", "pass, reject, unknown or error."),
    Column("step", "text", "The filter step that gave the verdict; null for what passed all."),
    Column("reason", "text", "Why the step did not let the candidate pass."),
    Column("note", "text", "What a score had to say about a value that it could not know."),
    Column("control", "bool", "True for a rejected candidate sent on as a control sample."),
    Column("score_s", "float", "What its scores took, whenever they were computed.", "s"),
)
"""One row per enumerated candidate; columns of generators and scores come after these."""

RESULTS = (
    _CAMPAIGN,
    _STAGE,
    _CANDIDATE,
    Column("formula", "text", "Reduced formula."),
    Column("elements", "texts", "Elements of the cell, sorted by symbol."),
    Column("n_atoms", "int", "Number of atoms in the cell."),
    _KEY,
    Column("engine", "text", "The engine that computed it."),
    Column("task", "text", "The engine's task: scf, relax, vc-relax, bands, dos."),
    Column("outcome", "text", "ok, failed, skipped, held or blocked."),
    Column("failure", "text", "Name of the failure; null unless it failed."),
    Column("failure_message", "text", "The program's own words about the failure."),
    Column("reason", "text", "Why the stage was skipped."),
    Column("cached", "bool", "True where the result was known before the campaign asked."),
    Column("deviation", "text", "Hash of the physics that recovery changed; null for none."),
    Column("recovery", "json", "What recovery changed: [{failure, action, before, after}]."),
    Column("structure", "json", "The structure at the end."),
    Column("program", "text", "Program and version as the program says it."),
    Column("started_at", "timestamp", "Start of the attempt that counts, UTC."),
    Column("finished_at", "timestamp", "End of the attempt that counts, UTC."),
    Column("walltime_s", "float", "Elapsed time of the attempt that counts.", "s"),
    Column("core_hours", "float", "Cores times elapsed time.", "core h"),
    Column("cost_usd", "float", "What these cost; null where no price was given.", "USD"),
    Column("cores", "int", "Cores occupied."),
    Column("attempt", "text", "Name of the attempt that counts."),
    Column("artefacts", "text", "Folder or address of the files of the attempt that counts."),
    Column("schema_version", "int", "Version of the stored result."),
)
"""One row per candidate and settled stage; the columns of the engines come after these."""

ATTEMPTS = (
    _CAMPAIGN,
    _STAGE,
    _CANDIDATE,
    _KEY,
    Column("attempt", "text", "Name of the attempt."),
    Column("machine", "text", "Host that ran it."),
    Column("worker", "text", "Worker that ran it."),
    Column("started_at", "timestamp", "Start, UTC."),
    Column("finished_at", "timestamp", "End, UTC; null while it runs."),
    Column("exit_code", "int", "Exit code of the program."),
    Column("outcome", "text", "running, ok, failed, interrupted (it goes on) or lost."),
    Column("failure", "text", "Name of the failure; null unless it failed."),
    Column("corrections", "json", "What recovery changed on the way."),
    Column("continued", "text", "Where in an earlier attempt it went on; null from the start."),
    Column("checkpoints", "json", "States saved: [{name, taken_at, seconds, bytes}]."),
    Column("peak_memory_gb", "float", "Largest resident memory of one process.", "GB"),
    Column("cpu_s", "float", "CPU time of the last run of the program, all processes.", "s"),
    Column("walltime_s", "float", "Elapsed time.", "s"),
    Column("cores", "int", "Cores occupied."),
    Column("core_hours", "float", "Cores times elapsed time.", "core h"),
    Column("usd_per_core_hour", "float", "Price; null where none was given.", "USD/(core h)"),
    Column("cost_usd", "float", "Core-hours at that price.", "USD"),
    Column("taken_in", "bool", "True where the files of an ended worker were taken in later."),
)
"""One row per attempt at a calculation, failed ones too."""

CAMPAIGNS = (
    _CAMPAIGN,
    Column("project", "text", "Project that pays."),
    Column("revision", "int", "How many versions of the file were run, this one included."),
    Column("spec_sha256", "text", "SHA-256 of the campaign file."),
    Column("started_at", "timestamp", "First run, UTC."),
    Column("updated_at", "timestamp", "Last change, UTC."),
    Column("enumerated", "int", "Candidates enumerated."),
    Column("survivors", "int", "Candidates that the filters let pass."),
    Column("spent_core_hours", "float", "Core-hours spent so far.", "core h"),
    Column("spent_usd", "float", "What they cost, where a price was given.", "USD"),
    Column("state", "text", "running, settled or stopped."),
    Column("spec", "text", "The campaign file."),
)
"""One row per campaign."""

_FIXED = {
    "screening": SCREENING,
    "results": RESULTS,
    "attempts": ATTEMPTS,
    "campaigns": CAMPAIGNS,
}


def fixed_columns(table: str) -> tuple[Column, ...]:
    """Return the columns that a table has in every campaign.

    Raises
    ------
    UserError
        When there is no such table; the message names the nearest.
    """
    if table not in _FIXED:
        raise UserError(f"no table '{table}'{suggestion(table, sorted(_FIXED))}")
    return _FIXED[table]


def stage_columns() -> tuple[Column, ...]:
    """Return the union of the columns of all engines, task by task, and of all analyses.

    Raises
    ------
    UserError
        When two of them give one name to columns of different types, or one gives a column the
        name of a fixed one.
    """
    fixed = {column.name for column in RESULTS}
    union: dict[str, tuple[Column, str]] = {}
    for owner, columns in _owners():
        for column in columns:
            if column.name in fixed:
                raise UserError(
                    f"{owner}: column '{column.name}' is a column of every result; give it "
                    "another name"
                )
            known, first = union.setdefault(column.name, (column, owner))
            if known.type != column.type:
                raise UserError(
                    f"column '{column.name}' is {known.type} in {first} and {column.type} in "
                    f"{owner}; give one of them another name"
                )
    return tuple(column for column, _ in union.values())


def _owners() -> Iterator[tuple[str, tuple[Column, ...]]]:
    """Yield who has which columns."""
    from schemas.registry import analyses, engines

    for name in engines.names():
        engine = engines.get(name)
        for task in engine.tasks():
            yield f"engine '{name}', task '{task}'", tuple(engine.columns(task))
    for name in analyses.names():
        analysis = analyses.get(name)
        example = analysis.params.model_json_schema().get("examples", [{}])[0]
        columns = analysis.columns(analysis.params.model_validate(example))
        yield f"analysis '{name}'", (*columns, NOTE)


def results_columns() -> tuple[Column, ...]:
    """Return all columns of `results`: the fixed ones, then those of engines and analyses."""
    return RESULTS + stage_columns()
