"""The columns of the screening table, and whether its sources and steps fit together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.selection import Step
from schemas.candidate import BASE_COLUMNS
from schemas.columns import Column
from schemas.errors import UserError, suggestion
from schemas.protocols import Generator

LEADING_COLUMNS = (
    Column("campaign", "text", "Name of the campaign."),
    Column("row", "int", "Position in the search space, from 0."),
    Column("candidate_id", "text", "Hash of the cell; null when the structure was never built."),
)
VERDICT_COLUMNS = (
    Column("verdict", "text", "pass, reject, unknown (a value is null) or error."),
    Column("step", "text", "The filter step that decided; null when all were passed."),
    Column("reason", "text", "The values that decided, and the rule; null when all were passed."),
    Column("note", "text", "What scores remarked, such as why a value is not known."),
    Column("control", "bool", "A reject that goes on as part of a step's control sample."),
    Column("score_s", "float", "What its scores took, whenever they were computed.", "s"),
)


@dataclass(frozen=True)
class Source:
    """One entry of `space`: a generator by name, and its params."""

    name: str
    plugin: Generator
    params: Any


def screening_columns(sources: Sequence[Source], steps: Sequence[Step]) -> tuple[Column, ...]:
    """Return the columns of the screening table: the same for every shard.

    Raises
    ------
    UserError
        When two of them would have one name, or a step asks for a column that is not there.
    """
    candidate = _candidate_columns(sources)
    known = {column.name: column for column in candidate}
    reserved = {column.name for column in (*LEADING_COLUMNS, *VERDICT_COLUMNS)}
    labels: set[str] = set()
    for step in steps:
        if step.label in labels:
            raise UserError(f"two filter steps are called '{step.label}'")
        labels.add(step.label)
        _check_score(step, known)
        for column in step.columns():
            if column.name in known or column.name in reserved:
                raise UserError(
                    f"filter {step.label}: the column {column.name} exists already; "
                    "give this score another name with `as`"
                )
            known[column.name] = column
        _check_selection(step, known)
    return (*LEADING_COLUMNS, *known.values(), *VERDICT_COLUMNS)


def _candidate_columns(sources: Sequence[Source]) -> tuple[Column, ...]:
    """Return the base columns and those of all generators, each name once."""
    known = {column.name: column for column in BASE_COLUMNS}
    reserved = {column.name for column in (*LEADING_COLUMNS, *VERDICT_COLUMNS)}
    for source in sources:
        for column in source.plugin.columns(source.params):
            other = known.setdefault(column.name, column)
            if other.type != column.type or column.name in reserved:
                raise UserError(
                    f"generator {source.name}: its column {column.name} ({column.type}) has the "
                    "name of another column"
                )
    return tuple(known.values())


def _check_score(step: Step, known: Mapping[str, Column]) -> None:
    if step.plugin is None:
        return
    if problem := step.as_problem():
        raise UserError(f"filter {step.label}: as: {problem}")
    for name in step.plugin.requires(step.params):
        if name != "structure" and name not in known:
            raise UserError(
                f"filter {step.label}: the score {step.score} reads the column {name}, "
                "which nothing before it makes"
            )


def _check_selection(step: Step, known: Mapping[str, Column]) -> None:
    if step.keep and step.compared:
        raise UserError(f"filter {step.label}: has both keep and a choice; make it two steps")
    if step.keep:
        types = {name: column.type for name, column in known.items()}
        if problems := step.keep.problems(types):
            raise UserError(f"filter {step.label}: keep: {'; '.join(problems)}")
    if step.top is not None and (step.top < 1 or step.by is None):
        raise UserError(
            f"filter {step.label}: top needs a number of rows from 1 and `by`; found {step.top} "
            f"and {step.by or 'nothing'}"
        )
    for name in step.compared:
        column = known.get(name)
        if column is None or column.type not in ("float", "int"):
            numbers = [one.name for one in known.values() if one.type in ("float", "int")]
            raise UserError(
                f"filter {step.label}: compares the column '{name}', expected a column of numbers"
                f"{suggestion(name, numbers)}"
            )
