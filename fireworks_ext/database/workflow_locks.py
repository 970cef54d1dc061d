"""FireWorks' lock of a workflow, taken such that taking it twice does no harm.

FireWorks locks a workflow by one update whose filter wants it unlocked. Where the answer to that
update is lost and the update is repeated, the lock that it finds is its own, and FireWorks would
wait for itself for minutes. Here a lock carries a token by which it is known again; it also says
who holds it, as ours do.
"""

from __future__ import annotations

import time
from typing import Any

from bson import ObjectId
from fireworks.core import launchpad as module
from fireworks.core.launchpad import LockedWorkflowError, WFLock

from fireworks_ext.processes import this_process

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0


class KnownLock(WFLock):  # type: ignore[misc]  # FireWorks has no types
    """As FireWorks' own, and harmless to take twice.

    Raises
    ------
    LockedWorkflowError
        When it stays locked for as long as FireWorks' settings say.
    ValueError
        When there is no such workflow.
    """

    def __enter__(self) -> None:
        lock = {"by": this_process().name, "at": time.time(), "token": ObjectId()}
        free_or_mine = [{"locked": {"$exists": False}}, {"locked.token": lock["token"]}]
        until, pause_s = time.monotonic() + self.expire_secs, FIRST_PAUSE_S
        while not self._take({"nodes": self.fw_id, "$or": free_or_mine}, lock):
            if time.monotonic() > until:
                self._give_up(lock)
                return
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def __exit__(self, *_: object) -> None:
        # Whatever stands there: FireWorks writes `true` when it replaces a workflow that it holds.
        self.lp.workflows.update_one({"nodes": self.fw_id}, {"$unset": {"locked": ""}})

    def _take(self, which: dict[str, Any], lock: dict[str, Any]) -> bool:
        answer = self.lp.workflows.update_one(which, {"$set": {"locked": lock}})
        return bool(answer.matched_count)

    def _give_up(self, lock: dict[str, Any]) -> None:
        if not self.lp.workflows.find_one({"nodes": self.fw_id}, {"_id": 1}):
            raise ValueError(f"Could not find workflow in database: {self.fw_id}")
        if not self.kill:
            raise LockedWorkflowError(f"Could not get workflow - LOCKED: {self.fw_id}")
        self._take({"nodes": self.fw_id}, lock)


def use_known_locks() -> None:
    """Have FireWorks in this process take its locks so."""
    module.WFLock = KnownLock
