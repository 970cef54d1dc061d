"""Fixtures that all tests share: a bench on which campaigns run with the toy engine."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import settings

# The same examples every time: what is found by luck belongs into `@example`.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("searching", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

# Cores are locked in the machine's temporary folder: campaigns that run beside are not waited for.
os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="matcampaign-tests-")
atexit.register(shutil.rmtree, os.environ["TMPDIR"], ignore_errors=True)
tempfile.tempdir = None

# Ignored where a shell runs the tests in the background, and then by all that they start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

PLUGINS = Path(__file__).parent / "plugins"
sys.path.insert(0, str(PLUGINS))
# Programs that tests start find the toy engine too.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(PLUGINS), *filter(None, [os.environ.get("PYTHONPATH")])]
)

from browser import *  # noqa: E402, F403  (PLUGINS is on the path from here on)
from database_servers.fixtures import *  # noqa: E402, F403
from private_slurm.fixtures import *  # noqa: E402, F403
from trino_server.fixtures import *  # noqa: E402, F403


@dataclass
class Bench:
    """Runs campaigns in this process, one firework after the other, in folders of its own."""

    folder: Path
    store: str | None = None
    """The URI of a server's database, instead of a file in the folder."""
    computed: list[tuple[str, str]] = field(default_factory=list)
    """(formula, stage) of what the last run computed."""

    @property
    def environ(self) -> dict[str, str]:
        """The environment that puts everything into the bench's folder, or into its store."""
        environ = {
            "MATCAMPAIGN_DATA_DIR": str(self.folder / "data"),
            "MATCAMPAIGN_CONFIG_DIR": str(self.folder / "config"),
        }
        return environ | ({"MATCAMPAIGN_STORE": self.store} if self.store else {})

    def write(self, text: str, name: str = "spec.yaml") -> Path:
        """Write a campaign file."""
        path = self.folder / name
        path.write_text(dedent(text))
        return path

    def prepare(self, text: str) -> Any:
        """Load, screen and submit, and return the run."""
        from runner.controller import Run
        from runner.load import load
        from runner.place import place_of

        loaded = load(self.write(text))
        run = Run(loaded, place_of(loaded, environ=self.environ))
        run.prepare()
        return run

    def run(self, text: str) -> Any:
        """Run a campaign until nothing is READY, and return the status."""
        run = self.prepare(text)
        before = {one["_id"] for one in run.store.attempts.find({}, {"_id": 1})}
        self.work_off(run)
        while run.advance():
            self.work_off(run)
        attempts = run.store.attempts.find({"_id": {"$nin": sorted(before)}})
        self.computed = sorted((one["formula"], one["stage"]) for one in attempts)
        status, self.code = run.finish("settled")
        return status

    def work_off(self, run: Any) -> None:
        """Run what is READY, in this process, as a worker does."""
        from fireworks_ext.worker.loop import Worker
        from fireworks_ext.worker.sessions import forget, open_session

        name = run.loaded.campaign.campaign
        forget()
        worker = Worker(open_session(run.store, name), name, self.folder / "launches")
        while worker.turn():
            pass

    def work_off_with_rockets(self, run: Any) -> None:
        """Run what is READY, in this process, with FireWorks' own rockets."""
        from fireworks import FWorker
        from fireworks.core import rocket

        from fireworks_ext.worker.sessions import forget, open_session

        rocket.PRINT_FW_JSON = False
        rocket.ROCKET_STREAM_LOGLEVEL = "CRITICAL"
        name = run.loaded.campaign.campaign
        forget()
        session = open_session(run.store, name)
        fworker = FWorker(name=session.process.name, query={"spec.campaign": name})
        here = Path.cwd()
        launches = self.folder / "launches"
        launches.mkdir(exist_ok=True)
        os.chdir(launches)  # FireWorks writes into the working directory
        try:
            with Path(os.devnull).open("w") as nowhere:  # tracebacks of failures are printed
                while rocket.Rocket(run.store.launchpad, fworker, None).run(err_file=nowhere):
                    pass
        finally:
            os.chdir(here)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Return a bench for campaigns with the toy engine."""
    yield Bench(tmp_path)
    from fireworks_ext.worker.sessions import forget

    forget()


@pytest.fixture
def call(bench: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that runs a command line and returns (exit code, output, errors)."""
    from runner.cli import main

    for name, value in bench.environ.items():
        monkeypatch.setenv(name, value)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["campaign", *words])
        with pytest.raises(SystemExit) as exit_:
            main()
        printed = capsys.readouterr()
        return int(exit_.value.code or 0), printed.out, printed.err

    return run
