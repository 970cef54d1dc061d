"""The stages of a campaign that could start now, with what each is expected to take."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf

from pymongo import DESCENDING

from fireworks_ext import ledger
from fireworks_ext.store import Store
from runner.fleet.forecast import Forecaster
from runner.fleet.loads import Load
from schemas.handover import Briefing
from schemas.stage_file import Forecast
from schemas.work import StageOrder

MOST_READ = 2000
"""READY fireworks that are looked at: more than any number of jobs is sized by."""
PUT_OFF_S = 300.0
"""For a stage that uses files which were deleted: handing it over again would end the same."""
KNOWN_S = 120.0
"""After which a forecast is made again: runs have finished since."""


@dataclass(frozen=True)
class Ready:
    """A stage that could start."""

    fw_id: int
    load: Load


@dataclass
class Backlog:
    """What waits for jobs of one campaign."""

    store: Store
    campaign: str
    forecaster: Forecaster
    _known: dict[int, tuple[float, Ready]] = field(default_factory=dict)
    most: int = MOST_READ
    _out: dict[str, tuple[float, Forecast]] = field(default_factory=dict)
    _not_before: dict[int, float] = field(default_factory=dict)

    def read(self) -> list[Ready]:
        """Return the stages that could start, the most urgent first."""
        ready = {"spec.campaign": self.campaign, "state": "READY"}
        found = self.store.fireworks.find(ready, {"fw_id": 1, "_id": 0})
        found = found.sort([("spec._priority", DESCENDING)]).limit(self.most)
        now = time.monotonic()
        ids = [one["fw_id"] for one in found if self._not_before.get(one["fw_id"], -inf) < now]
        old = [one for one in ids if now - self._known.get(one, (-inf, None))[0] > KNOWN_S]
        self._known |= {one.fw_id: (now, one) for one in self._forecast(old)} if old else {}
        return [self._known[one][1] for one in ids if one in self._known]

    def forecast(self, briefing: Briefing) -> Forecast:
        """Return what a stage that is handed over is expected to take."""
        key, now = briefing.order.key, time.monotonic()
        made_at, known = self._out.get(key, (-inf, None))
        if known is None or now - made_at > KNOWN_S:
            known = self.forecaster.forecast(briefing.order, briefing.candidate.structure)
            self._out[key] = (now, known)
        return known

    def put_off(self, fw_ids: Iterable[int]) -> None:
        """Leave stages alone for a while that could not be handed over."""
        again = time.monotonic() + PUT_OFF_S
        self._not_before |= dict.fromkeys(fw_ids, again)

    def pending(self) -> int:
        """Return how many candidates wait for room among those that could start."""
        waiting = {"campaign": self.campaign, "pending": True}
        return int(self.store.candidates.count_documents(waiting))

    def forget(self, fw_ids: Iterable[int]) -> None:
        """Forget stages that were taken: when they are READY again, more is known of them."""
        for one in fw_ids:
            self._known.pop(one, None)

    def forget_out(self, key: str) -> None:
        """Forget a stage that is out no more."""
        self._out.pop(key, None)

    def _forecast(self, fw_ids: Sequence[int]) -> list[Ready]:
        wanted = {"fw_id": 1, "spec.order": 1, "_id": 0}
        found = self.store.fireworks.find({"fw_id": {"$in": list(fw_ids)}}, wanted)
        orders = {one["fw_id"]: StageOrder.model_validate(one["spec"]["order"]) for one in found}
        names = {ledger.candidate_key(self.campaign, one.candidate) for one in orders.values()}
        documents = self.store.candidates.find({"_id": {"$in": sorted(names)}})
        structures = {one["id"]: ledger.candidate_record(one).structure for one in documents}
        known = [one for one in orders.items() if one[1].candidate in structures]
        made = self.forecaster.forecasts(
            [(order, structures[order.candidate]) for _, order in known]
        )
        return [
            Ready(fw_id, Load.of(str(fw_id), order.resources, one))
            for (fw_id, order), one in zip(known, made, strict=True)
        ]
