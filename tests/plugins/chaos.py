"""Campaigns of no-op stages whose workers, servers and connections are killed at random."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consistency import assert_consistent

from runner.controller import Run
from runner.load import load
from runner.place import place_of

HERE = Path(__file__).parent
SPEC = """
version: 1
campaign: chaos
space:
  - {kind: structures, files: [cells.json]}
stages:
  first: {engine: no-op, task: relax}
  second: {engine: no-op, task: scf, x: 2.0, when: first.value > 0}
"""
STAGES = 2
LOOK_S = 0.5
LIMIT_S, LIMIT_OF_EACH_S = 1800.0, 2.0
"""For a campaign and for each of its candidates: servers that scan, on machines that do more."""


@dataclass
class Chaos:
    """One campaign, many workers, and what happens to them.

    Parameters
    ----------
    location
        The store as workers and controller reach it.
    events
        By the number of candidates done, what happens then; each once.
    over
        Called when all is done, before it is counted.
    """

    folder: Path
    location: str
    candidates: int
    workers: int = 8
    kill_every_s: float = 1.0
    events: Mapping[int, Callable[[], None]] = field(default_factory=dict)
    over: Callable[[], None] = lambda: None
    seed: int = 0
    killed: int = 0
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _done: threading.Event = field(default_factory=threading.Event)

    def run(self) -> dict[str, Any]:
        """Bring the campaign to its end; return what was counted. Raises AssertionError."""
        limit_s = LIMIT_S + LIMIT_OF_EACH_S * self.candidates
        run = self._prepared()
        events = dict(sorted(self.events.items()))
        began = time.monotonic()
        # Of its own: the controller's turns may take long, and kills are not to wait for them.
        killer = threading.Thread(target=self._kill_at_random, daemon=True)
        killer.start()
        try:
            while True:
                self._man()
                run._repair()
                run.advance()
                done = run.store.results.count_documents({}) // STAGES
                for at in [one for one in events if done >= one]:
                    events.pop(at)()
                if done == self.candidates and self._is_settled(run):
                    break
                assert time.monotonic() - began < limit_s, f"{done} of {self.candidates} are done"
                time.sleep(LOOK_S)
        finally:
            self._done.set()
            killer.join()
            self._dismiss()
        seconds = time.monotonic() - began
        self.over()
        run._repair()
        return {"seconds": seconds, "killed": self.killed, **self._counts(run)}

    def _prepared(self) -> Run:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "cells.json").write_text(json.dumps(cells(self.candidates)))
        (self.folder / "spec.yaml").write_text(SPEC)
        environ = {
            "MATCAMPAIGN_DATA_DIR": str(self.folder / "data"),
            "MATCAMPAIGN_CONFIG_DIR": str(self.folder),
            "MATCAMPAIGN_STORE": self.location,
        }
        run = Run(loaded := load(self.folder / "spec.yaml"), place_of(loaded, environ=environ))
        run.prepare()
        return run

    def _man(self) -> None:
        """Start workers for those that are gone."""
        self._processes = [one for one in self._processes if one.poll() is None]
        while len(self._processes) < self.workers:
            folder = self.folder / "data" / "launches"
            program = [sys.executable, str(HERE / "lone_worker.py")]
            with (self.folder / "workers.log").open("ab") as log:
                self._processes.append(
                    subprocess.Popen(
                        [*program, self.location, str(folder), "chaos"],
                        stdout=log,
                        stderr=log,
                        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                    )
                )

    def _kill_at_random(self) -> None:
        chance = random.Random(self.seed)
        while not self._done.wait(chance.expovariate(1.0 / self.kill_every_s)):
            alive = [one for one in self._processes if one.poll() is None]
            if alive:
                chance.choice(alive).send_signal(signal.SIGKILL)
                self.killed += 1

    def _dismiss(self) -> None:
        for one in self._processes:
            one.terminate()
        for one in self._processes:
            one.wait(30.0)

    def _is_settled(self, run: Run) -> bool:
        states = {"$in": ["READY", "RESERVED", "RUNNING", "WAITING"]}
        return run.store.fireworks.count_documents({"state": states}) == 0

    def _counts(self, run: Run) -> dict[str, Any]:
        """Return counts, once everything is as it must be."""
        store = run.store
        assert_consistent(store)
        states = Counter(
            entry["state"]
            for one in store.candidates.find({}, {"stages": 1})
            for entry in one["stages"].values()
        )
        assert states == {"ok": STAGES * self.candidates}, states
        ok = Counter(one["key"] for one in store.attempts.find({"outcome": "ok"}, {"key": 1}))
        assert len(ok) == STAGES * self.candidates
        twice = [key for key, number in ok.items() if number > 1]
        assert not twice, f"{len(twice)} stages came to a result twice"
        return {"stages": len(ok), "attempts": store.attempts.count_documents({})}


def cells(number: int) -> Sequence[dict[str, object]]:
    """Return so many rocksalt cells, no two of the same length."""
    made = []
    for row in range(number):
        half = 2.0 + 1e-4 * row
        made.append(
            {
                "lattice_ang": [[0.0, half, half], [half, 0.0, half], [half, half, 0.0]],
                "species": ["Mg", "S"],
                "frac_coords": [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]],
            }
        )
    return made
