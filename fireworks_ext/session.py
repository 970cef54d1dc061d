"""What a worker holds while it works: store, machine's settings, leases, heartbeat."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pymongo.errors import PyMongoError

from fireworks_ext import leases
from fireworks_ext.artefacts import Artefacts
from fireworks_ext.processes import Process, end_session, this_process
from fireworks_ext.store import Store
from schemas.profile import Site

logger = logging.getLogger(__name__)


@dataclass
class Session:
    """One worker process at work.

    `inherit_fds` are handed down to programs: the locks of the worker's cores, which stay taken
    while a program outlives its worker.
    """

    store: Store
    site: Site
    artefacts: Artefacts
    inherit_fds: tuple[int, ...] = ()
    process: Process = field(default_factory=this_process)
    stopping: bool = False
    _program: int | None = None
    _held: dict[str, tuple[leases.Lease, int]] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _heartbeat: threading.Thread | None = None

    def stop(self) -> None:
        """End the program that runs, if any; what it was for goes back to be done again."""
        self.stopping = True
        program = self._program
        if program is not None:
            end_session(program)

    @contextmanager
    def running(self, leader: int) -> Iterator[None]:
        """Let `stop` know which program to end."""
        self._program = leader
        try:
            if self.stopping:
                end_session(leader)
            yield
        finally:
            self._program = None

    @contextmanager
    def keeping(self, lease: leases.Lease, launch_id: int) -> Iterator[None]:
        """Renew a lease, and FireWorks' own sign of life, while the body runs; then release it."""
        with self._guard:
            self._held[lease.name] = (lease, launch_id)
        self._beat_in_background()
        try:
            yield
        finally:
            with self._guard:
                del self._held[lease.name]
            leases.release(self.store, lease)

    def beat(self) -> None:
        """Renew all that is held, once."""
        with self._guard:
            held = dict(self._held)
        leases.renew(self.store, [lease for lease, _ in held.values()])
        now = datetime.now(UTC).isoformat()
        self.store.launches.update_many(
            {"launch_id": {"$in": [launch for _, launch in held.values()]}, "state": "RUNNING"},
            {"$set": {"state_history.0.updated_on": now}},
        )

    def _beat_in_background(self) -> None:
        if self._heartbeat is None:
            self._heartbeat = threading.Thread(target=self._beat_for_ever, daemon=True)
            self._heartbeat.start()

    def _beat_for_ever(self) -> None:
        pause = threading.Event()
        while not pause.wait(leases.RENEW_S):
            try:
                self.beat()
            except PyMongoError as error:  # the next beat is another chance: a lease is 4 beats
                logger.warning("heartbeat: %s", error)
