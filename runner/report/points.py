"""One point per candidate: what it is, what became of it, and its numbers from every table.

Reports of very large campaigns hold a part of the candidates: all that were computed before those
that were only screened, and of those a sample that is the same every time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from runner.report.labels import label
from runner.report.published import Published
from runner.sql.kinds import identifier
from schemas.columns import Column

MOST_POINTS = 20_000
DIGITS = 5
FATES = ("complete", "stopped by a condition", "failed", "going on", "rejected", "reference")
"""What can have become of a candidate."""

_RESULTS = """
CREATE TEMP TABLE computed AS
SELECT candidate_id, any_value(formula) AS formula, any_value(elements) AS elements,
       CASE WHEN bool_or(outcome IN ('failed', 'held', 'blocked')) THEN 2
            WHEN bool_or(outcome = 'skipped') THEN 1
            WHEN count(*) FILTER (WHERE outcome = 'ok') >= {stages} THEN 0 ELSE 3 END AS fate
FROM results GROUP BY candidate_id
"""
_POINTS = """
CREATE TEMP TABLE points AS
WITH screened AS (
    SELECT s.candidate_id, coalesce(s.formula, '?') AS formula, s.elements, s.row,
           verdict = 'pass' OR coalesce(control, false) AS onward,
           CASE WHEN verdict = 'pass' OR coalesce(control, false) THEN coalesce(c.fate, 3)
                ELSE 4 END AS fate
    FROM screening AS s LEFT JOIN computed AS c USING (candidate_id)
), everything AS (
    SELECT * FROM screened
    UNION ALL
    SELECT candidate_id, formula, elements, NULL, true,
           CASE WHEN {screened} THEN 5 ELSE fate END
    FROM computed WHERE candidate_id NOT IN
        (SELECT candidate_id FROM screened WHERE onward AND candidate_id IS NOT NULL)
), chosen AS (
    SELECT * FROM everything ORDER BY fate IN (3, 4), fate = 4, hash(row, formula) LIMIT {most}
)
SELECT *, row_number() OVER (ORDER BY fate = 4, row, candidate_id) - 1 AS i FROM chosen
"""


@dataclass(frozen=True)
class Numbers:
    """A column of numbers of all points, None where there is none."""

    name: str
    description: str
    values: list[float | None]


@dataclass(frozen=True)
class Points:
    """All points, column by column."""

    total: int
    """How many candidates there are; more than points where only a part is shown."""
    candidate: list[str | None]
    formula: list[str]
    elements: list[list[str]]
    fate: list[int]
    numbers: tuple[Numbers, ...]

    def column(self, name: str) -> Numbers:
        """Return the numbers of a column."""
        return next(one for one in self.numbers if one.name == name)

    def data(self) -> dict[str, Any]:
        """Return what the page draws from."""
        return {
            "fates": FATES,
            "id": [(one or "")[:12] for one in self.candidate],
            "formula": self.formula,
            "fate": self.fate,
            "columns": [
                {
                    "name": one.name,
                    "label": str(label(one.name)),
                    "about": one.description,
                    "values": one.values,
                }
                for one in self.numbers
            ],
        }


def points(published: Published, most: int = MOST_POINTS) -> Points:
    """Return the points of a campaign; leaves the temporary tables `computed` and `points`."""
    published.run(_RESULTS.format(stages=len(published.stages)))
    (screened,) = published.rows("SELECT count(*) AS n FROM screening")
    published.run(_POINTS.format(most=most, screened=bool(screened["n"])))
    (counted,) = published.rows(
        "SELECT (SELECT count(*) FROM screening) + (SELECT count(*) FROM points WHERE row IS NULL)"
        " AS n"
    )
    base = published.rows("SELECT candidate_id, formula, elements, fate FROM points ORDER BY i")
    return Points(
        total=counted["n"],
        candidate=[one["candidate_id"] for one in base],
        formula=[one["formula"] for one in base],
        elements=[one["elements"] or [] for one in base],
        fate=[one["fate"] for one in base],
        numbers=_telling([*_of_stages(published), *_of_screening(published)], base),
    )


def _telling(found: Sequence[Numbers], base: Sequence[Mapping[str, Any]]) -> tuple[Numbers, ...]:
    """Return the columns to choose from: without those that are alike for several candidates.

    A column stays where it differs between candidates in any stage, so that it is also there of a
    stage whose results happen to agree; and where a single candidate has it, references aside.
    Where that leaves nothing, all stay.
    """
    reference = FATES.index("reference")
    candidates = [at for at, one in enumerate(base) if one["fate"] != reference]
    differing = {_plain(one.name) for one in found if len(set(one.values) - {None}) > 1}
    kept = [
        one
        for one in found
        if _plain(one.name) in differing
        or sum(one.values[at] is not None for at in candidates) == 1
    ]
    return tuple(kept or found)


def _plain(name: str) -> str:
    """Return the name of a column without its stage."""
    return name.rpartition(".")[2]


def _of_screening(published: Published) -> list[Numbers]:
    columns = published.numbers("screening")
    query = "FROM points AS p LEFT JOIN screening AS t ON t.row = p.row"
    return _read(published, columns, query, "")


def _of_stages(published: Published) -> list[Numbers]:
    found: list[Numbers] = []
    for stage in reversed(published.stages):  # what was computed last is asked for first
        text = stage.replace("'", "''")
        where = f"stage = '{text}' AND outcome = 'ok'"
        columns = [c for c in published.numbers("results", where) if c.name != "n_atoms"]
        query = (
            f"FROM points AS p LEFT JOIN (SELECT * FROM results WHERE {where}) AS t "  # noqa: S608  (a quoted text)
            "ON t.candidate_id = p.candidate_id AND p.fate <> 4"
        )
        found += _read(published, columns, query, f"{stage}.")
    return found


def _read(
    published: Published, columns: Sequence[Column], query: str, prefix: str
) -> list[Numbers]:
    """Return the columns that any point has a value of."""
    if not columns:
        return []
    listed = ", ".join(f"t.{identifier(one.name)}" for one in columns)
    read = published.table(f"SELECT {listed} {query} ORDER BY p.i")
    texts = _descriptions()
    found = []
    for column, values in zip(columns, read.columns, strict=True):
        rounded = [_rounded(value) for value in values.to_pylist()]
        if any(value is not None for value in rounded):
            about = column.description or texts.get(column.name, "")
            found.append(Numbers(prefix + column.name, about, rounded))
    return found


def _rounded(value: float | None) -> float | None:
    if value is None or not isfinite(value):
        return None
    return value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")


def _descriptions() -> dict[str, str]:
    """Return what the columns of engines and analyses mean, where their plug-ins are installed."""
    from schemas.tables import stage_columns

    return {column.name: column.description for column in stage_columns()}
