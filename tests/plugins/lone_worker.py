"""One worker process without a launcher: `python lone_worker.py STORE FOLDER CAMPAIGN...`.

SIGTERM drains it. Its cores are whatever the system gives it, so that many fit on few cores.
LONE_WORKER_PATIENCE_S shortens how long it waits for a database before it goes on without.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

from fireworks_ext.database import patience
from fireworks_ext.worker.loop import serve


class Alone:
    """What a launcher gives to a worker, from nobody."""

    inherit_fds: tuple[int, ...] = ()
    _draining = False

    def drain(self, _number: int, _frame: FrameType | None) -> None:
        self._draining = True

    def draining(self) -> bool:
        return self._draining

    def stopping(self) -> bool:
        return False

    def wait_for_work(self, timeout_s: float) -> bool:
        time.sleep(min(timeout_s, 0.2))
        return False

    def announce(self) -> None:
        pass

    def on_stop(self, callback: Callable[[], None] | None) -> None:
        pass


def main() -> None:
    store, folder, *campaigns = sys.argv[1:]
    context = Alone()
    signal.signal(signal.SIGTERM, context.drain)
    patience.Patience.__init__.__defaults__ = (
        float(os.environ.get("LONE_WORKER_PATIENCE_S", patience.BUDGET_S)),
        None,
    )
    serve(context, store=store, campaigns=campaigns, folder=folder, grace_s=15.0)


if __name__ == "__main__":
    main()
