"""Trino's REST protocol: https://trino.io/docs/476/develop/client-protocol.html"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

TIMEOUT_S = 300
BUSY = 503
BUSY_WAIT_S = 0.1


@dataclass(frozen=True)
class Answer:
    """Names and types of the columns, and the rows as JSON has them.

    Times, decimals and numbers that are not finite are text, maps have keys of text, rows of rows
    are lists and binary values base64.
    """

    columns: list[tuple[str, str]]
    rows: list[list[Any]]


class TrinoError(Exception):
    """What Trino said instead of an answer; `name` is its own name for the kind of error."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message


@dataclass(frozen=True)
class Trino:
    """A server, and the catalog and schema that names of tables are looked up in."""

    url: str
    catalog: str | None = None
    schema: str | None = None

    def ask(self, sql: str) -> Answer:
        """Return the answer to one statement, which ends without a semicolon.

        Raises
        ------
        TrinoError
            For anything that Trino does not answer.
        """
        columns: list[tuple[str, str]] = []
        rows: list[list[Any]] = []
        page = self._requested(f"{self.url}/v1/statement", sql.encode())
        while True:
            if "error" in page:
                raise TrinoError(page["error"]["errorName"], page["error"]["message"])
            if "columns" in page:
                columns = [(one["name"], one["type"]) for one in page["columns"]]
            rows += page.get("data", ())
            if "nextUri" not in page:
                return Answer(columns, rows)
            page = self._requested(page["nextUri"])

    def _requested(self, url: str, body: bytes | None = None) -> dict[str, Any]:
        headers = {
            "X-Trino-User": "matcampaign",
            "X-Trino-Time-Zone": "UTC",
            # Otherwise times are cut to milliseconds and their types have no precision.
            "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",
        }
        headers |= {"X-Trino-Catalog": self.catalog} if self.catalog else {}
        headers |= {"X-Trino-Schema": self.schema} if self.schema else {}
        while True:
            try:
                with urlopen(Request(url, body, headers), timeout=TIMEOUT_S) as response:  # noqa: S310  (our own server)
                    page: dict[str, Any] = json.load(response)
                    return page
            except HTTPError as error:
                if error.code != BUSY:
                    raise
                time.sleep(BUSY_WAIT_S)
