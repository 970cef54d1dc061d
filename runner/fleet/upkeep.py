"""What has to be done again and again, whatever else its process is busy with."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)


@dataclass
class Upkeep:
    """Does something every so many seconds, in a thread of its own."""

    what: Callable[[], None]
    every_s: float
    _done: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; a second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._go_on, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Leave off."""
        self._done.set()

    def _go_on(self) -> None:
        while not self._done.wait(self.every_s):
            try:
                self.what()
            except Exception as error:  # noqa: BLE001  (an outage; the next time is another chance)
                logger.warning("%s", error)
