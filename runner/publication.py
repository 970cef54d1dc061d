"""The ledger published: in bounded memory, and of a campaign that goes on only what has changed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from fireworks_ext import ledger, raw
from fireworks_ext.spending import MARGIN
from fireworks_ext.store import Store
from runner.ahead import ahead
from runner.counting import Members
from runner.export.address import lake_from
from runner.export.parquet import publish, publishing
from runner.export.partition_writer import PartitionWriter
from runner.export.sending import Sending
from runner.heap import kept_heap
from runner.ledger_rows import MEMBER_FIELDS, campaign_row, task_columns
from schemas.clock import utc_now
from schemas.columns import Column
from schemas.tables import fixed_columns

PUBLISH_S = 15.0
PUBLISH_SHARE = 0.05
"""Of its time, a controller spends at most this share on publishing."""
ATTEMPTS = "attempts"
THREADS = 1
"""That read and convert, besides the one that writes; each more keeps some 20 MB for itself."""


@dataclass
class Publisher:
    """Publishes a campaign again and again.

    What a partition was made from is marked: by how many members stand where at a stage, and by
    when an attempt was last recorded. One whose mark is as before is not looked at.
    """

    store: Store
    campaign: str
    root: Path
    sends: bool = True
    """Whether tables that go to S3 are sent there from their folder."""
    sending: Sending = field(init=False)
    _marks: dict[str, Any] = field(default_factory=dict)
    _since: datetime | None = None
    _next: float = 0.0

    def __post_init__(self) -> None:
        self.sending = Sending(self.root, self.campaign)

    def is_due(self) -> bool:
        """Tell whether to publish while the campaign goes on."""
        return time.monotonic() >= self._next

    def publish(self) -> None:
        """Publish what has changed since the last time; the first time, everything.

        Where tables go to S3 they are sent from their folder: in the background while the campaign
        runs, before this returns once it does not.
        """
        began, since = time.monotonic(), utc_now()
        document = ledger.find_campaign(self.store, self.campaign)
        partition = {"campaign": self.campaign}
        row = campaign_row(self.store, document)
        publish(self.root, "campaigns", partition, [row], fixed_columns("campaigns"))
        marks = self._marked(document)
        changed = {name for name, mark in marks.items() if self._marks.get(name) != mark}
        changed |= {name for name in marks.keys() - changed if self._was_attempted(name)}
        if changed:
            self._publish(document["tasks"], changed)
        self._marks, self._since = marks, since
        self._send(document)
        took = time.monotonic() - began
        self._next = time.monotonic() + max(PUBLISH_S, took / PUBLISH_SHARE)

    def _send(self, document: Mapping[str, Any]) -> None:
        address = lake_from(document.get("lake"))
        if address is None or not self.sends:
            return
        if document["state"] == "running":
            self.sending.begin(address)
        else:
            self.sending.finish(address)

    def _marked(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return, by stage, what says whether its rows are the same as before."""
        members = Members(self.store, self.campaign)
        whole = (document["revision"], members.count())
        marks: dict[str, Any] = {name: (whole, members.stage(name)) for name in document["tasks"]}
        marks[ATTEMPTS] = (self._last_recorded(), self._running())
        return marks

    def _last_recorded(self) -> datetime | None:
        mine = {"campaign": self.campaign}
        found = self.store.attempts.find(mine, {"recorded_at": 1}).sort("recorded_at", -1).limit(1)
        for one in found:
            moment: datetime | None = one.get("recorded_at")
            return moment
        return None

    def _running(self) -> int:
        open_ones = {"campaign": self.campaign, "recorded_at": None}
        return int(self.store.attempts.count_documents(open_ones))

    def _was_attempted(self, stage: str) -> bool:
        """Tell whether a stage was attempted since: as many may stand there, but not the same."""
        if stage == ATTEMPTS or self._since is None:
            return False
        recent = {"$gte": self._since - MARGIN}
        query = {"campaign": self.campaign, "recorded_at": recent, "stage": stage}
        return self.store.attempts.find_one(query, {"_id": 1}) is not None

    def _publish(self, tasks: Mapping[str, Mapping[str, Any]], changed: set[str]) -> None:
        """Write the partitions of some stages, and that of the attempts, in one pass."""
        from runner.ledger_tables import PAGE, ledger_tables

        columns = {name: _columns(name, tasks) for name in sorted(changed)}
        with kept_heap(), ExitStack() as stack:
            writers: dict[str, PartitionWriter] = {}
            for name, some in columns.items():
                table, values = "results", {"campaign": self.campaign, "stage": name}
                if name == ATTEMPTS:
                    table = values.pop("stage")
                writers[name] = stack.enter_context(publishing(self.root, table, values, some))
            make = ledger_tables(self.store, self.campaign, tasks, columns)
            pages = raw.candidates(self.store, self.campaign, MEMBER_FIELDS, size=PAGE)
            tables = stack.enter_context(closing(ahead(make, _with_bounds(pages), THREADS)))
            for found in tables:
                for name, rows in found.items():
                    writers[name].add_table(rows)


def _columns(name: str, tasks: Mapping[str, Mapping[str, Any]]) -> tuple[Column, ...]:
    """Return the columns of a stage's table, or of that of the attempts."""
    if name == ATTEMPTS:
        return fixed_columns(ATTEMPTS)
    return (*fixed_columns("results"), *task_columns(tasks[name]))


def _with_bounds(
    pages: Iterable[raw.RawDocuments],
) -> Iterator[tuple[raw.RawDocuments | None, dict[str, str]]]:
    """Yield pages of candidates, each with the range of ids up to its last; then the rest."""
    last = ""
    for page in pages:
        upto = page[-1]["id"]
        yield page, {"$gt": last, "$lte": upto}
        last = upto
    yield None, {"$gt": last}
