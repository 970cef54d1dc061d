"""Gates: whether a stage's `when` holds, once the results that it reads are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.expressions import parse
from schemas.ledger import ResultRecord
from schemas.model import JsonValue


@dataclass(frozen=True)
class Verdict:
    """Whether a stage goes ahead, and why not."""

    passes: bool
    reason: str = ""


def decide(
    when: str | None,
    columns: Mapping[str, JsonValue],
    results: Mapping[str, ResultRecord],
) -> Verdict:
    """Evaluate a gate on a candidate's columns and the results by stage name.

    A value that is not known decides nothing, so the stage does not go ahead.
    """
    if when is None:
        return Verdict(passes=True)
    expression = parse(when)
    row: dict[str, object] = dict(columns)
    for stage, result in results.items():
        row |= {f"{stage}.{column}": value for column, value in result.values.items()}
    if expression.evaluate(row):
        return Verdict(passes=True)
    seen = ", ".join(f"{name} = {_shown(row.get(name))}" for name in sorted(expression.names))
    return Verdict(passes=False, reason=f"{seen}; when: {when}")


def _shown(value: object) -> str:
    if value is None:
        return "unknown"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
