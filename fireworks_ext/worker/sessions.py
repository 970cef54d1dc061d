"""The sessions of this process: our workers make theirs; stock `rlaunch` gets one per campaign."""

from __future__ import annotations

from pathlib import Path

from fireworks import LaunchPad

from fireworks_ext import ledger
from fireworks_ext.artefacts import Artefacts
from fireworks_ext.store import Store, adopt
from fireworks_ext.worker.session import Session
from schemas.profile import Site

_sessions: dict[str, Session] = {}


def open_session(store: Store, campaign: str) -> Session:
    """Return the session in which this process works for a campaign, made at first use.

    Codes, pseudopotentials and the root of run directories are those of the campaign's last run.
    """
    if campaign not in _sessions:
        document = ledger.find_campaign(store, campaign)
        _sessions[campaign] = Session(
            database=store,
            site=Site.model_validate(document["site"]),
            artefacts=Artefacts(Path(document["artefacts"])),
        )
    return _sessions[campaign]


def take_settings(session: Session, campaign: str) -> None:
    """Go on with the settings of the campaign's last run, which may have been since."""
    settings = {"site": 1, "artefacts": 1}
    document = session.store.campaigns.find_one({"_id": campaign}, settings)
    if document is not None:
        session.site = Site.model_validate(document["site"])
        session.artefacts = Artefacts(Path(document["artefacts"]))


def session_of(launchpad: LaunchPad, campaign: str) -> Session:
    """Return the session for a firework that FireWorks hands to this process."""
    if campaign in _sessions:
        return _sessions[campaign]
    return open_session(adopt(launchpad), campaign)


def forget() -> None:
    """Let the next firework look up its campaign's settings again."""
    _sessions.clear()
