"""What the janitor put right, as a report of one round and as the campaign's log."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from fireworks_ext.store import Store
from schemas.clock import utc_now
from schemas.repairs import RepairRecord

KEPT = timedelta(days=30)
"""The log forgets what is older."""


@dataclass
class Report:
    """What one round put right."""

    campaign: str
    by: str
    records: list[RepairRecord] = field(default_factory=list)
    orphans: int = 0
    """Programs that outlived their workers and still run; their keys wait for them."""
    suspects: int = 0
    """What looks left behind, and has to look so for longer before it is touched."""

    def add(self, what: str, reason: str) -> None:
        """Write down that something was put right."""
        self.records.append(
            RepairRecord(campaign=self.campaign, at=utc_now(), by=self.by, what=what, reason=reason)
        )

    @property
    def repairs(self) -> list[str]:
        """What was put right, as text."""
        return [f"{one.what}: {one.reason}" for one in self.records]


def keep(store: Store, report: Report) -> None:
    """Add a round to the campaign's log, which forgets what is old."""
    if not report.records:
        return
    store.repairs.insert_many([one.model_dump(mode="python") for one in report.records])
    old = {"campaign": report.campaign, "at": {"$lt": utc_now() - KEPT}}
    store.repairs.delete_many(old)


def logged(store: Store, campaign: str) -> list[RepairRecord]:
    """Return the log of a campaign, the oldest first."""
    found = store.repairs.find({"campaign": campaign}).sort("at", 1)
    return [
        RepairRecord.model_validate({name: one[name] for name in RepairRecord.model_fields})
        for one in found
    ]
