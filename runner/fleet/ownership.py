"""Whose an exchange folder is: numbers of stages mean something to one store only."""

from __future__ import annotations

import uuid
from pathlib import Path

from fireworks_ext.folders.exchange import Exchange
from fireworks_ext.folders.offline import stages
from fireworks_ext.store import Store
from schemas.errors import UserError


def take(store: Store, campaign: str, exchange: Exchange) -> None:
    """Make an exchange folder this campaign's, or find that it is.

    Raises
    ------
    UserError
        When it is that of a campaign in another store, or stages of ours are out by another one.
    """
    known = _known(store, campaign)
    _require_none_out(campaign, known.get("root"), exchange.root)
    owner = known.get("id") or uuid.uuid4().hex
    noted = {"id": owner, "root": str(exchange.root)}
    store.campaigns.update_one({"_id": campaign}, {"$set": {"exchange": noted}})
    if exchange.claim_for(owner) != owner:
        raise UserError(
            f"{exchange.root}: belongs to a campaign '{campaign}' of another store, whose jobs may "
            "work there; name another folder as `exchange` of the launcher, or, if that store is "
            "gone for good, take the jobs out of the queue and remove the folder"
        )


def require_none_out(store: Store, campaign: str) -> None:
    """Raise UserError where jobs of a cluster have stages of a campaign: they would be doubled."""
    _require_none_out(campaign, _known(store, campaign).get("root"), None)


def _known(store: Store, campaign: str) -> dict[str, str]:
    document = store.campaigns.find_one({"_id": campaign}, {"exchange": 1}) or {}
    return dict(document.get("exchange") or {})


def _require_none_out(campaign: str, root: str | None, here: Path | None) -> None:
    if root is None or Path(root) == here:
        return
    out = stages(Exchange(Path(root)).stages)
    if out:
        raise UserError(
            f"{campaign}: {len(out)} stages are out, with jobs of a cluster, by {root}; run it "
            "with the profile of that cluster until they are in, or take its jobs out of the "
            f"queue (`campaign jobs {campaign} --cancel`) and remove that folder"
        )
