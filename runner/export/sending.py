"""Tables sent to S3 while a campaign goes on: in the background, and again where it failed."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from runner.export.address import LakeAddress
from runner.export.lake import Lake, remember
from schemas.errors import UserError

FIRST_WAIT_S = 15.0
LONGEST_WAIT_S = 600.0
KEEP_OLD_VERSIONS_S = 86_400.0
"""What was replaced stays in S3 for readers that began before."""

logger = logging.getLogger(__name__)


@dataclass
class Sending:
    """Sends one campaign's tables. What S3 or Glue cannot do now is said and tried again later."""

    root: Path
    campaign: str
    problem: str | None = None
    """Why the last try failed."""
    _address: LakeAddress | None = None
    _lake: Lake | None = None
    _thread: Thread | None = field(default=None, repr=False)
    _wait_s: float = FIRST_WAIT_S
    _next: float = 0.0

    def begin(self, address: LakeAddress) -> None:
        """Send in the background, unless that goes on already or is not to be tried yet."""
        busy = self._thread is not None and self._thread.is_alive()
        if busy or time.monotonic() < self._next:
            return
        # A daemon: a process that is told to leave need not wait, files go before the manifest.
        self._thread = Thread(target=self._send, args=(address,), name="lake", daemon=True)
        self._thread.start()

    def finish(self, address: LakeAddress) -> None:
        """Send now, and remove old versions."""
        if self._thread is not None:
            self._thread.join()
        self._send(address)
        if self.problem is None:
            self._try(address, collects=True)

    def _send(self, address: LakeAddress) -> None:
        self._try(address, collects=False)
        if self.problem is None:
            self._wait_s, self._next = FIRST_WAIT_S, 0.0
            return
        self._next = time.monotonic() + self._wait_s
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)

    def _try(self, address: LakeAddress, *, collects: bool) -> None:
        try:
            if self._lake is None or self._address != address:
                self._lake, self._address = Lake(address), address
                remember(self.root, address)
            if collects:
                self._lake.collect(KEEP_OLD_VERSIONS_S)
            else:
                self._lake.send(self.root, self.campaign)
        except (UserError, OSError) as error:
            if self.problem != str(error):
                logger.warning(
                    "tables are not in %s yet: %s. They are in %s; the campaign goes on, and "
                    "`campaign export %s` sends them too",
                    address.url, error, self.root, self.campaign,
                )  # fmt: skip
            self.problem = str(error)
        else:
            self.problem = None
