"""`campaign retry`: failed and held calculations on their way again, with what is changed of them.

Order of writes, for each: overrides into the ledger, the changed order into the firework, the state
into the ledger, and only then the firework is free to run, with those below it. What a kill leaves
has either failed still, or is sent on by the janitor of the next `campaign run`. A paused firework
is made WAITING before the ledger hears of it, as nobody would do it afterwards; nothing runs it
before it is refreshed, and the janitor does that too.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fireworks_ext import launches, leases, ledger, states
from fireworks_ext.processes import is_gone, parse
from fireworks_ext.store import Store
from runner.cases import Case, Request, below, cases_of, lost
from runner.control import controller_lease
from runner.failures import failed_by_cause
from runner.members import Member
from runner.overrides import Subject, merged, overridden, read_overrides, read_settings
from schemas.errors import UserError
from schemas.failure_reports import Retry, Sent
from schemas.ledger import StageState
from schemas.model import JsonValue
from schemas.profile import Site

ENDING_S = 5.0
"""A worker that has written down a failure ends its firework within this time."""
LOOK_S = 0.05
IN_HANDS = frozenset({"RUNNING", "RESERVED"})
ENDED = frozenset({"FIZZLED", "COMPLETED"})
STANDING = frozenset({"PAUSED", "DEFUSED"})


@dataclass
class _Done:
    """What was sent, and what it means for others."""

    sent: list[Sent]
    follows: int = 0
    busy: int = 0
    later: int = 0


def retry(store: Store, campaign: str, request: Request) -> Retry:
    """Send failed and held calculations on their way again, and say which.

    Raises
    ------
    UserError
        For an unknown campaign, cause, stage or candidate, and for settings that cannot be made:
        all mistakes in one message, before anything is changed.
    """
    document = ledger.find_campaign(store, campaign)
    cases, mistakes = cases_of(store, document, request)
    settings, wrong = read_settings(request.settings)
    mistakes += wrong
    overrides: dict[str, Mapping[str, JsonValue]] = {}
    if settings:
        overrides, wrong = _overrides(store, document, cases, settings)
        mistakes += wrong
    if mistakes:
        raise UserError("\n".join(dict.fromkeys(mistakes)))
    done = _Done([])
    for case in cases:
        _send(store, campaign, case, overrides, done, dry_run=request.dry_run)
    running = _is_controlled(store, campaign)
    needed = done.sent and (done.later or not running)
    file = request.spec or str(document.get("file") or "SPEC.yaml")
    return Retry(
        campaign=campaign,
        dry_run=request.dry_run,
        count=len(done.sent),
        sent=tuple(done.sent),
        follows=done.follows,
        others={} if done.sent else failed_by_cause(store, campaign),
        busy=done.busy,
        running=running,
        next=f"campaign run {shlex.quote(file)}" if needed else None,
    )


def _overrides(
    store: Store, document: Mapping[str, Any], cases: Sequence[Case], settings: dict[str, JsonValue]
) -> tuple[dict[str, Mapping[str, JsonValue]], list[str]]:
    """Return stage -> what changes of its orders, and what is wrong with the settings."""
    overrides: dict[str, Mapping[str, JsonValue]] = {}
    mistakes: list[str] = []
    site = Site.model_validate(document["site"])
    for case in cases:
        for stage in case.stages:
            order = case.order(stage)
            if stage in overrides or order is None:
                continue
            structure = ledger.find_candidate(store, document["_id"], case.member.id).structure
            overrides[stage], wrong = read_overrides(Subject(order, structure, site), settings)
            mistakes += wrong
    return overrides, mistakes


def _send(
    store: Store,
    campaign: str,
    case: Case,
    overrides: Mapping[str, Mapping[str, JsonValue]],
    done: _Done,
    *,
    dry_run: bool,
) -> None:
    """Send stages of one member on their way, and those that wait for them."""
    ready = [stage for stage in case.stages if dry_run or _is_at_rest(store, case, stage)]
    following = below(case, ready)
    entries = case.member.stages
    sent = [
        Sent(
            candidate=case.member.id,
            formula=case.member.formula,
            stage=stage,
            cause=entries[stage].failure,
            overrides=merged(entries[stage].overrides, overrides.get(stage, {})),
        )
        for stage in ready
    ]
    done.sent += sent
    done.follows += len(following)
    done.busy += len(case.stages) - len(ready)
    done.later += len(lost(case, ready))
    if not dry_run:
        _write(store, campaign, case, sent, following)


def _write(
    store: Store, campaign: str, case: Case, sent: Sequence[Sent], following: Sequence[str]
) -> None:
    """Write what becomes of a member's stages, in the order that this module's text gives."""
    member = case.member
    for one in sent:
        _keep(store, campaign, member, one.stage, overrides=one.overrides)
        _unpause(store, case, one.stage, one.overrides)
    for one in sent:
        ready = {"state": StageState.READY.value, "failure": None, "reason": None}
        _keep(store, campaign, member, one.stage, **ready)
    for stage in following:
        _keep(store, campaign, member, stage, state=StageState.WAITING.value, reason=None)
    skipped = [one for one in following if member.stages[one].state is StageState.SKIPPED]
    for stage in skipped:
        _take_back(store, case, stage)
    for stage in (*(one.stage for one in sent), *skipped):
        if stage in case.fireworks:
            _set_free(store, case.fireworks[stage]["fw_id"])


def _is_at_rest(store: Store, case: Case, stage: str) -> bool:
    """Wait until the worker that wrote the failure down has ended the firework."""
    firework = case.fireworks.get(stage)
    deadline = time.monotonic() + ENDING_S
    while firework is not None and firework["state"] in IN_HANDS:
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_S)
        firework = store.fireworks.find_one({"fw_id": firework["fw_id"]}, {"fw_id": 1, "state": 1})
    return True


def _keep(store: Store, campaign: str, member: Member, stage: str, **changes: Any) -> None:
    """Write something about a stage, unless a worker or an edit wrote about it meanwhile."""
    where, entry = f"stages.{stage}", member.stages[stage]
    store.candidates.update_one(
        {
            "_id": ledger.candidate_key(campaign, member.id),
            f"{where}.key": entry.key,
            f"{where}.state": entry.state.value,
        },
        {"$set": {f"{where}.{name}": value for name, value in changes.items()}},
    )


def _unpause(store: Store, case: Case, stage: str, overrides: Mapping[str, JsonValue]) -> None:
    """Put the changed order into the firework of a stage; one that was paused waits from now on."""
    order = case.order(stage)
    if order is None:
        return
    firework = {"fw_id": case.fireworks[stage]["fw_id"]}
    new = overridden(order, overrides).model_dump(mode="json")
    change = {"$set": {"spec.order": new}, "$unset": {"spec._waits_for": ""}}
    store.fireworks.update_one({**firework, "state": {"$nin": sorted(IN_HANDS)}}, change)
    waiting = {"$set": {"state": "WAITING", "updated_on": launches.iso_now()}}
    store.fireworks.update_one({**firework, "state": {"$in": sorted(STANDING)}}, waiting)


def _take_back(store: Store, case: Case, stage: str) -> None:
    """Have a stage that completed without being run wait again.

    Before the one above it runs again: as long as the launch that did nothing is there, FireWorks
    takes it for the end of the stage.
    """
    completed = {"fw_id": case.fireworks[stage]["fw_id"], "state": "COMPLETED"}
    firework = store.fireworks.find_one(completed, {"launches": 1, "archived_launches": 1})
    if firework is None:
        return
    archived = [*firework["archived_launches"], *firework["launches"]]
    change = {"state": "WAITING", "launches": [], "archived_launches": archived}
    store.fireworks.update_one(completed, {"$set": {**change, "updated_on": launches.iso_now()}})


def _set_free(store: Store, fw_id: int) -> None:
    """Have FireWorks run a firework again that ended, or that waits for nothing any more."""
    firework = store.fireworks.find_one({"fw_id": fw_id}, {"state": 1})
    state = firework["state"] if firework else ""
    if state in ENDED:
        states.rerun(store, fw_id)
    elif state == "WAITING":
        states.refresh(store, fw_id)


def _is_controlled(store: Store, campaign: str) -> bool:
    """Tell whether a `campaign run` is going on."""
    name = controller_lease(campaign)
    if leases.is_free(store, name):
        return False
    owner = parse((store.leases.find_one({"_id": name}) or {}).get("owner", ""))
    return owner is not None and not is_gone(owner)
