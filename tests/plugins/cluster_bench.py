"""Campaigns that run on a private Slurm: started as people do, watched from outside."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml
from private_slurm import PrivateSlurm

from fireworks_ext.folders.exchange import Exchange
from fireworks_ext.store import Store, open_store
from runner.detach import controller
from runner.fleet.records import FILE, JobRecord

LONGEST_S = 240.0
"""Many times what anything here takes on a machine with nothing else to do."""
CLI = (sys.executable, "-c", "from runner.cli import main; main()")
PLUGINS = str(Path(__file__).parent)
DEFAULTS = {
    "tasks_per_node": 2,
    "memory_gb": 0.5,
    "walltime_min": 10,
    "stop_before_s": 60,
    "fill_min": 0,
    "idle_s": 2,
}
TOYS = """
version: 1
campaign: toys
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [METALS], X: [S]}
stages:
  first: {engine: toy, task: relax, SETTINGS}
MORE
"""


def toys(metals: str = "Mg, Ca, Sr, Ba", settings: str = "seconds: 0.2", more: str = "") -> str:
    """Return a campaign of the toy engine; `more` is further lines, indented as stages are."""
    return TOYS.replace("METALS", metals).replace("SETTINGS", settings).replace("MORE", more)


@dataclass
class Cluster:
    """One campaign file, its profile, and the Slurm that it goes to."""

    folder: Path
    slurm: PrivateSlurm
    name: str = ""
    """The campaign's."""
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environ(self) -> dict[str, str]:
        """Where campaign, store and jobs find everything: jobs inherit it."""
        return {
            **os.environ,
            **self.slurm.environment,
            "MATCAMPAIGN_DATA_DIR": str(self.folder / "data"),
            "MATCAMPAIGN_CONFIG_DIR": str(self.folder / "config"),
            "TOY_LOG": str(self.log),
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": os.pathsep.join([PLUGINS, os.environ.get("PYTHONPATH", "")]),
            # Locks of cores are there: other campaigns of this machine are not waited for.
            "TMPDIR": str(self.folder / "tmp"),
        }

    @property
    def log(self) -> Path:
        """Return where programs write that they start and end."""
        return self.folder / "programs.log"

    def write(self, spec: str, **settings: Any) -> Path:
        """Write a campaign file, and the profile `cluster` with the launcher's settings."""
        launcher = {"kind": "slurm", **DEFAULTS, **settings}
        profiles = self.folder / "config" / "profiles"
        profiles.mkdir(parents=True, exist_ok=True)
        (self.folder / "tmp").mkdir(exist_ok=True)
        (profiles / "cluster.yaml").write_text(yaml.safe_dump({"launcher": launcher}))
        path = self.folder / "spec.yaml"
        # Of its own: Slurm remembers the jobs of earlier tests.
        self.name = f"{yaml.safe_load(spec)['campaign']}-{self.folder.name[-12:]}".lower()
        self.name = re.sub(r"[^a-z0-9-]", "-", self.name)
        path.write_text(re.sub(r"(?m)^campaign: .*$", f"campaign: {self.name}", spec))
        self.exchange = Exchange(self.folder / "data" / "artefacts" / "exchange" / self.name)
        return path

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Start the controller."""
        with (self.folder / "run.txt").open("ab") as output:
            controller = subprocess.Popen(
                [*CLI, "run", "spec.yaml", "--profile", "cluster", *options],
                cwd=self.folder,
                env=self.environ,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.started.append(controller)
        return controller

    def log_in_and_out(self, *options: str) -> None:
        """Start a controller in a terminal, and close the terminal once it says something."""
        ours, theirs = os.openpty()
        command = shlex.join([*CLI, "run", "spec.yaml", "--profile", "cluster", *options])
        shell = ["bash", "-c", f"{command} && exec sleep {LONGEST_S:.0f}"]
        session = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *shell],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=self.folder,
            env=self.environ,
        )
        os.close(theirs)
        said = b""
        while b"controls it" not in said:
            try:
                said += os.read(ours, 4096)
            except OSError:  # all have closed it
                raise AssertionError(said.decode()) from None
        os.close(ours)
        # The shell, or sleep in its place, went with its terminal.
        assert session.wait(LONGEST_S) in {-signal.SIGHUP, 128 + signal.SIGHUP}

    def end_of(self, controller: subprocess.Popen[bytes], wait_s: float = LONGEST_S) -> int:
        """Wait for a controller's end; return its exit code."""
        try:
            return controller.wait(wait_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(self.trouble()) from None

    def run(self, *options: str) -> int:
        """Run the controller to its end; return its exit code."""
        return self.end_of(self.start(*options))

    def said(self) -> str:
        """Return what controllers printed."""
        return (self.folder / "run.txt").read_text()

    def call(self, *words: str, code: int = 0) -> str:
        """Run a command to its end; return what it printed, here and there."""
        done = subprocess.run(
            [*CLI, *words],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_S,
        )
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout + done.stderr

    def ask(self, command: str, *words: str) -> Any:
        """Return what a command about the campaign says as JSON."""
        done = subprocess.run(
            [*CLI, command, self.name, "--profile", "cluster", *words, "--json"],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=True,
            timeout=LONGEST_S,
        )
        return json.loads(done.stdout)["data"]

    # What came of it

    @property
    def store(self) -> Store:
        """Return the store, which the controller has open, too."""
        return open_store(str(self.folder / "data" / "store.db"))

    def controller(self) -> psutil.Process | None:
        """Return the process that controls the campaign."""
        found = controller(self.store, self.name)
        return psutil.Process(found.pid) if found else None

    def fleet(self) -> dict[str, Any]:
        """Return what the controller last wrote down of its jobs."""
        document = self.store.campaigns.find_one({"_id": self.name}) or {}
        return document.get("fleet") or {}

    def attempts(self) -> list[dict[str, Any]]:
        """Return the records of all attempts, the oldest first."""
        return sorted(self.store.attempts.find({}), key=lambda one: str(one["started_at"]))

    def begun(self) -> list[str]:
        """Return the ids of the jobs in which a pilot began."""
        folders = [*self.exchange.jobs.glob("*"), *self.exchange.past.glob("*")]
        found = [path for one in folders for path in one.glob("begun-*.json")]
        return sorted(json.loads(path.read_text())["allocation"]["job"] for path in found)

    def records(self) -> dict[str, JobRecord]:
        """Return what controllers wrote down of their jobs, those that are over too."""
        folders = [*self.exchange.jobs.glob(f"*/{FILE}"), *self.exchange.past.glob(f"*/{FILE}")]
        found = [JobRecord.model_validate_json(path.read_bytes()) for path in folders]
        return {one.name: one for one in found}

    def jobs(self) -> Counter[str]:
        """Return the campaign's jobs as Slurm counts them: by name, how many there were."""
        ids = {one.id: name for name, all_ in self.slurm.over().items() for one in all_}
        for line in self.slurm.run("squeue", "--noheader", "--format=%A %j").splitlines():
            job, name = line.split(maxsplit=1)
            ids[job] = name
        return Counter(name for name in ids.values() if name.startswith(f"{self.name}-"))

    def programs(self, word: str) -> Counter[str]:
        """Return how often programs started, or ended, by the stage's folder."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        said = (line.split(maxsplit=1) for line in lines)
        return Counter(str(Path(where).parent) for one, where in said if one == word)

    def trouble(self) -> str:
        """Return what there is to know when something went wrong."""
        folders = [*self.exchange.jobs.glob("*"), *self.exchange.past.glob("*")]
        outputs = [path for one in folders for path in one.rglob("*.txt")]
        queue = self.slurm.run("squeue", "--all", "--states=all", check=False)
        told = [f"{path}: {path.read_text(errors='replace')[-2000:]}" for path in outputs]
        return "\n".join([self.said()[-4000:], queue, *told])

    def until(self, what: Callable[[], Any], wait_s: float = LONGEST_S) -> Any:
        """Wait until something is true; return it."""
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            with suppress(FileNotFoundError):
                found = what()
                if found:
                    return found
            time.sleep(0.05)
        raise AssertionError(self.trouble())

    def strike(self) -> None:
        """End all processes of all jobs by SIGKILL, at once; controllers live on."""
        controllers = {one.pid for one in self.started}
        for process in self.processes():
            if process.pid not in controllers:
                with suppress(psutil.Error):
                    process.send_signal(signal.SIGKILL)

    def processes(self) -> list[psutil.Process]:
        """Return controllers, jobs and programs: by their environment, which they inherit."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                mine = process.environ().get("MATCAMPAIGN_DATA_DIR") == str(self.folder / "data")
                if mine and process.name() != "slurmstepd":
                    found.append(process)
        return found

    def dismiss(self) -> None:
        """End controllers that still run; jobs are the queue's to end."""
        for process in self.processes():
            with suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
        for one in self.started:
            one.wait()
