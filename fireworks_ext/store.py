"""The store: FireWorks' own collections and the campaign's ledger, in one database.

The location is a file (the embedded store of one machine) or a `mongodb://` URI. Collections of
ours: `campaigns` (revisions, limits, what was spent), `candidates` (membership and the state of
every stage), `results` (by key, free of campaigns), `attempts`, `leases`, `archived_fireworks`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fireworks import LaunchPad

from fireworks_ext.embedded import open_launchpad
from schemas.errors import UserError

FIREWORKS_INDEXES = ["spec.campaign", "spec.key", "spec._waits_for"]
WORKFLOW_INDEXES = ["metadata.campaign", "metadata.candidate"]
DEFAULT_DATABASE = "matcampaign"


@dataclass(frozen=True)
class Store:
    """An open store; `location` opens it again in another process."""

    location: str
    launchpad: LaunchPad

    @property
    def shown_location(self) -> str:
        """The location for messages and files: without a password."""
        return without_password(self.location)

    def __getattr__(self, name: str) -> Any:
        """Return the collection of that name: `store.results`."""
        if name.startswith("_"):
            raise AttributeError(name)
        return self.launchpad.db[name]


def without_password(location: str) -> str:
    """Return a store's location as it may be shown and written down."""
    password = urlsplit(location).password if "://" in location else None
    return location.replace(f":{password}@", "@") if password else location


def open_store(location: str) -> Store:
    """Open the store, and make its indexes when it is new.

    Raises
    ------
    UserError
        When it cannot be reached, or lies where an embedded store must not.
    """
    launchpad = _server(location) if "://" in location else _embedded(Path(location))
    store = Store(location, launchpad)
    if "campaigns" not in launchpad.db.list_collection_names():
        _make_indexes(store)
    return store


def _embedded(path: Path) -> LaunchPad:
    launchpad = open_launchpad(path, name=DEFAULT_DATABASE)
    launchpad.m_logger.setLevel(logging.ERROR)
    return launchpad


def _server(uri: str) -> LaunchPad:
    from pymongo.errors import PyMongoError

    name = urlsplit(uri).path.strip("/") or DEFAULT_DATABASE
    try:
        launchpad = LaunchPad(
            host=uri,
            name=name,
            uri_mode=True,
            strm_lvl="ERROR",
            mongoclient_kwargs={"serverSelectionTimeoutMS": 10_000, "w": "majority"},
        )
        launchpad.db.client.admin.command("ping")
    except PyMongoError as error:
        host = urlsplit(uri).hostname
        raise UserError(
            f"store: no database answers at '{host}' ({error}); check the address, or leave "
            "`store` out to use the embedded store"
        ) from error
    return launchpad


def _make_indexes(store: Store) -> None:
    """Build FireWorks' indexes and ours; building one that exists does nothing."""
    launchpad = store.launchpad
    launchpad.user_indices = FIREWORKS_INDEXES
    launchpad.wf_user_indices = WORKFLOW_INDEXES
    if not launchpad.fw_id_assigner.count_documents({}):
        launchpad._restart_ids(1, 1)  # noqa: SLF001  (what `lpad reset` does, without deleting)
    launchpad.tuneup()
    store.candidates.create_index([("campaign", 1), ("row", 1)])
    store.results.create_index([("key", 1)])
    store.attempts.create_index([("campaign", 1)])
    store.attempts.create_index([("key", 1)])
    # Last: its existence says that all others are there.
    store.campaigns.create_index([("project", 1)])
