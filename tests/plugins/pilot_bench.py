"""Pilots as processes on this machine, and stages that a bench hands over to them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from fireworks_ext.folders.exchange import Exchange, PilotOrder
from fireworks_ext.folders.handovers import Handovers, take_in
from fireworks_ext.worker.sessions import open_session
from schemas.handover import Delivery
from schemas.queue import Allocation
from schemas.stage_file import Forecast

LONGEST_S = 90.0
ROOT = Path(__file__).parents[2]


def allocation(cores: int = 2, *, memory_gb: float | None = None, for_s: float = 0.0) -> Allocation:
    """Return so many cores, for so long from now on if that is given."""
    ends_at = time.time() + for_s if for_s else None
    return Allocation(job="test", cores=cores, memory_gb=memory_gb, ends_at=ends_at)


@dataclass
class PilotBench:
    """One campaign, its exchange folder, and processes that work in it."""

    run: Any
    root: Path
    pilots: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.exchange = Exchange(self.root)
        self.exchange.make()
        self.campaign: str = self.run.loaded.campaign.campaign

    def hand_over(
        self,
        count: int = 100,
        *,
        forecast: Callable[[Any], Forecast | None] = lambda _: None,
        folder: Path | None = None,
    ) -> list[Path]:
        """Hand READY stages over; return their folders."""
        session = open_session(self.run.store, self.campaign)
        folder = folder or self.exchange.stages
        folder.mkdir(parents=True, exist_ok=True)
        handovers = Handovers(session, self.campaign, folder, forecast=forecast)
        return sorted(handovers.hand_over(count))

    def start(self, job: str = "first", **order: Any) -> subprocess.Popen[bytes]:
        """Start a pilot of a job."""
        order = {"allocation": allocation(), "idle_s": 0.5, "stop_before_s": 20.0, **order}
        self.exchange.give_order(job, PilotOrder(**order))
        with (self.root / f"{job}.log").open("ab") as log:
            one = subprocess.Popen(
                [sys.executable, "-m", "runner.pilot", str(self.root), job],
                stdout=log,
                stderr=log,
                cwd=ROOT,
            )
        self.pilots.append(one)
        return one

    def work(self, job: str = "first", **order: Any) -> str:
        """Run a pilot to its end; return why it left."""
        return self.leave(self.start(job, **order), job)

    def leave(self, pilot: subprocess.Popen[bytes], job: str = "first") -> str:
        """Wait for a pilot's end; return why it left."""
        assert pilot.wait(LONGEST_S) == 0, self.log(job)
        return self.log(job).strip().rpartition("left: ")[2]

    def log(self, job: str = "first") -> str:
        """Return what the pilots of a job printed."""
        return (self.root / f"{job}.log").read_text()

    def take_in(self) -> list[Delivery]:
        """Take results in."""
        return take_in(self.run.store, self.exchange.stages)

    def dismiss(self) -> None:
        """End what still runs."""
        for one in self.pilots:
            with suppress(psutil.Error):
                family = psutil.Process(one.pid).children(recursive=True)
                one.kill()
                for child in family:
                    with suppress(psutil.Error):
                        child.kill()
            one.wait()


def programs(name: str, *, below: Path) -> list[psutil.Process]:
    """Return the processes that run below a folder and have a word in their command line."""
    found = []
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            mine = one.status() != psutil.STATUS_ZOMBIE and one.pid != os.getpid()
            if mine and any(name in word for word in one.cmdline()):
                found += [one] if one.cwd().startswith(str(below)) else []
    return found


def until(what: Callable[[], Any]) -> Any:
    """Wait until something is true; return it."""
    end = time.monotonic() + LONGEST_S
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def kill(pilot: subprocess.Popen[bytes]) -> None:
    """End a pilot, and nothing that it started."""
    pilot.send_signal(signal.SIGKILL)
    pilot.wait()
