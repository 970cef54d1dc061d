"""Reading and writing the campaign's own documents: candidates, results, attempts, campaigns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import DuplicateKeyError

from fireworks_ext.database.inserts import insert_new
from fireworks_ext.store import Store
from schemas.clock import utc_now
from schemas.errors import UserError
from schemas.ledger import AttemptRecord, CandidateRecord, ResultRecord, StageState
from schemas.work import StageOrder

SECONDS_PER_HOUR = 3600.0
KEYS_PER_QUERY = 10_000
"""A query is a document of at most 16 MB (https://www.mongodb.com/docs/manual/reference/limits/)."""


def candidate_key(campaign: str, candidate: str) -> str:
    """Return the `_id` of a candidate's document."""
    return f"{campaign}/{candidate}"


def find_candidate(store: Store, campaign: str, candidate: str) -> CandidateRecord:
    """Return a member of a campaign. Raises UserError when there is no such candidate."""
    document = store.candidates.find_one({"_id": candidate_key(campaign, candidate)})
    if document is None:
        raise UserError(f"campaign '{campaign}' has no candidate {candidate}")
    return candidate_record(document)


def candidate_record(document: Mapping[str, Any]) -> CandidateRecord:
    """Return the record in a document of `candidates`."""
    return CandidateRecord.model_validate({k: v for k, v in document.items() if k != "_id"})


@dataclass(frozen=True)
class StageChange:
    """Where a stage stands from now on; `fields` are those of `StageEntry` that change with it."""

    order: StageOrder
    state: StageState
    fields: Mapping[str, Any] = field(default_factory=dict)


def set_stage(store: Store, order: StageOrder, state: StageState, **changes: Any) -> None:
    """Write where a stage stands, unless an edit gave the stage another key meanwhile."""
    set_stages(store, [StageChange(order, state, changes)])


def set_stages(store: Store, changes: Sequence[StageChange]) -> None:
    """Write where stages stand, but for those that an edit gave another key meanwhile."""
    if changes:
        store.candidates.bulk_write([_stage_update(one) for one in changes])


def _stage_update(change: StageChange) -> UpdateOne:
    order, where = change.order, f"stages.{change.order.stage}"
    fields = {f"{where}.{name}": value for name, value in change.fields.items()}
    return UpdateOne(
        {"_id": candidate_key(order.campaign, order.candidate), f"{where}.key": order.key},
        {"$set": {f"{where}.state": change.state.value, **fields}},
    )


def mark_woken(store: Store, candidate: str, stage: str, key: str) -> None:
    """Write that a stage that waited, or was blocked, is on its way again."""
    where = f"stages.{stage}"
    store.candidates.update_one(
        {
            "_id": candidate,
            f"{where}.key": key,
            f"{where}.state": {"$in": [StageState.WAITING.value, StageState.BLOCKED.value]},
        },
        {"$set": {f"{where}.state": StageState.READY.value, f"{where}.reason": None}},
    )


def find_results(store: Store, keys: Iterable[str], campaign: str) -> dict[str, ResultRecord]:
    """Return, by key, the results that a campaign may use.

    A result that was reached with other physics than its key says (a deviation) serves only the
    campaign that made it; where there are both, that campaign keeps its own.
    """
    found: dict[str, ResultRecord] = {}
    wanted = sorted(set(keys))
    for document in chain.from_iterable(
        store.results.find({"key": {"$in": wanted[start : start + KEYS_PER_QUERY]}})
        for start in range(0, len(wanted), KEYS_PER_QUERY)
    ):
        record = ResultRecord.model_validate({k: v for k, v in document.items() if k != "_id"})
        if record.deviation and record.campaign != campaign:
            continue
        if record.key not in found or record.deviation:
            found[record.key] = record
    return found


def store_results(store: Store, records: Sequence[ResultRecord]) -> None:
    """Store many results; where one is there already, the first stays."""
    for start in range(0, len(records), KEYS_PER_QUERY):
        insert_new(
            store.results,
            [
                {"_id": _result_name(record), **_result_document(record)}
                for record in records[start : start + KEYS_PER_QUERY]
            ],
        )


def _result_document(record: ResultRecord) -> dict[str, Any]:
    document = record.model_dump(mode="python")
    return document | ({"structure": record.structure.flat()} if record.structure else {})


def _result_name(record: ResultRecord) -> str:
    """Return the `_id` of a result's document."""
    if not record.deviation:
        return record.key
    return f"{record.key}:{record.campaign}:{record.deviation}"


def relocate_result(store: Store, record: ResultRecord) -> None:
    """Write where the files of a result are now that they were made anew; its values stay."""
    place = {"artefacts": record.artefacts, "products": record.products}
    store.results.update_one({"_id": _result_name(record)}, {"$set": place})


def start_attempt(store: Store, record: AttemptRecord) -> None:
    """Write down that an attempt begins; one that is there already stays."""
    name = f"{record.key}:{record.attempt}"
    try:
        store.attempts.insert_one({"_id": name, **record.model_dump(mode="python")})
    except DuplicateKeyError:
        return


def end_attempt(store: Store, key: str, attempt: int, **changes: Any) -> None:
    """Complete the record of an attempt that has ended."""
    store.attempts.update_one(
        {"_id": f"{key}:{attempt}", "outcome": "running"},
        {"$set": {**changes, "recorded_at": utc_now()}},
    )


def attempts_at(store: Store, key: str) -> tuple[AttemptRecord, ...]:
    """Return the attempts at a key, the newest first."""
    found = store.attempts.find({"key": key}, {"_id": 0})
    records = [AttemptRecord.model_validate(one) for one in found]
    return tuple(sorted(records, key=lambda one: one.attempt, reverse=True))


def record_attempts(store: Store, records: Sequence[AttemptRecord]) -> None:
    """Write down attempts that ended; what is known already of how one ended stays."""
    if not records:
        return
    now = utc_now()
    ended = {
        f"{one.key}:{one.attempt}": {**one.model_dump(mode="python"), "recorded_at": now}
        for one in records
    }
    there = insert_new(store.attempts, [{"_id": name, **fields} for name, fields in ended.items()])
    if there:
        running = [
            UpdateOne({"_id": name, "outcome": "running"}, {"$set": ended[name]}) for name in there
        ]
        store.attempts.bulk_write(running, ordered=False)


def core_hours(cores: int, walltime_s: float) -> float:
    """Return the core-hours of so many cores for so long."""
    return cores * walltime_s / SECONDS_PER_HOUR


def usd(hours: float, usd_per_core_hour: float | None) -> float | None:
    """Return what core-hours cost; None where there is no price."""
    return None if usd_per_core_hour is None else hours * usd_per_core_hour


def find_campaign(store: Store, name: str) -> dict[str, Any]:
    """Return a campaign's document. Raises UserError when the store knows no such campaign."""
    document: dict[str, Any] | None = store.campaigns.find_one({"_id": name})
    if document is None:
        known = sorted(entry["_id"] for entry in store.campaigns.find({}, {"_id": 1}))
        there = f"it holds: {', '.join(known)}" if known else "it holds none yet"
        raise UserError(
            f"no campaign '{name}' in the store {store.location}; {there}. "
            "`campaign run SPEC.yaml` starts one"
        )
    return document
