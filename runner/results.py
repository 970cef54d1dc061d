"""Results of a campaign as a table, straight from the ledger."""

from __future__ import annotations

from typing import Any

from fireworks_ext import ledger
from fireworks_ext.store import Store
from runner.ledger_rows import result_rows, task_columns
from schemas.errors import UserError, suggestion
from schemas.identity import canonical_json
from schemas.model import JsonValue
from schemas.reports import Table
from schemas.tables import fixed_columns

LEADING = ("formula", "stage", "outcome")
SHORT = (
    "energy_ev_per_atom", "band_gap_ev", "volume_ang3_per_atom", "a_ang", "pressure_gpa",
    "fmax_ev_per_ang", "total_magnetisation_bohr", "above_hull_ev_per_atom",
    "formation_energy_ev_per_atom", "on_hull", "note", "walltime_s", "failure", "reason",
)  # fmt: skip
"""What is shown in a terminal, of the columns that hold anything."""


def result_table(store: Store, campaign: str, stage: str | None, *, full: bool) -> Table:
    """Return one row per candidate for a stage, or for the last stage of the campaign.

    Raises
    ------
    UserError
        When the campaign, or the stage in it, does not exist.
    """
    document = ledger.find_campaign(store, campaign)
    stages: list[str] = document["stages"]
    if stage is not None and stage not in stages:
        raise UserError(f"campaign '{campaign}' has no stage '{stage}'{suggestion(stage, stages)}")
    chosen = stages if full and stage is None else [stage or stages[-1]]
    rows = [row for row in result_rows(store, campaign) if row["stage"] in chosen]
    columns = _all_columns(document, chosen) if full else _short_columns(rows)
    return Table(
        columns=columns, rows=tuple(tuple(plain(row.get(name)) for name in columns) for row in rows)
    )


def _all_columns(document: dict[str, Any], stages: list[str]) -> tuple[str, ...]:
    names = [column.name for column in fixed_columns("results") if column.name != "campaign"]
    for stage in stages:
        for column in task_columns(document["tasks"][stage]):
            if column.name not in names:
                names.append(column.name)
    return tuple(names)


def _short_columns(rows: list[dict[str, object]]) -> tuple[str, ...]:
    return LEADING + tuple(name for name in SHORT if any(row.get(name) is not None for row in rows))


def plain(value: object) -> JsonValue:
    """Return a value as JSON: dates as ISO text, lists and mappings as canonical JSON text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return canonical_json(value)  # type: ignore[arg-type]  # lists and mappings of plain values
