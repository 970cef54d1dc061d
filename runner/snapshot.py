"""What is there of some members of a campaign while workers work: stages, fireworks, results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fireworks_ext import ledger
from fireworks_ext.store import Store
from runner.compile import LIVE
from schemas.ledger import StageEntry, StageState

GIVEN_UP = frozenset({StageState.FAILED, StageState.HELD})
Stages = dict[str, StageEntry]


@dataclass(frozen=True)
class Snapshot:
    """Members as they stand, by id; one that is new has nothing here."""

    documents: Mapping[str, Mapping[str, Any]]
    before: Mapping[str, Stages]
    fireworks: Mapping[int, str]
    """State by id of every firework that they name; one that is missing was never inserted."""


def snapshot(store: Store, campaign: str, candidates: Sequence[str]) -> Snapshot:
    """Return how some members stand.

    A worker writes into the ledger how a stage ended, and then ends the firework. So fireworks are
    read before the stages, and those again whose stage has ended since, or that had ended and shall
    go on: what nobody runs any more by then has not been given up or sent on unseen. Which
    fireworks there are says the ledger itself, so it is read once more before them; only the
    controller gives fireworks to stages, so none is missed.
    """
    names = [ledger.candidate_key(campaign, one) for one in candidates]
    found = store.candidates.find({"_id": {"$in": names}})
    documents = {document["id"]: document for document in found}
    before = {name: stages_in(document) for name, document in documents.items()}
    named = [
        entry.fw_id
        for stages in before.values()
        for entry in stages.values()
        if entry.fw_id is not None
    ]
    if not named:
        return Snapshot(documents, before, {})
    fireworks = _states(store, named)
    again = store.candidates.find({"_id": {"$in": names}}, {"id": 1, "stages": 1})
    before = {document["id"]: stages_in(document) for document in again}
    doubtful = [
        entry.fw_id
        for stages in before.values()
        for entry in stages.values()
        if entry.fw_id in fireworks
        and (entry.state in GIVEN_UP or not (entry.state.settled or fireworks[entry.fw_id] in LIVE))
    ]
    if doubtful:
        fireworks |= _states(store, doubtful)
    return Snapshot(documents, before, fireworks)


def stages_in(document: Mapping[str, Any]) -> Stages:
    """Return the stages in a document of `candidates`."""
    return {name: StageEntry.model_validate(entry) for name, entry in document["stages"].items()}


def _states(store: Store, fw_ids: Sequence[int]) -> dict[int, str]:
    wanted = {"fw_id": 1, "state": 1}
    documents: list[dict[str, Any]] = store.fireworks.find({"fw_id": {"$in": fw_ids}}, wanted)
    return {document["fw_id"]: document["state"] for document in documents}
