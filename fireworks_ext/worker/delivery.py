"""Writing down how orders ended: for many at once, and again without harm.

Records first (attempts, results), then the ledger, then FireWorks' documents: launches, workflow,
the fireworks below, the firework itself last. A kill at any point leaves a firework that counts as
RUNNING, though its launch has ended or its result is known: the janitor, or FireWorks' own
`detect_lostruns`, sends it on. Then FireWorks derives the states below as far down as they change,
so none of those may be ahead of what its workflow has recorded.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import PyMongoError

from fireworks_ext import launches, leases, ledger, states
from fireworks_ext.endings import FILES
from fireworks_ext.store import Store
from fireworks_ext.worker.completion import Completion, firework_state, stored
from fireworks_ext.worker.session import Session
from schemas.endings import Waits
from schemas.handover import Delivery
from schemas.ledger import CandidateRecord

LOCK_WAIT_S = 60.0
FIRST_PAUSE_S = 0.005
LONGEST_PAUSE_S = 0.1


def deliver(session: Session, deliveries: Sequence[Delivery], *, by_rocket: bool = False) -> None:
    """Write down how orders ended, give their leases back, and wake what waited for them.

    `by_rocket`: FireWorks' own rocket runs the one firework and will say itself how it ended; only
    what it does not know of is written.

    Raises
    ------
    WorkflowBusy
        When somebody holds the lock of a workflow for too long; everything else is written.
    """
    store = session.store
    attempts = [one for item in deliveries for one in item.attempts]
    # Once there is a result, nobody looks into run directories again; and without one, whoever
    # finds no result computes again.
    ledger.record_attempts(store, [one for one in attempts if one.directory])
    ledger.store_results(store, [one for item in deliveries for one in item.results])
    ledger.record_attempts(store, [one for one in attempts if not one.directory])
    wakes = {item.order.key for item in deliveries if not _waits_for_its_key(item)}
    busy: set[int] = set()
    for campaign in sorted({item.order.campaign for item in deliveries}):
        theirs = {one.fw_id: one for one in deliveries if one.order.campaign == campaign}
        wakes |= _conclude_all(session, theirs, by_rocket=by_rocket)
        busy |= theirs.keys()
    # A stage that waits for its own key holds no lease, but this process may: for another stage.
    session.release([one.order.key for one in deliveries if not _waits_for_its_key(one)])
    states.wake(store, *sorted(wakes))
    _wake_if_free(store, deliveries)
    if busy:
        raise states.WorkflowBusy(
            f"the workflows of fireworks {sorted(busy)[:5]} stay locked; `campaign repair NAME "
            "--wait` unlocks those that nobody works on",
            busy,
        )


def _conclude_all(session: Session, left: dict[int, Delivery], *, by_rocket: bool) -> set[str]:
    """Conclude the fireworks of one campaign, as the locks of their workflows get free.

    What is concluded is taken out of `left`; return the keys to wake.
    """
    store, by = session.store, session.process.name
    wakes: set[str] = set()
    deadline, pause_s = time.monotonic() + LOCK_WAIT_S, FIRST_PAUSE_S
    while left:
        with _locked(store, sorted(left), by) as workflows:
            scene = _Scene(store, workflows, left, by, by_rocket=by_rocket)
            wakes |= scene.conclude()
        for workflow in workflows:
            for node in workflow["nodes"]:
                left.pop(node, None)
        if not left or workflows:
            continue
        # Somebody took the workflow away, or works on it.
        there = store.workflows.find({"nodes": {"$in": sorted(left)}}, {"nodes": 1, "_id": 0})
        nodes = {node for one in there for node in one["nodes"]}
        for fw_id in left.keys() - nodes:
            del left[fw_id]
        if time.monotonic() > deadline:
            break
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
    return wakes


@contextmanager
def _locked(store: Store, fw_ids: Sequence[int], by: str) -> Iterator[list[dict[str, Any]]]:
    """Lock those workflows of some fireworks that nobody else has locked; yield them.

    One that this process has locked already was left so by a connection that broke.
    """
    free = [{"locked": {"$exists": False}}, {"locked.by": by}]
    store.workflows.update_many(
        {"nodes": {"$in": list(fw_ids)}, "$or": free},
        {"$set": {"locked": {"by": by, "at": time.time()}}},
    )
    found = list(store.workflows.find({"nodes": {"$in": list(fw_ids)}, "locked.by": by}))
    try:
        yield found
    except BaseException:
        mine = {"_id": {"$in": [one["_id"] for one in found]}, "locked.by": by}
        with suppress(PyMongoError):  # who comes next unlocks it
            store.workflows.update_many(mine, {"$unset": {"locked": ""}})
        raise


@dataclass
class _Scene:
    """Locked workflows of one campaign, and the orders that ended in them."""

    store: Store
    workflows: Sequence[Mapping[str, Any]]
    deliveries: Mapping[int, Delivery]
    by: str
    by_rocket: bool

    def conclude(self) -> set[str]:
        """Write what the ends mean and unlock; return the keys to wake."""
        if not self.workflows:
            return set()
        fireworks = self._fireworks()
        ended = {
            fw_id: one
            for fw_id, one in self.deliveries.items()
            if fw_id in fireworks and _is_ours(fireworks[fw_id], one)
        }
        completions = self._completions(fireworks, ended)
        ledger.set_stages(self.store, [one for each in completions for one in each.changes])
        no_ops = self._insert_no_ops(completions)
        if not self.by_rocket:
            _bulk(
                self.store.launches,
                [self._launch_end(one) for one in ended.values() if not _detaches(one)],
            )
        _bulk(self.store.fireworks, [_with_no_op(*one) for one in no_ops.items()])
        self._unlock(completions, ended)
        own = [
            self._own(one, each.states[fw_id], fireworks[fw_id]["_id"])
            for each in completions
            for fw_id, one in ended.items()
            if fw_id in each.states and self._is_written(one)
        ]
        below = [] if self.by_rocket else self._below(completions, no_ops, ended)
        _bulk(self.store.fireworks, [*below, *own], ordered=True)
        _bulk(
            self.store.launches, [self._launch_end(one) for one in ended.values() if _detaches(one)]
        )
        return {key for each in completions for key in each.wakes}

    def _fireworks(self) -> dict[int, dict[str, Any]]:
        """Return the fireworks that end here, and all below them."""
        wanted: set[int] = set()
        for workflow in self.workflows:
            for node in workflow["nodes"]:
                if node in self.deliveries:
                    wanted |= {node, *states.descendants(workflow["links"], node)}
        found = self.store.fireworks.find(
            {"fw_id": {"$in": sorted(wanted)}},
            {"fw_id": 1, "state": 1, "launches": 1, "spec.order": 1},
        )
        return {one["fw_id"]: one for one in found}

    def _completions(
        self, fireworks: Mapping[int, Mapping[str, Any]], ended: Mapping[int, Delivery]
    ) -> list[Completion]:
        below = [
            one["spec"]["order"]
            for fw_id, one in fireworks.items()
            if fw_id not in ended and "order" in one.get("spec", {})
        ]
        campaign = next(iter(self.deliveries.values())).order.campaign
        candidates = self._candidates(campaign, {one["candidate"] for one in below})
        gated = [key for one in below if one["when"] for key in one["reads"].values()]
        results = ledger.find_results(self.store, gated, campaign) if gated else {}
        made = []
        for workflow in self.workflows:
            nodes = set(workflow["nodes"])
            mine = {fw_id: one for fw_id, one in ended.items() if fw_id in nodes}
            completion = Completion(
                workflow,
                {fw_id: one for fw_id, one in fireworks.items() if fw_id in nodes},
                candidates.get(workflow["metadata"]["candidate"]),
                results,
            )
            completion.end(mine.values())
            made.append(completion)
        return made

    def _candidates(self, campaign: str, ids: Iterable[str]) -> dict[str, CandidateRecord]:
        names = [ledger.candidate_key(campaign, one) for one in sorted(ids)]
        if not names:
            return {}
        found = self.store.candidates.find({"_id": {"$in": names}})
        return {one["id"]: ledger.candidate_record(one) for one in found}

    def _insert_no_ops(self, completions: Sequence[Completion]) -> dict[int, int]:
        """Insert the launches of what completes without being run; return firework -> launch."""
        outcomes = {fw_id: one for each in completions for fw_id, one in each.no_ops.items()}
        if not outcomes:
            return {}
        numbers = dict(zip(outcomes, launches.new_ids(self.store, len(outcomes)), strict=True))
        self.store.launches.insert_many(
            [launches.no_op(numbers[fw_id], fw_id, one, self.by) for fw_id, one in outcomes.items()]
        )
        return numbers

    def _below(
        self,
        completions: Sequence[Completion],
        no_ops: Mapping[int, int],
        ended: Mapping[int, Delivery],
    ) -> Iterator[UpdateOne]:
        """Yield the writes of fireworks below those that end; they are taken as they are found."""
        now = launches.iso_now()
        for each in completions:
            for fw_id in sorted(each.states.keys() - ended.keys()):
                name = each.fireworks[fw_id]["_id"]
                where: dict[str, Any] = {"_id": name, "state": "WAITING"}
                if fw_id in no_ops:
                    where["launches"] = no_ops[fw_id]
                change = {"state": each.states[fw_id], "updated_on": now}
                yield UpdateOne(where, {"$set": change})

    def _unlock(self, completions: Sequence[Completion], ended: Mapping[int, Delivery]) -> None:
        """Write the states of the workflows, and unlock them."""
        writes = []
        for each in completions:
            change: dict[str, Any] = {"$unset": {"locked": ""}}
            shown = {
                fw_id: state
                for fw_id, state in each.states.items()
                if not self.by_rocket or (fw_id in ended and self._is_written(ended[fw_id]))
            }
            if shown:
                every = {**each.workflow["fw_states"]} if self.by_rocket else each.fw_states()
                every |= {str(fw_id): state for fw_id, state in shown.items()}
                links = each.workflow["links"]
                change["$set"] = {
                    **{f"fw_states.{fw_id}": state for fw_id, state in shown.items()},
                    "state": states.workflow_state(links, every),
                    "updated_on": datetime.now(UTC),
                }
            writes.append(UpdateOne({"_id": each.workflow["_id"], "locked.by": self.by}, change))
        _bulk(self.store.workflows, writes)

    def _is_written(self, delivery: Delivery) -> bool:
        """Tell whether a firework is written here: a rocket does what it can do itself."""
        return not self.by_rocket or _detaches(delivery)

    def _launch_end(self, delivery: Delivery) -> UpdateOne:
        """Return the write that ends a launch."""
        name = "launch_id" if self.by_rocket else "_id"
        state = "ARCHIVED" if _detaches(delivery) else firework_state(delivery)
        return launches.ended(
            {name: delivery.launch_id},
            state,
            delivery.taken_at,
            stored(delivery),
            exits=state == "FIZZLED",
        )

    def _own(self, delivery: Delivery, state: str, name: Any) -> UpdateOne:
        """Return the write that ends a firework, or takes it out of this process's hands."""
        ours = {"_id": name, "launches": delivery.launch_id}
        change: dict[str, Any] = {"state": state, "updated_on": launches.iso_now()}
        if not _detaches(delivery):
            return UpdateOne(ours, {"$set": change})
        change["launches"] = []
        push = {"$push": {"archived_launches": delivery.launch_id}}
        if isinstance(delivery.ending, Waits):
            waits = {"$set": {**change, "spec._waits_for": delivery.ending.on}}
            return UpdateOne(ours, {**waits, **push})
        return UpdateOne(ours, {"$set": change, "$unset": {"spec._waits_for": ""}, **push})


