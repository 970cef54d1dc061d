"""What a worker holds while it works: store, machine's settings, leases, heartbeat."""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pymongo.errors import PyMongoError

from fireworks_ext import leases, ledger
from fireworks_ext.artefacts import Artefacts
from fireworks_ext.processes import Process, this_process
from fireworks_ext.spending import Meter
from fireworks_ext.store import Store
from fireworks_ext.worker.disk import Disk
from fireworks_ext.worker.presence import SEEN_S
from schemas.clock import utc_now
from schemas.ledger import AttemptRecord
from schemas.profile import Site

logger = logging.getLogger(__name__)

STOP_GRACE_S = 8.0
"""For a program to save its state and stop, before it is ended."""


@dataclass
class Session:
    """One worker process at work.

    `database` is None where a stage was handed over as files: then nobody is told anything while
    it runs. `inherit_fds` are handed down to programs: the locks of the worker's cores, which stay
    taken while a program outlives its worker.
    """

    database: Store | None
    site: Site
    artefacts: Artefacts
    inherit_fds: tuple[int, ...] = ()
    process: Process = field(default_factory=this_process)
    stopping: bool = False
    stop_grace_s: float = STOP_GRACE_S
    disk: Disk = field(default_factory=Disk)
    wake_fd: int = field(default_factory=lambda: os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC))
    """Becomes readable when `stop` is called."""
    _stop_file: Path | None = None
    _meters: dict[str, Meter] = field(default_factory=dict)
    _held: dict[str, tuple[leases.Lease, int]] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _heartbeat: threading.Thread | None = None
    _seen_at: float = 0.0

    @property
    def store(self) -> Store:
        """The database, for what is not done without one."""
        if self.database is None:
            raise RuntimeError("this stage was handed over as files, without a database")
        return self.database

    def stop(self) -> None:
        """Stop the program that runs, its state saved where it can; the stage goes on later.

        Called by signal handlers: the rest is done by whoever attends to the program.
        """
        self.stopping = True
        stop_file = self._stop_file
        if stop_file is not None:
            with suppress(OSError):  # a program that cannot be asked is ended after its grace
                if stop_file.parent.is_dir():
                    stop_file.touch()
        os.eventfd_write(self.wake_fd, 1)

    def stops_within(self, seconds: float) -> bool:
        """Wait for `stop` to be called, so long at most; tell whether it was."""
        if not self.stopping:
            select.select([self.wake_fd], [], [], seconds)
        return self.stopping

    def clear_wake(self) -> None:
        """Make `wake_fd` wait for the next call of `stop`."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.wake_fd)

    @contextmanager
    def running(self, stop_file: Path | None) -> Iterator[None]:
        """Let `stop` know what asks the program to stop."""
        self._stop_file = stop_file
        try:
            if self.stopping:
                self.stop()
            yield
        finally:
            self._stop_file = None

    def meter(self, campaign: str) -> Meter:
        """Return what tells how much a campaign has spent."""
        return self._meters.setdefault(campaign, Meter(self.store, campaign))

    def hold(self, held: Mapping[int, leases.Lease]) -> None:
        """Renew leases from now on, and FireWorks' own sign of life of the launches they are for.

        Parameters
        ----------
        held
            By launch.
        """
        with self._guard:
            self._held |= {lease.name: (lease, launch) for launch, lease in held.items()}
        if self._heartbeat is None:
            self._heartbeat = threading.Thread(target=self._beat_for_ever, daemon=True)
            self._heartbeat.start()

    def release(self, names: Collection[str]) -> None:
        """Give leases back that are held, and renew them no more."""
        with self._guard:
            mine = [name for name in names if self._held.pop(name, None)]
        if mine:
            leases.release_many(self.store, mine, self.process.name)

    def holds(self, name: str) -> bool:
        """Tell whether a lease is still ours, as far as can be known: who took it may go on."""
        with self._guard:
            lease, _ = self._held.get(name, (None, 0))
        if lease is None or self.database is None:
            return True
        try:
            return leases.is_held(self.database, lease)
        except PyMongoError:  # an outage: whoever took it could not write either
            return True

    def announce(self, attempt: AttemptRecord) -> None:
        """Let others see that a program starts; that it did is on the disk in any case."""
        if self.database is None:
            return
        try:
            ledger.start_attempt(self.database, attempt)
        except PyMongoError as error:
            logger.warning("attempt %s of %s: %s", attempt.attempt, attempt.key, error)

    def beat(self) -> None:
        """Renew all that is held, once."""
        with self._guard:
            held = dict(self._held)
        if not held:
            return
        leases.renew(self.store, [lease for lease, _ in held.values()])
        now = datetime.now(UTC).isoformat()
        self.store.launches.update_many(
            {"launch_id": {"$in": [launch for _, launch in held.values()]}, "state": "RUNNING"},
            {"$set": {"state_history.0.updated_on": now}},
        )
        if time.monotonic() - self._seen_at > SEEN_S:
            self._seen_at = time.monotonic()
            here = {"_id": self.process.name}
            self.store.workers.update_one(here, {"$set": {"seen": utc_now()}})

    def _beat_for_ever(self) -> None:
        pause = threading.Event()
        while not pause.wait(leases.RENEW_S):
            try:
                self.beat()
            except Exception as error:  # noqa: BLE001  (without its beats, what runs is taken for lost)
                logger.warning("heartbeat: %s", error)  # the next is another chance: a lease is 4
