"""The body of a worker process: take a READY firework of the campaign, run it, look for the next.

Fireworks are launched by FireWorks' own rocket, so whatever `rlaunch` can do holds here too; the
process is long-lived, so no stage pays for starting Python.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from fireworks import FWorker
from fireworks.core import rocket

from fireworks_ext import (  # noqa: F401  (a worker's imports are paid for before it is needed)
    execution,
    tasks,
)
from fireworks_ext.sessions import open_session
from fireworks_ext.store import open_store
from schemas.clock import utc_now

IDLE_S = 0.5
"""Between two looks of a worker that finds nothing READY and hears of nothing."""
CLOSING_S = 12.0
"""Of the grace, for ending a program that did not stop by itself, and for writing things down."""
SHORTEST_STOP_S = 1.0


class Context(Protocol):
    """What the launcher gives to a worker."""

    @property
    def inherit_fds(self) -> tuple[int, ...]:
        """The locks of the worker's cores, for the programs that it starts."""

    def draining(self) -> bool:
        """Tell whether to take nothing new."""

    def stopping(self) -> bool:
        """Tell whether to stop at once."""

    def wait_for_work(self, timeout_s: float) -> bool:
        """Sleep until somebody announces work, at most so many seconds."""

    def announce(self) -> None:
        """Wake the other workers."""

    def on_stop(self, callback: Callable[[], None] | None) -> None:
        """Have a function called when the worker is told to stop."""


def serve(context: Context, *, store: str, campaign: str, folder: str, grace_s: float) -> None:
    """Run the campaign's fireworks until told to leave.

    `folder` takes the launch directories that FireWorks wants; nothing of value lies there.
    `grace_s` is what is left to this process once it is told to stop.
    """
    rocket.ROCKET_STREAM_LOGLEVEL = "ERROR"
    rocket.PRINT_FW_JSON = False
    opened = open_store(store)
    session = open_session(opened, campaign)
    session.stop_grace_s = max(grace_s - CLOSING_S, SHORTEST_STOP_S)
    context.on_stop(session.stop)
    name = session.process.name
    opened.workers.replace_one(
        {"_id": name}, {"_id": name, "campaign": campaign, "since": utc_now()}, upsert=True
    )
    launches = Path(folder) / f"worker-{os.getpid()}"
    launches.mkdir(parents=True, exist_ok=True)
    os.chdir(launches)
    fworker = FWorker(name=name, query={"spec.campaign": campaign})
    try:
        while not (context.draining() or context.stopping()):
            session.inherit_fds = context.inherit_fds  # other cores after every pause
            if rocket.Rocket(opened.launchpad, fworker, None).run():
                context.announce()
            elif not context.draining():
                context.wait_for_work(IDLE_S)
    finally:
        opened.workers.delete_one({"_id": name})
        os.chdir("/")
        launches.rmdir()
