"""What a person has asked for: pause, resume, retry; one after the other, beside the pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

from pymongo.errors import PyMongoError

from fireworks_ext.store import Store
from runner.cases import Request
from runner.dashboard.questions import controller
from runner.pausing import pause, resume
from runner.retry import retry
from schemas.errors import UserError

Told = Callable[[int], None]
RUN_AGAIN = "`campaign run` takes it up."


@dataclass(frozen=True)
class Errand:
    """One thing that was asked for, and what came of it."""

    action: str
    state: Literal["running", "done", "failed"]
    text: str


class Errands:
    """The last errand of each campaign."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last: dict[str, Errand] = {}
        self._hands = ThreadPoolExecutor(max_workers=1, thread_name_prefix="errand")

    def last(self, campaign: str) -> Errand | None:
        """Return what was asked for last."""
        return self._last.get(campaign)

    def is_busy(self, campaign: str) -> bool:
        """Tell whether something that was asked for is still being done."""
        last = self.last(campaign)
        return last is not None and last.state == "running"

    async def run(self, campaign: str, action: str, wanted: Mapping[str, str]) -> Errand:
        """Do something that is known by name; what goes wrong is part of the answer."""
        errand = self._last[campaign] = Errand(action, "running", f"{action}: under way")

        def told(count: int) -> None:
            self._last[campaign] = replace(errand, text=f"{action}: {count} so far")

        loop = asyncio.get_running_loop()
        try:
            text = await loop.run_in_executor(
                self._hands, ACTIONS[action], self._store, campaign, wanted, told
            )
            done = Errand(action, "done", text)
        except (UserError, PyMongoError, OSError) as error:
            done = Errand(action, "failed", f"{action}: {error}")
        self._last[campaign] = done
        return done

    def close(self) -> None:
        """Begin nothing more; what is under way is finished."""
        self._hands.shutdown(wait=False, cancel_futures=True)


def _pause(store: Store, campaign: str, _wanted: Mapping[str, str], told: Told) -> str:
    count = pause(store, campaign, told)
    return f"Paused: {_counted(count)} stopped from starting. What runs now is finished."


def _resume(store: Store, campaign: str, _wanted: Mapping[str, str], told: Told) -> str:
    count = resume(store, campaign, told)
    later = "" if controller(store, campaign) else f" {RUN_AGAIN}"
    return f"Resumed: {_counted(count)} set free.{later}"


def _retry(store: Store, campaign: str, wanted: Mapping[str, str], _told: Told) -> str:
    cause, stage, candidate = (wanted.get(one) or None for one in ("cause", "stage", "candidate"))
    done = retry(store, campaign, Request(cause=cause, stage=stage, candidate=candidate))
    busy = f" {_counted(done.busy)} are in a worker's hands still." if done.busy else ""
    later = f" Next: {done.next}" if done.next else ""
    return f"Retry: {_counted(done.count)} on the way again.{busy}{later}"


def _counted(count: int) -> str:
    return "1 calculation" if count == 1 else f"{count} calculations"


ACTIONS: Mapping[str, Callable[[Store, str, Mapping[str, str], Told], str]] = {
    "pause": _pause,
    "resume": _resume,
    "retry": _retry,
}