def _waits_for_its_key(delivery: Delivery) -> bool:
    """Tell whether somebody else computes what was asked for."""
    ending = delivery.ending
    return isinstance(ending, Waits) and ending.on == delivery.order.key


def _is_ours(firework: Mapping[str, Any], delivery: Delivery) -> bool:
    """Tell whether a firework is still run by the launch of which something is delivered."""
    return firework["state"] == "RUNNING" and delivery.launch_id in firework["launches"]


def _detaches(delivery: Delivery) -> bool:
    """Tell whether a launch ends without its firework having ended: it may run again."""
    return firework_state(delivery) in {"READY", "WAITING", "PAUSED"}


def _with_no_op(fw_id: int, launch_id: int) -> UpdateOne:
    """Return the write that has a firework complete as soon as all above it have."""
    change = {"launches": [launch_id], "updated_on": launches.iso_now()}
    return UpdateOne({"fw_id": fw_id, "state": "WAITING", "launches": []}, {"$set": change})


def _bulk(collection: Any, writes: Sequence[UpdateOne], *, ordered: bool = False) -> None:
    if writes:
        collection.bulk_write(list(writes), ordered=ordered)


def _wake_if_free(store: Store, deliveries: Iterable[Delivery]) -> None:
    """Close the gap in which the holder finished between our look and our going to wait."""
    for one in deliveries:
        if not isinstance(one.ending, Waits):
            continue
        waits_for = one.ending.on
        results = ledger.find_results(store, [waits_for], one.order.campaign)
        mine = waits_for == one.order.key or waits_for.startswith(FILES)
        free = mine and leases.is_free(store, waits_for.removeprefix(FILES))
        if free or waits_for in results:
            states.wake(store, waits_for)
