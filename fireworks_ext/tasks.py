"""The Firetask of every stage. Its name is stored with its import path, so it is an API."""

from __future__ import annotations

from typing import Any

from fireworks import FiretaskBase, FWAction

from fireworks_ext import ledger, states
from fireworks_ext.descendants import settle
from fireworks_ext.endings import FILES, Ending, Failed, Interrupted, Known, Skipped, Waits
from fireworks_ext.execution import carry_out
from fireworks_ext.session import Session
from fireworks_ext.sessions import session_of
from schemas.failure import Failure
from schemas.ledger import StageState
from schemas.work import StageOrder


class StageFailed(Exception):
    """Makes FireWorks mark the firework FIZZLED; the failure itself is recorded already."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.name.value}: {failure.message}")
        self._failure = failure

    def to_dict(self) -> dict[str, Any]:
        """Return what FireWorks stores with the launch."""
        return self._failure.model_dump(mode="json")


class RunStage(FiretaskBase):  # type: ignore[misc]  # FireWorks has no types
    """Carries out the `order` in the firework's spec."""

    _fw_name = "{{fireworks_ext.tasks.RunStage}}"

    def run_task(self, fw_spec: dict[str, Any]) -> FWAction:
        """Run one stage; see `fireworks_ext.execution`."""
        order = StageOrder.model_validate(fw_spec["order"])
        session = session_of(self.launchpad, order.campaign)
        run = states.running(session.store, self.fw_id)
        ending = carry_out(session, order, run.launch_id)
        return _conclude(session, order, run, ending)


def _conclude(session: Session, order: StageOrder, run: states.Running, ending: Ending) -> FWAction:
    """Write down how the order ended, and say it to FireWorks."""
    store = session.store
    match ending:
        case Known(record):
            ledger.set_stage(
                store,
                order,
                StageState.OK,
                cached=record.campaign != order.campaign,
                deviation=record.deviation,
                failure=None,
                reason=None,
            )
            settle(session, order, run.fw_id, StageState.OK)
            states.wake(store, order.key)
            return FWAction(stored_data={"outcome": "ok"})
        case Skipped(reason):
            ledger.set_stage(store, order, StageState.SKIPPED, reason=reason)
            settle(session, order, run.fw_id, StageState.SKIPPED)
            states.wake(store, order.key)
            return FWAction(stored_data={"outcome": "skipped", "reason": reason})
        case Failed(failure):
            return _fail(session, order, run, failure)
        case Waits(on, state, reason):
            ledger.set_stage(store, order, state, reason=reason)
            by = session.process.name
            states.detach(store, run, "WAITING", by=by, waits_for=on)
            _wake_if_free(session, order, on)
            return FWAction()
        case Interrupted():
            ledger.set_stage(store, order, StageState.READY)
            states.detach(store, run, "READY", by=session.process.name)
            states.wake(store, order.key)
            return FWAction()


def _fail(session: Session, order: StageOrder, run: states.Running, failure: Failure) -> FWAction:
    store = session.store
    state = StageState.HELD if order.on_unrepaired == "hold" else StageState.FAILED
    ledger.set_stage(store, order, state, failure=failure.name.value, reason=failure.message)
    settle(session, order, run.fw_id, state, drop=order.on_unrepaired == "drop")
    states.wake(store, order.key)
    if order.on_unrepaired == "drop":
        return FWAction(stored_data={"outcome": "failed", "failure": failure.name.value})
    if order.on_unrepaired == "hold":
        states.detach(store, run, "PAUSED", by=session.process.name)
        return FWAction()
    raise StageFailed(failure)


def _wake_if_free(session: Session, order: StageOrder, waited_for: str) -> None:
    """Close the gap in which the holder finished between our look and our going to wait."""
    from fireworks_ext import leases

    results = ledger.find_results(session.store, [waited_for], order.campaign)
    mine = waited_for == order.key or waited_for.startswith(FILES)
    free = mine and leases.is_free(session.store, waited_for.removeprefix(FILES))
    if free or waited_for in results:
        states.wake(session.store, waited_for)
