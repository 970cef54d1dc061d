"""Campaigns of the stepping engine that are stopped on the way, and what they did."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil


def done(steps: Path) -> list[int]:
    return [int(line.split()[0]) for line in steps.read_text().splitlines()]


def attempts(run: Any) -> list[dict[str, Any]]:
    return sorted(run.store.attempts.find({}), key=lambda one: int(one["attempt"]))


def work_until(bench: Any, run: Any, steps: Path, wanted: int, act: Any) -> None:
    """Work off the campaign; call `act` with its session once so many steps were done."""
    from fireworks_ext.worker import sessions

    def watch() -> None:
        while not steps.exists() or len(done(steps)) < wanted:
            time.sleep(0.01)
        act(sessions._sessions["steps"])

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    bench.work_off(run)
    watcher.join()


def program() -> psutil.Process:
    """Return the program that this process runs; other tests may have left processes behind."""
    for one in psutil.Process().children():
        with suppress(psutil.ZombieProcess):
            if "stepping_program" in " ".join(one.cmdline()):
                return one
    raise AssertionError("no program runs")


def stop_once(bench: Any, run: Any, steps: Path, after: int) -> None:
    """Stop the session once, as SIGTERM to its worker would, and let nothing else be launched."""

    def stop(session: Any) -> None:
        run.store.fireworks.update_many({}, {"$set": {"spec._fworker": "nobody"}})
        session.stop()

    work_until(bench, run, steps, after, stop)
    run.store.fireworks.update_many({}, {"$unset": {"spec._fworker": ""}})
