"""The Firetask of every stage. Its name is stored with its import path, so it is an API."""

from __future__ import annotations

from typing import Any

from fireworks import FiretaskBase, FWAction

from fireworks_ext import states
from fireworks_ext.worker.briefing import brief
from fireworks_ext.worker.completion import stored
from fireworks_ext.worker.delivery import deliver
from fireworks_ext.worker.execution import carry_out
from fireworks_ext.worker.sessions import session_of
from schemas.clock import utc_now
from schemas.endings import Broken, Failed
from schemas.failure import Failure
from schemas.handover import Taken
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
    """Carries out the `order` in the firework's spec, for stock `rlaunch`.

    Workers of ours take fireworks by themselves, many at a time, and never come here.
    """

    _fw_name = "{{fireworks_ext.tasks.RunStage}}"

    def run_task(self, fw_spec: dict[str, Any]) -> FWAction:
        """Run one stage; see `fireworks_ext.worker.execution`."""
        order = StageOrder.model_validate(fw_spec["order"])
        session = session_of(self.launchpad, order.campaign)
        taken = Taken(
            fw_id=self.fw_id,
            launch_id=states.running(session.store, self.fw_id).launch_id,
            taken_at=utc_now(),
            order=order,
        )
        briefings, deliveries = brief(session, [taken])
        deliveries += [carry_out(session, one) for one in briefings]
        deliver(session, deliveries, by_rocket=True)
        (delivery,) = deliveries
        session.disk.wait(lambda: session.stopping)  # or it would be taken again at once
        match delivery.ending:
            case Failed(failure=failure) if order.on_unrepaired == "fail":
                raise StageFailed(failure)
            case Broken(trace=trace):
                raise RuntimeError(trace)
        return FWAction(stored_data=stored(delivery))
