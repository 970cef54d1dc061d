"""When something is due again."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass
class Clock:
    """Something that is done every so many seconds, or sooner where there is reason."""

    every_s: float
    _at: float = float("-inf")

    def due(self) -> bool:
        """Tell whether it is time again, and take note that it is done now."""
        if time.monotonic() - self._at < self.every_s:
            return False
        self.reset()
        return True

    def reset(self) -> None:
        """Take note that it is done now."""
        self._at = time.monotonic()

    def hurry(self) -> None:
        """Make it due."""
        self._at = float("-inf")
