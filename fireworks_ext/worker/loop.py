"""The body of a worker process: take READY fireworks, carry them out, write down how they ended.

The process is long-lived, so no stage pays for starting Python. Stages of seconds or more are taken
one at a time and written down at once; quick ones in lots, so that what the database costs is
shared. What is computed while the database is away is kept on the disk, and delivered later.
"""

from __future__ import annotations

import logging
import os
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pymongo.errors import PyMongoError

from fireworks_ext import leases
from fireworks_ext.database.patience import impatient
from fireworks_ext.processes import Process, parse, this_process
from fireworks_ext.store import Store, open_store
from fireworks_ext.worker import disk
from fireworks_ext.worker.briefing import brief
from fireworks_ext.worker.checkout import Checkout
from fireworks_ext.worker.execution import carry_out, delivery_of
from fireworks_ext.worker.outbox import Outbox
from fireworks_ext.worker.pace import Pace
from fireworks_ext.worker.presence import Presence
from fireworks_ext.worker.session import Session
from fireworks_ext.worker.sessions import open_session, take_settings
from schemas.endings import Broken, Interrupted
from schemas.handover import Briefing, Delivery, Taken

logger = logging.getLogger(__name__)

FOLDER = "worker-"
IDLE_S = 0.5
"""Between two looks of a worker that finds nothing READY and hears of nothing."""
AWAY_S = 5.0
"""Between two looks of a worker whose database is away."""
START_S = 300.0
"""For a database that is away when a worker starts."""
CLOSING_S = 12.0
"""Of the grace, for ending a program that did not stop by itself, and for writing things down."""
SHORTEST_STOP_S = 1.0
SETTINGS_S = 60.0
"""Between two looks at whether the campaign was run again, with other settings."""
UNWRITTEN_S = 0.25
"""What ended waits no longer than so long for more of its lot before it is written down."""


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


def serve(
    context: Context, *, store: str, campaigns: Sequence[str], folder: str, grace_s: float
) -> None:
    """Run fireworks of some campaigns, in turns, until told to leave.

    No campaigns: those that the store has, also those that come later. `folder` takes the launch
    directories that FireWorks wants; nothing of value lies there but what could not be delivered.
    `grace_s` is what is left to this process once it is told to stop.
    """
    opened = open_store(store, wait_s=START_S)
    process = this_process()
    launches = Path(folder) / folder_name(process)
    if not disk.make(launches, context.draining):
        return
    os.chdir(launches)
    presence = Presence(opened, process.name, campaigns)
    stop_grace_s = max(grace_s - CLOSING_S, SHORTEST_STOP_S)
    rota = Rota(opened, campaigns, launches, stop_grace_s, context, presence)
    context.on_stop(rota.stop)
    try:
        presence.show({})
        while not (context.draining() or context.stopping()):
            if rota.turn():
                context.announce()
            elif not context.draining():
                context.wait_for_work(rota.pause_s)
        rota.leave()
    finally:
        presence.sign_off()
        os.chdir("/")
        with suppress(OSError):  # what could not be delivered lies there, or its disk is away
            launches.rmdir()


def folder_name(process: Process) -> str:
    """Return the name of a worker's folder; machines may share the folder of all of them."""
    return FOLDER + process.name.replace(":", "+")


def worker_of(folder: Path) -> Process | None:
    """Return the worker whose folder it is."""
    return parse(folder.name.removeprefix(FOLDER).replace("+", ":"))


@dataclass
class Rota:
    """The campaigns of one process, each of which gets its turn."""

    store: Store
    names: Sequence[str]
    folder: Path
    stop_grace_s: float
    context: Context
    presence: Presence | None = None
    _workers: dict[str, Worker] = field(default_factory=dict)
    _next: int = 0
    _stopping: bool = False

    @property
    def pause_s(self) -> float:
        """How long to wait after a turn in which nothing was done."""
        return max((one.pause_s for one in self._workers.values()), default=IDLE_S)

    def turn(self) -> bool:
        """Do one lot of the next campaign that has one; tell whether there was any."""
        try:
            if self.presence is not None:
                paused = {name: one.paused for name, one in self._workers.items()}
                self.presence.show({name: why for name, why in paused.items() if why})
            names = self._present()
            for _ in names:
                name = names[self._next % len(names)]
                self._next += 1
                if self._worker(name).turn(inherit_fds=self.context.inherit_fds):
                    return True
        except PyMongoError as error:
            logger.warning("the database is away: %s", error)
        return False

    def _present(self) -> list[str]:
        """Return the campaigns that there are to work for."""
        if self.names:
            return list(self.names)
        found = self.store.campaigns.find({"state": {"$ne": "settled"}}, {"_id": 1})
        return sorted(one["_id"] for one in found)

    def _worker(self, name: str) -> Worker:
        if name not in self._workers:
            session = open_session(self.store, name)
            session.stop_grace_s = self.stop_grace_s
            session.stopping = self._stopping
            self._workers[name] = Worker(session, name, self.folder)
        return self._workers[name]

    def stop(self) -> None:
        """Stop what runs. Called by signal handlers."""
        self._stopping = True
        # What waits for a database gives up in time to be kept on the disk.
        self.store.patience.budget_s = CLOSING_S / 2
        for one in list(self._workers.values()):
            one.stop()

    def leave(self) -> None:
        """Write down what is left; what cannot be written soon stays on the disk."""
        for one in self._workers.values():
            one.leave()


