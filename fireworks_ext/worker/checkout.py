"""Taking READY fireworks, many at a time: 7 round trips for a lot instead of 20 for each.

At every point a kill leaves what FireWorks, or the janitor, makes READY again: first they are
RESERVED with the lot's mark, then their launches are inserted, then they are RUNNING.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fireworks import FWAction
from pydantic import ValidationError
from pymongo import DESCENDING, UpdateOne

from fireworks_ext import launches
from fireworks_ext.store import Store
from schemas.clock import utc_now
from schemas.handover import Taken
from schemas.work import StageOrder

MOST_AHEAD = 8
"""Where others take the same fireworks, a lot is drawn from at most so many times its size."""


@dataclass
class Checkout:
    """Takes what is READY for one worker, which FireWorks knows by its name."""

    store: Store
    query: Mapping[str, Any]
    worker: str
    host: str
    launch_dir: str
    _ahead: int = 1

    def take(self, limit: int) -> list[Taken]:
        """Return up to so many fireworks, the most urgent first; they are RUNNING now."""
        ids = self._ready(limit)
        if not ids:
            return []
        lot = uuid.uuid4().hex
        documents = self._reserve(ids, lot)
        # Others chose the same ones: next time from more of them.
        contended = len(documents) < len(ids)
        self._ahead = min(2 * self._ahead, MOST_AHEAD) if contended else max(self._ahead - 1, 1)
        if not documents:
            return []
        numbers = launches.new_ids(self.store, len(documents))
        by_launch = dict(zip(numbers, documents, strict=True))
        ours = self._launch(by_launch, lot)
        taken = (
            self._taken(one, launch_id) for launch_id, one in by_launch.items() if launch_id in ours
        )
        return [one for one in taken if one is not None]

    def unfinished(self) -> list[Taken]:
        """Return the fireworks that are in this worker's hands, as the database has it.

        For a worker that has nothing in its hands, after an outage.
        """
        mine = {"fworker.name": self.worker, "state": "RUNNING"}
        found = self.store.launches.find(mine, {"launch_id": 1, "_id": 0})
        numbers = [one["launch_id"] for one in found]
        wanted = {"fw_id": 1, "launches": 1, "spec.order": 1, "_id": 0}
        ours = {**self.query, "launches": {"$in": numbers}, "state": "RUNNING"}
        running = self.store.fireworks.find(ours, wanted)
        taken = (
            self._taken(one, one["launches"][-1])
            for one in running
            if one["launches"][-1] in numbers
        )
        return [one for one in taken if one is not None]

    def _taken(self, firework: Mapping[str, Any], launch_id: int) -> Taken | None:
        """Return a firework that is in our hands; one whose order cannot be read has failed."""
        try:
            order = StageOrder.model_validate(firework["spec"]["order"])
        except (KeyError, ValidationError) as error:
            said = {"_exception": {"_stacktrace": str(error), "_details": None}}
            action = FWAction(stored_data=said, exit=True)
            self.store.launchpad.complete_launch(launch_id, action, "FIZZLED")
            return None
        fw_id = firework["fw_id"]
        return Taken(fw_id=fw_id, launch_id=launch_id, taken_at=utc_now(), order=order)

    def _ready(self, limit: int) -> list[Any]:
        """Return the `_id`s of some READY fireworks: by those they are written fastest."""
        # What a user gave to one worker by name (`spec._fworker`) is left to that one.
        anybody = {"spec._fworker": {"$in": [None, self.worker]}}
        query = {**self.query, "state": "READY", **anybody}
        found = self.store.fireworks.find(query, {"_id": 1})
        found = found.sort([("spec._priority", DESCENDING)]).limit(limit * self._ahead)
        ids = [one["_id"] for one in found]
        if len(ids) <= limit:
            return ids
        return random.sample(ids, limit)  # to be out of each other's way

    def _reserve(self, ids: Sequence[Any], lot: str) -> list[dict[str, Any]]:
        """Make fireworks ours that are still READY; return them, the most urgent first."""
        mark = {"state": "RESERVED", "spec._lot": lot, "updated_on": launches.iso_now()}
        self.store.fireworks.bulk_write(
            [UpdateOne({"_id": one, "state": "READY"}, {"$set": mark}) for one in ids],
            ordered=False,
        )
        ours = {"_id": {"$in": list(ids)}, "state": "RESERVED", "spec._lot": lot}
        wanted = {"fw_id": 1, "launches": 1, "spec.order": 1, "spec._priority": 1}
        found = list(self.store.fireworks.find(ours, wanted))
        return sorted(found, key=lambda one: -one["spec"].get("_priority", 0))

    def _launch(self, by_launch: Mapping[int, Mapping[str, Any]], lot: str) -> set[int]:
        """Begin launches; return those whose fireworks nobody took away meanwhile."""
        store = self.store
        store.launches.insert_many(
            launches.running(
                {launch: one["fw_id"] for launch, one in by_launch.items()},
                worker=self.worker,
                query=json.dumps(self.query),
                launch_dir=self.launch_dir,
                host=self.host,
            )
        )
        now = launches.iso_now()
        begun = store.fireworks.bulk_write(
            [
                UpdateOne(
                    {"_id": one["_id"], "state": "RESERVED", "spec._lot": lot},
                    {
                        "$set": {
                            "state": "RUNNING",
                            "launches": [*one["launches"], launch],
                            "updated_on": now,
                        }
                    },
                )
                for launch, one in by_launch.items()
            ],
            ordered=False,
        )
        self._show(by_launch)
        if begun.matched_count == len(by_launch):
            return set(by_launch)
        found = store.fireworks.find(
            {"launches": {"$in": list(by_launch)}, "state": "RUNNING"}, {"launches": 1, "_id": 0}
        )
        return {launch for one in found for launch in one["launches"]}

    def _show(self, by_launch: Mapping[int, Mapping[str, Any]]) -> None:
        """Let workflows say what runs.

        Without their locks: what a completion beside it overwrites only shows READY for a while.
        """
        ids = {one["fw_id"] for one in by_launch.values()}
        query = {"nodes": {"$in": sorted(ids)}}
        found = list(self.store.workflows.find(query, {"nodes": 1, "state": 1}))
        now = datetime.now(UTC)
        writes = []
        for workflow in found:
            shown: dict[str, Any] = {
                f"fw_states.{node}": "RUNNING" for node in workflow["nodes"] if node in ids
            }
            # Another state is that of another firework, and precedes.
            if workflow["state"] in {"READY", "RESERVED"}:
                shown["state"] = "RUNNING"
            change = {"$set": {**shown, "updated_on": now}}
            writes.append(UpdateOne({"_id": workflow["_id"]}, change))
        if writes:
            self.store.workflows.bulk_write(writes, ordered=False)
