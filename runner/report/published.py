"""What is published of one campaign, as rows to ask for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from runner.sql.catalog import Catalog
from runner.sql.kinds import identifier
from schemas.columns import Column
from schemas.document import read_document
from schemas.errors import UserError, suggestion

if TYPE_CHECKING:
    import pyarrow as pa

NUMERIC = ("float", "int")
NOT_MEASURED = frozenset({"row", "schema_version", "cores"})
"""Columns of numbers that are no properties of a candidate."""


class Published(AbstractContextManager["Published"]):
    """The tables of one campaign below some folders, open for reading.

    Inside queries the tables `screening`, `results`, `attempts` and `campaigns` hold this
    campaign alone.

    Raises
    ------
    UserError
        When nothing is published of such a campaign; the message names the nearest.
    """

    def __init__(self, folders: Sequence[Path], campaign: str) -> None:
        self._catalog = Catalog(folders)
        self.campaign = campaign
        self._connection = self._catalog.connect()
        known = [str(row[0]) for row in self._connection.execute(_NAMES).fetchall()]
        if campaign not in known:
            self._connection.close()
            raise UserError(
                f"nothing is published of a campaign '{campaign}'{suggestion(campaign, known)}; "
                "`campaign run SPEC.yaml` or `campaign screen SPEC.yaml` publishes its tables"
            )
        for name in self._catalog.tables:
            text = campaign.replace("'", "''")
            self._connection.execute(
                f"CREATE TEMP VIEW {name} AS SELECT * FROM memory.main.{name} "  # noqa: S608  (a name of our own, a text that is quoted)
                f"WHERE campaign = '{text}'"
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close what reads the files."""
        self._connection.close()

    def rows(self, query: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Return the rows of a query in DuckDB's SQL."""
        found = self._connection.execute(query, list(values))
        names = [one[0] for one in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def table(self, query: str, values: Sequence[object] = ()) -> pa.Table:
        """Return the rows of a query in DuckDB's SQL as an Arrow table."""
        return self._connection.sql(query, params=list(values)).to_arrow_table()

    def run(self, query: str) -> None:
        """Run a statement that makes a temporary table."""
        self._connection.execute(query)

    @cached_property
    def about(self) -> dict[str, Any]:
        """The row of `campaigns`; empty for a campaign that was only screened."""
        found = self.rows("SELECT * FROM campaigns")
        return found[0] if found else {}

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The campaign file as data; empty where it is not published."""
        return read_document(self.about["spec"], self.campaign).data if self.about else {}

    @cached_property
    def stages(self) -> tuple[str, ...]:
        """The stages that have rows, in the order of the campaign file."""
        order = list(self.spec.get("stages") or {})
        found = self.rows(
            "SELECT stage FROM results GROUP BY stage ORDER BY min(started_at), stage"
        )
        there = [row["stage"] for row in found]
        return tuple(
            sorted(there, key=lambda one: order.index(one) if one in order else len(order))
        )

    def numbers(self, table: str, where: str = "true") -> tuple[Column, ...]:
        """Return the columns of numbers that hold anything in the chosen rows."""
        candidates = [
            column
            for column in self._catalog.tables[table]
            if column.type in NUMERIC and column.name not in NOT_MEASURED
        ]
        if not candidates:
            return ()
        counts = ", ".join(f"count({identifier(one.name)})" for one in candidates)
        found = self._connection.execute(
            f"SELECT {counts} FROM {table} WHERE {where}"  # noqa: S608  (names of the tables' own columns)
        ).fetchall()[0]
        return tuple(one for one, count in zip(candidates, found, strict=True) if count)

    def columns(self, table: str) -> frozenset[str]:
        """Return the names of a table's columns."""
        return frozenset(column.name for column in self._catalog.tables[table])


_NAMES = "SELECT campaign FROM campaigns UNION SELECT campaign FROM screening ORDER BY 1"
