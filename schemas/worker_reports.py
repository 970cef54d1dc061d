"""What `campaign worker`, `hand-over` and `ingest` print with `--json`."""

from __future__ import annotations

from schemas.handover import Delivery
from schemas.model import Model


class StageEnd(Model):
    """How one stage ended."""

    campaign: str
    candidate: str
    formula: str
    stage: str
    ending: str
    failure: str | None = None
    reason: str | None = None

    @classmethod
    def of(cls, delivery: Delivery) -> StageEnd:
        """Return what is to be said of a delivery."""
        order, ending = delivery.order, delivery.ending
        failure = ending.failure if ending.kind == "failed" else None
        reason = ending.reason if ending.kind in {"skipped", "waits", "interrupted"} else None
        return cls(
            campaign=order.campaign,
            candidate=order.candidate,
            formula=order.formula,
            stage=order.stage,
            ending=ending.kind,
            failure=failure.name.value if failure else None,
            reason=failure.message if failure else reason,
        )


class Served(Model):
    """Workers that left: no names are all campaigns of the store."""

    campaigns: tuple[str, ...]
    exit_code: int


class HandedOver(Model):
    """Stages that were written into a folder, and those of which results came back."""

    folders: tuple[str, ...]
    ended: tuple[StageEnd, ...] = ()
