"""The store: FireWorks' own collections and the campaign's ledger, in one database.

The location is a file (the embedded store of one machine) or a server's address. Collections of
ours: `campaigns` (revisions, limits, what was spent), `candidates` (membership and the state of
every stage), `results` (by key, free of campaigns), `attempts`, `leases`, `archived_fireworks`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fireworks import LaunchPad

from fireworks_ext.database.patience import Patience, PatientDatabase
from fireworks_ext.database.workflow_locks import use_known_locks
from fireworks_ext.embedded import EmbeddedClient, open_launchpad
from schemas.errors import UserError
from schemas.location import DEFAULT_DATABASE, is_embedded, parse


@dataclass(frozen=True)
class Store:
    """An open store; `location` opens it again in another process, and holds no password."""

    location: str
    launchpad: LaunchPad
    patience: Patience = field(default_factory=Patience, repr=False, compare=False)
    """How long operations are repeated while the database is away; not used by files."""

    def __getattr__(self, name: str) -> Any:
        """Return the collection of that name: `store.results`."""
        if name.startswith("_"):
            raise AttributeError(name)
        return self.launchpad.db[name]


def open_store(location: str, *, wait_s: float = 0.0) -> Store:
    """Open the store, and make its indexes when it is new.

    A server that is away is waited for `wait_s`; whoever works for a campaign has time, a person
    at a command line wants to know.

    Raises
    ------
    UserError
        When it cannot be reached, or lies where an embedded store must not.
    """
    from fireworks_ext.database.indexes import FIREWORKS_INDEXES, WORKFLOW_INDEXES, make_indexes

    store = _embedded(location) if is_embedded(location) else _server(location, wait_s)
    # For `lpad admin tuneup` and `lpad reset`, which make them again.
    store.launchpad.user_indices = FIREWORKS_INDEXES
    store.launchpad.wf_user_indices = WORKFLOW_INDEXES
    if "campaigns" not in store.launchpad.db.list_collection_names():
        make_indexes(store)
    return store


def adopt(launchpad: LaunchPad) -> Store:
    """Return the store on FireWorks' own LaunchPad, whose operations are repeated from now on."""
    from fireworks_ext.database.servers import make_patient

    if isinstance(launchpad.db, PatientDatabase):
        return Store("", launchpad, launchpad.db.patience)
    store = Store("", launchpad)
    if not isinstance(launchpad.db.client, EmbeddedClient):
        make_patient(launchpad, store.patience)
    return store


def _embedded(path: str) -> Store:
    launchpad = open_launchpad(Path(path), name=DEFAULT_DATABASE)
    launchpad.m_logger.setLevel(logging.ERROR)
    use_known_locks()  # a lock of one who was killed says so
    return Store(path, launchpad)


def _server(location: str, wait_s: float) -> Store:
    from fireworks_ext.database.servers import connect

    try:
        server = parse(location)
    except ValueError as error:
        raise UserError(f"store: expected {error}") from None
    launchpad = connect(server, wait_s)
    return Store(replace(server, password="").text, launchpad, launchpad.db.patience)
