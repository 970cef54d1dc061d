"""Handing stages over as files, and taking in what comes back: the side that has the database.

A stage that is handed over is RUNNING, under a lease whose owner is the folder, not a process: who
looks after the folder keeps both alive, and another process can go on with it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pymongo import UpdateOne

from fireworks_ext import artefacts, leases, states
from fireworks_ext.folders.offline import STAGE, read_result, read_stage, stages
from fireworks_ext.folders.stays import Stays
from fireworks_ext.launches import iso_now
from fireworks_ext.store import Store
from fireworks_ext.worker.briefing import brief
from fireworks_ext.worker.checkout import Checkout
from fireworks_ext.worker.delivery import deliver
from fireworks_ext.worker.session import Session
from fireworks_ext.worker.sessions import open_session
from schemas.handover import Briefing, Delivery
from schemas.stage_file import Forecast, StageFile

OWNER = "handed-over"
MOST_AT_ONCE = 100


@dataclass
class Handovers:
    """The stages of one campaign in one folder."""

    session: Session
    campaign: str
    folder: Path
    query: Mapping[str, Any] = field(default_factory=dict)
    """Of fireworks, beside the campaign: which of its stages come here."""
    forecast: Callable[[Briefing], Forecast | None] = lambda _briefing: None

    def hand_over(self, count: int) -> list[Path]:
        """Take up to so many READY stages and write them into the folder, each into its own."""
        return [place for place, _ in self.given(count)]

    def given(self, count: int) -> Iterator[tuple[Path, Briefing]]:
        """Hand stages over as `hand_over`, and tell of each once it is written."""
        written = 0
        stays = Stays(self.session, OWNER)
        store = self.session.store
        checkout = Checkout(
            store,
            {"spec.campaign": self.campaign, **self.query},
            OWNER,
            self.session.process.host,
            str(self.folder),
        )
        while written < count:
            lot = checkout.take(min(count - written, MOST_AT_ONCE))
            if not lot:
                break
            briefings, ended = brief(self.session, lot, owner=OWNER)
            deliver(self.session, ended)
            for one in stays.sort_out(briefings):
                written += 1
                yield self._write(one), one
        stays.give_back()

    def _write(self, briefing: Briefing) -> Path:
        place = self.folder / f"{briefing.fw_id}-{briefing.launch_id}"
        place.mkdir(parents=True, exist_ok=True)
        stage = StageFile(
            briefing=briefing,
            site=self.session.site,
            artefacts=self.session.artefacts.root,
            forecast=self.forecast(briefing),
        )
        artefacts.write_record(place, STAGE, stage.model_dump(mode="json"))
        return place

    def keep(self) -> None:
        """Renew the leases of what is still out, and its launches' signs of life."""
        keep(self.session.store, list(self._out()))

    def _out(self) -> Iterator[Briefing]:
        for place in stages(self.folder):
            stage = read_stage(place)
            if stage is not None and read_result(place) is None:
                yield stage.briefing


def keep(store: Store, out: Sequence[Briefing]) -> None:
    """Renew the leases of stages that are out, and their launches' signs of life."""
    if not out:
        return
    store.leases.bulk_write(
        [
            UpdateOne(
                {"_id": one.order.key, "owner": OWNER, "token": one.token},
                {"$set": {"expires_at": time.time() + leases.LEASE_S}},
            )
            for one in out
        ],
        ordered=False,
    )
    store.launches.update_many(
        {"launch_id": {"$in": [one.launch_id for one in out]}, "state": "RUNNING"},
        {"$set": {"state_history.0.updated_on": iso_now()}},
    )


def take_in(store: Store, folder: Path) -> list[Delivery]:
    """Write down the results of stages that lie in a folder, and remove those; return them.

    Again without harm. Raises UserError for a file that is none of ours.
    """
    taken = (take_in_one(store, place) for place in stages(folder))
    return [one for one in taken if one is not None]


def take_in_one(store: Store, place: Path) -> Delivery | None:
    """Write down the result of a stage, and remove its folder; None where there is none yet."""
    result = read_result(place)  # first: most have none yet, and this is done every second
    stage = read_stage(place) if result is not None else None
    if stage is None or result is None:
        return None
    key = result.order.key
    deliver(open_session(store, result.order.campaign), [result])
    leases.release(store, leases.Lease(key, OWNER, stage.briefing.token))
    states.wake(store, key)  # those that found the lease held are not to wait for a janitor
    _remove(place)
    return result


def _remove(place: Path) -> None:
    """Take a stage's folder away at once: whoever is about to look into it finds none."""
    aside = place.with_name(f".{place.name}.{os.getpid()}")
    with suppress(FileNotFoundError):  # somebody else takes results in, too
        place.rename(aside)
        shutil.rmtree(aside)
