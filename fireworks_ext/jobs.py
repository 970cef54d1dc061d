"""The custodian job of every engine: start the program, wait, end it when its time is up."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from typing import Any

from custodian.custodian import Job

from fireworks_ext.processes import end_session
from fireworks_ext.session import Session
from schemas.protocols import Command

SECONDS_PER_MINUTE = 60.0


class EngineJob(Job):
    """Runs one command in a session of its own, so that it can be ended with all its ranks."""

    def __init__(self, command: Command, session: Session, walltime_min: float) -> None:
        self._command = command
        self._session = session
        self._walltime_s = walltime_min * SECONDS_PER_MINUTE
        self.exit_code: int | None = None
        self.timed_out = False

    def setup(self, directory: str = "./") -> None:
        """Do nothing: inputs are written before custodian starts."""

    def run(self, directory: str = "./") -> None:
        """Run the program to its end and keep its exit code."""
        folder = Path(directory)
        with (
            (folder / self._command.stdout).open("wb") as stdout,
            (folder / self._command.stderr).open("wb") as stderr,
        ):
            process = subprocess.Popen(
                self._command.argv,
                cwd=folder,
                env={**os.environ, **self._command.environment},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                pass_fds=self._session.inherit_fds,
            )
        watchdog = threading.Timer(self._walltime_s, self._time_out, [process.pid])
        watchdog.daemon = True
        watchdog.start()
        try:
            with self._session.running(process.pid):
                self.exit_code = process.wait()
        finally:
            watchdog.cancel()

    def _time_out(self, leader: int) -> None:
        self.timed_out = True
        end_session(leader)

    def postprocess(self, directory: str = "./") -> None:
        """Do nothing: the engine's parser reads the directory afterwards."""

    def as_dict(self) -> dict[str, Any]:
        """Return what custodian writes into its log."""
        return {
            "@module": type(self).__module__,
            "@class": type(self).__name__,
            "argv": list(self._command.argv),
        }
