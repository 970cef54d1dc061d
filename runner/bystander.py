"""What stands in the place of a pool of workers where others compute."""

from __future__ import annotations

import time
from typing import Self

from launchers.local.slots import WorkerDeath


class Bystander:
    """Has no workers, and is there until it is told to leave."""

    def __init__(self) -> None:
        self._here = True

    def alive(self) -> int:
        """Return 1 as long as it was not told to leave."""
        return int(self._here)

    def poll(self) -> list[WorkerDeath]:
        """Return that nobody died."""
        return []

    def cores(self) -> dict[int, tuple[int, ...]]:
        """Return that it waits for no cores."""
        return {0: ()}

    def drain(self) -> None:
        """Leave."""
        self._here = False

    stop = dismiss = drain

    def wait(self, seconds: float) -> None:
        """Return after so long."""
        time.sleep(seconds)

    def join(self) -> bool:
        """Wait for nobody."""
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.drain()
