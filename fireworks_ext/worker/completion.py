"""What the end of fireworks means for their workflow and for the ledger; pure.

The stages below an ended one go ahead, are skipped, or are blocked. The worker that finishes the
last input of a stage evaluates its `when`. A stage that does not go ahead, and all below it, become
no-ops that complete without being run. Below a stage that failed and was not dropped, fireworks
keep waiting, and the ledger says `blocked`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fireworks_ext.gates import decide
from fireworks_ext.ledger import StageChange
from fireworks_ext.states import descendants, parents_first
from schemas.endings import Broken, Failed, Interrupted, Known, Skipped, Waits
from schemas.handover import Delivery
from schemas.ledger import CandidateRecord, ResultRecord, StageEntry, StageState
from schemas.model import JsonValue
from schemas.work import StageOrder

STOPPING = frozenset({StageState.FAILED, StageState.HELD, StageState.BLOCKED})
"""States of a stage above which keep those below from going ahead."""


@dataclass
class Completion:
    """One workflow in which fireworks end.

    Parameters
    ----------
    workflow
        Its document.
    fireworks
        The documents (state, launches, spec.order) of those that end and of all below them.
    candidate
        The candidate whose workflow it is, as the ledger has it now.
    results
        By key, what the stages below read.
    """

    workflow: Mapping[str, Any]
    fireworks: Mapping[int, Mapping[str, Any]]
    candidate: CandidateRecord | None
    results: Mapping[str, ResultRecord]
    states: dict[int, str] = field(default_factory=dict)
    """The new states of fireworks: of those that end, and of those below."""
    no_ops: dict[int, dict[str, JsonValue]] = field(default_factory=dict)
    """Fireworks below that complete without being run, with what their launches store."""
    changes: list[StageChange] = field(default_factory=list)
    wakes: set[str] = field(default_factory=set)
    """Keys for which nobody needs to wait any more."""

    def __post_init__(self) -> None:
        self._links: Mapping[str, Sequence[int]] = self.workflow["links"]
        self._entries: dict[str, StageEntry] = dict(self.candidate.stages) if self.candidate else {}
        self._orders = {
            fw_id: StageOrder.model_validate(one["spec"]["order"])
            for fw_id, one in self.fireworks.items()
            if "order" in one.get("spec", {})  # somebody may have appended fireworks of his own
        }

    def end(self, deliveries: Iterable[Delivery]) -> None:
        """Say what becomes of everything, once these have ended."""
        for one in deliveries:
            self._end(one)
        self._cascade()

    def fw_states(self) -> dict[str, str]:
        """Return the states of all fireworks of the workflow, by number as text."""
        known = dict(self.workflow["fw_states"])
        known |= {str(fw_id): one["state"] for fw_id, one in self.fireworks.items()}
        return known | {str(fw_id): state for fw_id, state in self.states.items()}

    def _end(self, delivery: Delivery) -> None:
        order, fw_id = delivery.order, delivery.fw_id
        self.states[fw_id] = firework_state(delivery)
        match delivery.ending:
            case Known(record=record):
                cached = record.campaign != order.campaign
                told = {"cached": cached, "deviation": record.deviation}
                self._write(order, StageState.OK, **told, failure=None, reason=None)
                self._go_ahead(order, fw_id, record)
            case Skipped(reason=reason):
                self._write(order, StageState.SKIPPED, reason=reason)
                self._skip(self._below(fw_id), f"{order.stage} was skipped")
            case Failed(failure=failure):
                state = StageState.HELD if order.on_unrepaired == "hold" else StageState.FAILED
                said = {"failure": failure.name.value, "reason": failure.message}
                self._write(order, state, **said)
                if order.on_unrepaired == "drop":
                    self._skip(self._below(fw_id), f"{order.stage} failed")
                else:
                    self._block(fw_id, f"{order.stage} is {state.value}")
            case Waits(state=state, reason=reason):
                self._write(order, state, reason=reason)
            case Interrupted():
                self._write(order, StageState.READY)
            case Broken():
                pass  # the ledger hears of it when the janitor gives up

    def _write(self, order: StageOrder, state: StageState, **fields: Any) -> None:
        self.changes.append(StageChange(order, state, fields))
        entry = self._entries.get(order.stage)
        if entry is not None and entry.key == order.key:
            self._entries[order.stage] = entry.model_copy(update={"state": state, **fields})

    def _below(self, fw_id: int) -> list[int]:
        return [one for one in descendants(self._links, fw_id) if one in self._orders]

    def _go_ahead(self, order: StageOrder, fw_id: int, record: ResultRecord) -> None:
        """Send the stages below a finished one on their way, but for those with a closed gate."""
        results = {**self.results, order.key: record}
        closed = dict(self._closed_gates(fw_id, results))
        for child, why in closed.items():
            self._skip([child], why)
            self._skip(self._below(child), f"{self._orders[child].stage} was skipped")
        for one in self._below(fw_id):
            self._unblock(self._orders[one])

    def _closed_gates(
        self, fw_id: int, results: Mapping[str, ResultRecord]
    ) -> Iterator[tuple[int, str]]:
        """Yield the children whose gate is closed, with the reason."""
        for child in self._links[str(fw_id)]:
            order = self._orders.get(child)
            if order is None or order.when is None or self.candidate is None:
                continue
            if not set(order.reads.values()) <= results.keys():
                continue  # whoever finishes the last input decides
            reads = {stage: results[key] for stage, key in order.reads.items()}
            verdict = decide(order.when, self.candidate.columns, reads)
            if not verdict.passes:
                yield child, verdict.reason

    def _skip(self, fw_ids: Iterable[int], reason: str) -> None:
        for fw_id in fw_ids:
            order = self._orders[fw_id]
            if self._state(order) is StageState.SKIPPED and fw_id in self.no_ops:
                continue
            self._write(order, StageState.SKIPPED, reason=reason)
            self.wakes.add(order.key)
            firework = self.fireworks[fw_id]
            if firework["state"] == "WAITING" and not firework["launches"]:
                self.no_ops[fw_id] = {"outcome": "skipped", "reason": reason}

    def _block(self, fw_id: int, reason: str) -> None:
        """Say that the stages below wait for one that failed; a skipped one stays skipped."""
        for below in self._below(fw_id):
            order = self._orders[below]
            self.wakes.add(order.key)
            if self._state(order) is not StageState.SKIPPED:
                self._write(order, StageState.BLOCKED, reason=reason)

    def _unblock(self, order: StageOrder) -> None:
        """Put a stage below a finished one on the way, unless another input of it is in the way."""
        state = self._state(order)
        if state not in {StageState.WAITING, StageState.BLOCKED}:
            return
        above = [self._entries[stage].state for stage in order.reads if stage in self._entries]
        if any(one in STOPPING for one in above):
            return
        ready = all(one is StageState.OK for one in above)
        now = StageState.READY if ready else StageState.WAITING
        if now is not state:
            self._write(order, now, reason=None)

    def _state(self, order: StageOrder) -> StageState | None:
        entry = self._entries.get(order.stage)
        return entry.state if entry is not None else None

    def _cascade(self) -> None:
        """Make READY, or COMPLETED where nothing is to be run, what only waited for its parents."""
        now = self.fw_states()
        parents: dict[int, list[int]] = {}
        for parent, children in self._links.items():
            for child in children:
                parents.setdefault(child, []).append(int(parent))
        for node in parents_first(self._links):
            firework = self.fireworks.get(node)
            if firework is None or node in self.states or firework["state"] != "WAITING":
                continue
            if not parents.get(node) or any(now[str(one)] != "COMPLETED" for one in parents[node]):
                continue
            done = bool(firework["launches"]) or node in self.no_ops
            self.states[node] = now[str(node)] = "COMPLETED" if done else "READY"


def firework_state(delivery: Delivery) -> str:
    """Return the state of the firework of an order that ended."""
    match delivery.ending:
        case Known() | Skipped():
            return "COMPLETED"
        case Failed():
            by_policy = {"drop": "COMPLETED", "hold": "PAUSED", "fail": "FIZZLED"}
            return by_policy[delivery.order.on_unrepaired]
        case Waits():
            return "WAITING"
        case Interrupted():
            return "READY"
        case Broken():
            return "FIZZLED"


def stored(delivery: Delivery) -> dict[str, JsonValue]:
    """Return what a launch stores of how its order ended."""
    match delivery.ending:
        case Known():
            return {"outcome": "ok"}
        case Skipped(reason=reason):
            return {"outcome": "skipped", "reason": reason}
        case Failed(failure=failure):
            if delivery.order.on_unrepaired == "fail":
                said = f"{failure.name.value}: {failure.message}"
                return _exception(said, failure.model_dump(mode="json"))
            return {"outcome": "failed", "failure": failure.name.value}
        case Broken(trace=trace):
            return _exception(trace, None)
        case _:
            return {}


def _exception(trace: str, details: JsonValue) -> dict[str, JsonValue]:
    """Return what FireWorks stores of a task that raised."""
    return {
        "_message": "runtime error during task",
        "_task": None,
        "_exception": {"_stacktrace": trace, "_details": details},
    }