class Worker:
    """Takes lots of one campaign's fireworks and brings them to their ends."""

    def __init__(self, session: Session, campaign: str, folder: Path) -> None:
        self._session = session
        self._checkout = Checkout(
            session.store,
            {"spec.campaign": campaign},
            session.process.name,
            session.process.host,
            str(folder),
        )
        self._outbox = Outbox(session, folder)
        self._pace = Pace()
        self._away = False
        self._campaign = campaign
        self._settings_at = time.monotonic()

    @property
    def pause_s(self) -> float:
        """How long to wait after a turn in which nothing was done."""
        return AWAY_S if self._away or self.paused else IDLE_S

    @property
    def paused(self) -> str | None:
        """Why nothing is computed now, though the database is there."""
        return self._session.disk.why

    def turn(self, *, inherit_fds: tuple[int, ...] = ()) -> bool:
        """Do one lot; tell whether there was any.

        `inherit_fds`: what programs are given, other ones after every pause.
        """
        self._session.inherit_fds = inherit_fds
        if not self._outbox.flush():
            self._away = True
            return False
        try:
            if time.monotonic() - self._settings_at > SETTINGS_S:
                take_settings(self._session, self._campaign)
                self._settings_at = time.monotonic()
            if not self._session.disk.is_there(self._session.artefacts.root):
                return False
            lot = self._left_over() if self._away else []
            lot = lot or self._checkout.take(self._pace.lot())
            lot, others = self._pace.split(lot)
            if not self._give_back(others):
                return False
            briefings, ended = self._briefed(lot)
        except PyMongoError as error:
            logger.warning("the database is away: %s", error)
            self._away = True
            return False
        self._away = False
        self._outbox.add(*ended)
        self._work_off(briefings)
        return bool(lot)

    def _briefed(self, lot: Sequence[Taken]) -> tuple[list[Briefing], list[Delivery]]:
        """Return what is to be carried out, and what has ended; what cannot be read, alone."""
        try:
            return brief(self._session, lot)
        except PyMongoError:
            raise
        except Exception as error:  # noqa: BLE001  (a document of another version)
            trace = traceback.format_exc()
            no_disk = disk.is_away(error, self._session.artefacts.root)
            if no_disk:
                self._session.disk.lost(error, self._session.artefacts.root)
        self._session.release([one.order.key for one in lot])
        if no_disk:
            return [], [delivery_of(one, Interrupted(reason=self.paused)) for one in lot]
        if len(lot) == 1:
            return [], [delivery_of(lot[0], Broken(trace=trace))]
        each = [self._briefed([one]) for one in lot]
        return [one for some, _ in each for one in some], [one for _, some in each for one in some]

    def _give_back(self, lot: Sequence[Taken]) -> bool:
        """Leave to others what would wait here for long; tell whether that was possible."""
        self._outbox.add(*(delivery_of(one, Interrupted()) for one in lot))
        self._away = not self._outbox.flush()
        return not self._away

    def _left_over(self) -> list[Taken]:
        """Return what was taken when the database went away; nobody knows how far that got."""
        lot = self._checkout.unfinished()
        keys = [one.order.key for one in lot]
        leases.release_many(self._session.store, keys, self._session.process.name)
        return lot

    def _work_off(self, briefings: Sequence[Briefing]) -> None:
        written = time.monotonic()
        for briefing in briefings:
            stage, began = briefing.order.stage, time.monotonic()
            is_due = began - written > UNWRITTEN_S or not self._pace.is_quick(stage)
            if is_due and self._outbox.flush():
                written = began = time.monotonic()
            self._outbox.add(carry_out(self._session, briefing))
            self._pace.took(stage, time.monotonic() - began)
        self._outbox.flush()

    def stop(self) -> None:
        """Stop what runs. Called by signal handlers."""
        self._session.stop()

    def leave(self) -> None:
        """Write down what is left; what cannot be written soon stays on the disk."""
        with impatient(CLOSING_S / 2):
            self._outbox.flush()
