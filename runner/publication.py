"""The ledger published: in bounded memory, and of a campaign that goes on only what has changed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from fireworks_ext import ledger, pages
from fireworks_ext.spending import MARGIN
from fireworks_ext.store import Store
from runner.counting import Members
from runner.export.address import lake_from
from runner.export.parquet import publish, publishing
from runner.export.partition_writer import PartitionWriter
from runner.export.sending import Sending
from runner.ledger_rows import (
    MEMBER_FIELDS,
    attempt_row,
    campaign_row,
    page_rows,
    task_columns,
)
from schemas.clock import utc_now
from schemas.tables import fixed_columns

PUBLISH_S = 15.0
PUBLISH_SHARE = 0.05
"""Of its time, a controller spends at most this share on publishing."""
ATTEMPTS = "attempts"


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
        with ExitStack() as stack:
            writers: dict[str, PartitionWriter] = {}
            for name in sorted(changed):
                table = ATTEMPTS if name == ATTEMPTS else "results"
                columns = fixed_columns(table)
                partition = {"campaign": self.campaign}
                if name != ATTEMPTS:
                    columns = (*columns, *task_columns(tasks[name]))
                    partition["stage"] = name
                one = publishing(self.root, table, partition, columns)
                writers[name] = stack.enter_context(one)
            attempts = writers.pop(ATTEMPTS, None)
            last = ""
            for page in pages.candidates(self.store, self.campaign, MEMBER_FIELDS):
                if writers:
                    self._add_results(page, tasks, writers)
                if attempts is not None:
                    self._add_attempts(attempts, last, page[-1]["id"])
                last = page[-1]["id"]
            if attempts is not None:
                self._add_attempts(attempts, last, None)

    def _add_results(
        self,
        page: list[dict[str, Any]],
        tasks: Mapping[str, Mapping[str, Any]],
        writers: Mapping[str, PartitionWriter],
    ) -> None:
        wanted = [
            {**one, "stages": {k: v for k, v in one["stages"].items() if k in writers}}
            for one in page
        ]
        rows: dict[str, list[dict[str, object]]] = {name: [] for name in writers}
        for row in page_rows(self.store, self.campaign, wanted, tasks):
            rows[str(row.pop("stage"))].append(row)
        for name, some in rows.items():
            if some:
                writers[name].add(some)

    def _add_attempts(self, writer: PartitionWriter, after: str, upto: str | None) -> None:
        """Write the attempts of a range of candidates."""
        bounds = {"$gt": after} if upto is None else {"$gt": after, "$lte": upto}
        mine = {"campaign": self.campaign, "candidate": bounds}
        rows = [attempt_row(one) for one in self.store.attempts.find(mine)]
        if rows:
            writer.add(rows)
