"""The indexes of a store: FireWorks' own, and those by which our questions are answered.

An index that fixes all fields but the last, and ends with the field of the order, answers a page
of a long list without sorting it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress

from pymongo.errors import DuplicateKeyError, OperationFailure

from fireworks_ext.store import Store
from schemas.identity import digest

logger = logging.getLogger(__name__)

Keys = tuple[tuple[str, int], ...]

FIREWORKS_INDEXES = ["spec.key", "spec._waits_for"]
WORKFLOW_INDEXES = ["metadata.candidate"]
"""What FireWorks makes with its own ones, also when somebody runs `lpad admin tuneup`."""

LONGEST_NAME = 63 - len("candidates$")

FORMULA_KEYS: Keys = (("campaign", 1), ("formula", 1))
"""A person names a candidate by its formula."""

INDEXES: tuple[tuple[str, Keys], ...] = (
    # What is READY, in the order of its urgency.
    ("fireworks", (("spec.campaign", 1), ("state", 1), ("spec._priority", -1))),
    # What waits, and for what: the first of these fields alone holds what waited once, too.
    ("fireworks", (("spec.campaign", 1), ("state", 1), ("spec._waits_for", 1))),
    ("workflows", (("metadata.campaign", 1), ("state", 1), ("_id", 1))),
    # Locks: ours say when they were taken, FireWorks' are `true`.
    ("workflows", (("locked", 1),)),
    ("workflows", (("locked.at", 1),)),
    ("candidates", (("campaign", 1), ("row", 1))),
    ("candidates", FORMULA_KEYS),
    ("candidates", (("campaign", 1), ("pending", 1), ("priority", -1))),
    ("candidates", (("campaign", 1), ("seen", 1))),
    ("candidates", (("campaign", 1), ("member", 1), ("generator", 1))),
    ("results", (("key", 1),)),
    ("attempts", (("campaign", 1), ("recorded_at", 1))),
    ("attempts", (("campaign", 1), ("candidate", 1))),
    ("attempts", (("key", 1),)),
    ("attempts", (("engine", 1), ("task", 1), ("finished_at", 1))),
    ("leases", (("expires_at", 1),)),
    ("repairs", (("campaign", 1), ("at", 1))),
    # Last: its existence says that all others are there.
    ("campaigns", (("project", 1),)),
)


def make_indexes(store: Store) -> None:
    """Build FireWorks' indexes and ours; building one that exists does nothing."""
    launchpad = store.launchpad
    launchpad.user_indices = FIREWORKS_INDEXES
    launchpad.wf_user_indices = WORKFLOW_INDEXES
    if not launchpad.fw_id_assigner.count_documents({}):
        # As `lpad reset`, but harmless when another machine does it too and counts already.
        first = {"next_fw_id": 1, "next_launch_id": 1}
        with suppress(DuplicateKeyError):
            launchpad.fw_id_assigner.update_one({"_id": -1}, {"$setOnInsert": first}, upsert=True)
    launchpad.tuneup()
    for collection, keys in INDEXES:
        launchpad.db[collection].create_index(list(keys))


def stage_keys(stage: str) -> Keys:
    """Return the fields by which the members of a campaign are counted at a stage."""
    where = f"stages.{stage}"
    counted = (f"{where}.state", f"{where}.cached", f"{where}.failure")
    return (("campaign", 1), ("member", 1), *((one, 1) for one in counted))


def stage_index(stage: str) -> str:
    """Return the name of that index: DocumentDB takes 63 characters, with the collection's."""
    name = f"stage_{stage}"
    return name if len(name) <= LONGEST_NAME else f"stage_{digest(stage)[:32]}"


def make_stage_indexes(store: Store, stages: Iterable[str]) -> None:
    """Build the indexes by which members are counted at some stages.

    To be called when a campaign is written. A server that refuses one more (64 on a collection, in
    MongoDB and DocumentDB) only counts more slowly.
    """
    for stage in stages:
        try:
            store.candidates.create_index(list(stage_keys(stage)), name=stage_index(stage))
        except OperationFailure as error:
            logger.warning("no index to count stage '%s' by: %s", stage, error)
