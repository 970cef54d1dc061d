"""A query asked in Athena: started, waited for, stopped at Ctrl-C, its answer typed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from runner.export.clients import client
from runner.sql.answer import Answer
from runner.sql.cloud_errors import failure, told_by_athena
from runner.sql.cloud_place import CloudPlace
from runner.sql.cloud_tables import CloudTables
from runner.sql.cloud_values import Cells, typed_answer
from schemas.errors import UserError

USD_PER_TB = 5.0  # list price of most regions, aws.amazon.com/athena/pricing
LEAST_CHARGED_BYTES = 10_000_000  # per query that reads anything, same page
BYTES_PER_TB = 1e12
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 2.0
_GROWTH = 1.5
_KILO = 1000
_CENT_SHOWN = 0.01
_RUNNING = {"QUEUED", "RUNNING"}
_READS = re.compile(
    r"(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*(?:select|with|values|show|describe|desc)\b",
    re.IGNORECASE | re.DOTALL,
)
"""How queries begin that only read, after blanks, parentheses and comments."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How a query stands."""

    execution: str
    state: str
    """QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED, or STOPPED: by Ctrl-C."""
    scanned_bytes: int = 0


@dataclass(frozen=True, slots=True)
class CloudAnswer:
    """An answer, and what it took."""

    answer: Answer
    execution: str
    """Empty where Glue answered, without a query."""
    scanned_bytes: int
    usd: float
    seconds: float


Told = Callable[[Progress], None]


def ask(place: CloudPlace, sql: str, told: Told = lambda _progress: None) -> CloudAnswer:
    """Return Athena's answer to a query, with the types that the local engine gives.

    `told` hears how it goes. An interruption stops the query in Athena too.

    Raises
    ------
    UserError
        Where the query does not only read, and where Athena does not answer it: in its words.
    """
    if not _READS.match(sql):
        raise UserError("--cloud: only queries that read: SELECT, WITH, VALUES, SHOW, DESCRIBE")
    tables = CloudTables(place)
    own = tables.about(sql)
    if own is not None:
        return CloudAnswer(own, "", 0, 0.0, 0.0)
    return _Execution(place, sql, told).answer(tables)


class _Execution:
    """One execution of a query."""

    def __init__(self, place: CloudPlace, sql: str, told: Told) -> None:
        self._place = place
        self._sql = sql
        self._told = told
        self._token = uuid4().hex
        """Makes a start that is asked for again the same start."""
        self._athena = client("athena", str(place))
        self._name = ""
        self._ended = False

    def answer(self, tables: CloudTables) -> CloudAnswer:
        """Ask, wait, and return what came."""
        try:
            with told_by_athena(self._place, self._fate):
                self._start()
                found = self._wait()
                columns, rows = self._rows(found)
                typed = typed_answer(columns, rows, *tables.reading(self._sql))
        except KeyboardInterrupt:
            self._stop()
            raise
        statistics = found.get("Statistics", {})
        scanned = int(statistics.get("DataScannedInBytes", 0))
        took = float(statistics.get("TotalExecutionTimeInMillis", 0)) / 1000
        return CloudAnswer(typed, self._name, scanned, price_usd(scanned), took)

    def _fate(self) -> str:
        """Return what is to be said of the query where Athena or the network fails."""
        if not self._name:
            return ""
        if self._ended:
            return f" (query {self._name})"
        return (
            ". The query goes on in Athena; to stop it: aws athena stop-query-execution "
            f"--query-execution-id {self._name}"
        )

    def _start(self) -> None:
        where = {"ResultConfiguration": {"OutputLocation": self._place.query_results}}
        found = self._athena.start_query_execution(
            QueryString=self._sql,
            ClientRequestToken=self._token,
            QueryExecutionContext={"Database": self._place.database},
            WorkGroup=self._place.workgroup,
            **(where if self._place.query_results else {}),
        )
        self._name = str(found["QueryExecutionId"])

    def _wait(self) -> dict[str, Any]:
        """Return what Athena says of the query when it has ended well."""
        wait_s = FIRST_WAIT_S
        while True:
            answer = self._athena.get_query_execution(QueryExecutionId=self._name)
            found: dict[str, Any] = answer["QueryExecution"]
            state = found["Status"]["State"]
            scanned = int(found.get("Statistics", {}).get("DataScannedInBytes", 0))
            self._told(Progress(self._name, state, scanned))
            if state not in _RUNNING:
                break
            time.sleep(wait_s)
            wait_s = min(_GROWTH * wait_s, LONGEST_WAIT_S)
        self._ended = True
        if state != "SUCCEEDED":
            raise failure(self._place, found)
        return found

    def _rows(self, found: dict[str, Any]) -> tuple[list[dict[str, Any]], list[Cells]]:
        """Return columns and rows; the first row of a SELECT is the names of its columns."""
        columns: list[dict[str, Any]] = []
        rows: list[Cells] = []
        pages = self._athena.get_paginator("get_query_results")
        for page in pages.paginate(QueryExecutionId=self._name):
            result = page["ResultSet"]
            columns = columns or result["ResultSetMetadata"]["ColumnInfo"]
            rows += [
                [cell.get("VarCharValue") for cell in row.get("Data", ())] for row in result["Rows"]
            ]
        names = [column.get("Label") or column["Name"] for column in columns]
        if found.get("StatementType") == "DML" and rows[:1] == [names]:
            del rows[0]
        return columns, rows

    def _stop(self) -> None:
        """Stop the query, also one whose start was interrupted."""
        if self._ended:
            return
        with told_by_athena(self._place, self._fate):
            if not self._name:
                self._start()
            self._athena.stop_query_execution(QueryExecutionId=self._name)
        self._told(Progress(self._name, "STOPPED"))


def price_usd(scanned_bytes: int) -> float:
    """Return what a query costs by the list price."""
    if scanned_bytes == 0:
        return 0.0
    return max(scanned_bytes, LEAST_CHARGED_BYTES) / BYTES_PER_TB * USD_PER_TB


def costs(answer: CloudAnswer) -> str:
    """Return in one line what an answer took."""
    if not answer.execution:
        return "AWS Glue answered; nothing was read"
    cents = 100 * answer.usd
    price = "nothing" if not cents else "less than 0.01 cents" if cents < _CENT_SHOWN else ""
    price = price or f"about {cents:.2f} cents"
    return (
        f"Athena read {_size(answer.scanned_bytes)} in {answer.seconds:.1f} s: {price} "
        f"at {USD_PER_TB:g} USD per TB (query {answer.execution})"
    )


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < _KILO:
            return f"{count:.3g} {unit}"
        count /= _KILO
    return f"{count:.3g} TB"
