"""Since when things look as they do, by the clock of the one who looks.

Clocks of other machines may be wrong, and while the database is away nobody gives a sign of life:
what is to be taken for dead has to look the same for a while to somebody who keeps looking.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

STALE_S = 60.0
"""What looks left behind for so long, and belongs to nobody who could be asked, is."""
LONGEST_GAP_S = 90.0
"""Who has not looked for longer has seen nothing in between."""


@dataclass
class Sightings:
    """What was seen in the rounds so far."""

    _seen: dict[str, tuple[Any, float]] = field(default_factory=dict)
    _touched: set[str] = field(default_factory=set)
    _last: float | None = None

    def begin(self) -> None:
        """Begin a round of looks."""
        now = time.monotonic()
        if self._last is not None and now - self._last > LONGEST_GAP_S:
            self._seen.clear()
        self._touched = set()

    def end(self) -> None:
        """Forget what was not looked at in this round."""
        self._last = time.monotonic()
        self._seen = {name: self._seen[name] for name in self._touched if name in self._seen}

    def unchanged_s(self, name: str, look: Any) -> float:
        """Return for how many seconds something looks as it does now; 0 at the first look."""
        now = time.monotonic()
        self._touched.add(name)
        if name not in self._seen or self._seen[name][0] != look:
            self._seen[name] = (look, now)
            return 0.0
        return now - self._seen[name][1]

    def is_stale(self, name: str, look: Any) -> bool:
        """Tell whether something has looked the same for long enough to be left behind."""
        return self.unchanged_s(name, look) > STALE_S
