"""What killed processes left behind, put right by hand; and the log of what was repaired."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from fireworks_ext import ledger
from fireworks_ext.artefacts import Artefacts
from fireworks_ext.janitor import repairs
from fireworks_ext.janitor.round import Janitor
from fireworks_ext.janitor.sightings import STALE_S
from fireworks_ext.processes import is_gone, parse
from fireworks_ext.store import Store
from runner.control import controller_lease
from schemas.repairs import RepairRound

PAUSE_S = STALE_S + 1.0
"""Between two looks, after which what has not moved is left behind."""


def repair(store: Store, campaigns: Sequence[str], *, wait: bool) -> Iterator[RepairRound]:
    """Do a round over campaigns, and yield what each came to.

    Parameters
    ----------
    wait
        Look a second time, a minute later, at what looks left behind and may belong to somebody.

    Raises
    ------
    UserError
        When the store knows no such campaign.
    """
    documents = {name: ledger.find_campaign(store, name) for name in campaigns}
    janitors = {
        name: Janitor(store, name, Artefacts(Path(document["artefacts"])))
        for name, document in documents.items()
    }
    rounds = {name: _round(store, one) for name, one in janitors.items()}
    if wait and any(one.suspects for one in rounds.values()):
        time.sleep(PAUSE_S)
        for name, first in rounds.items():
            second = _round(store, janitors[name])
            rounds[name] = second.model_copy(update={"repairs": first.repairs + second.repairs})
    yield from rounds.values()


def log(store: Store, campaigns: Sequence[str]) -> Iterator[RepairRound]:
    """Yield the logs of campaigns."""
    for name in campaigns:
        ledger.find_campaign(store, name)
        found = tuple(repairs.logged(store, name))
        yield RepairRound(campaign=name, repairs=found, controller=_controller(store, name))


def all_campaigns(store: Store) -> list[str]:
    """Return the names of all campaigns of a store."""
    return sorted(one["_id"] for one in store.campaigns.find({}, {"_id": 1}))


def _round(store: Store, janitor: Janitor) -> RepairRound:
    controller = _controller(store, janitor.campaign)
    report = janitor.clean(thorough=True, beside=controller is not None)
    return RepairRound(
        campaign=janitor.campaign,
        repairs=tuple(report.records),
        orphans=report.orphans,
        suspects=report.suspects,
        controller=controller,
    )


def _controller(store: Store, campaign: str) -> str | None:
    """Return the process that controls a campaign now."""
    query = {"_id": controller_lease(campaign), "expires_at": {"$gt": time.time()}}
    held = store.leases.find_one(query, {"owner": 1})
    owner = parse(str(held["owner"])) if held else None
    return None if owner is None or is_gone(owner) else owner.name
