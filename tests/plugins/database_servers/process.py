"""One server process: it ends when its input does, so it never outlives whoever started it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

START_S = 180.0
STOP_S = 15.0
POLL_S = 0.02


class ServerProcess:
    """A running program whose messages go to a log file."""

    def __init__(
        self, command: list[str], log: Path, *, user: str | None = None, answers: bool = False
    ) -> None:
        self._log = log
        with log.open("ab") as file:
            self.popen = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if answers else file,
                stderr=file,
                user=user,
                # Ctrl-C in a terminal is for the tests: servers end after them.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.popen.pid

    def alive(self) -> bool:
        """Tell whether it runs."""
        return self.popen.poll() is None

    def first_line(self) -> str:
        """Return the first line that it prints."""
        line = self._pipe(self.popen.stdout).readline().decode()
        if not line:
            self.popen.wait()
            raise RuntimeError(self.trouble())
        return line.strip()

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Return when it is ready; raise RuntimeError when it ends before, or takes too long."""
        until = time.monotonic() + START_S
        while not ready():
            if not self.alive() or time.monotonic() > until:
                raise RuntimeError(self.trouble())
            time.sleep(POLL_S)

    def stop(self) -> None:
        """End it in its own way, and by SIGKILL when that takes too long."""
        self._pipe(self.popen.stdin).close()
        try:
            self.popen.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._close()

    def kill(self) -> None:
        """End it by SIGKILL."""
        self.popen.kill()
        self.popen.wait()
        self._close()

    def trouble(self) -> str:
        """Return what it said last."""
        said = self._log.read_text(errors="replace")[-2000:]
        return f"{self.popen.args} did not start: {said}"

    def _close(self) -> None:
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe is not None:
                pipe.close()

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe
