"""A user's program that prints line after line, and is ended when it is silent for too long."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import IO

from schemas.errors import UserError

WAITING_LINES = 256
"""Lines that may wait to be used, before the program has to wait too."""
LONGEST_LINE_BYTES = 2**26
SHOWN_CHARACTERS = 2000
"""Of what a program said before it failed; its end tells most."""
PAUSE_S = 0.05
"""Between looks at whether the lines are still wanted."""
END_S = 1.0
"""At most so long a pipe is waited for that a program's own children hold open."""
_SEED = "MATCAMPAIGN_SEED"


def argv_of(script: str | Sequence[str], folder: Path) -> tuple[str, ...]:
    """Return how a program is started: Python files by this interpreter, others as they are.

    Raises
    ------
    UserError
        When it is not there, or cannot be executed.
    """
    if isinstance(script, str):
        path = folder / Path(script).expanduser()
        if not path.is_file():
            raise UserError(f"there is no file '{script}' (looked from {folder})")
        if path.suffix == ".py":
            return sys.executable, str(path)
        if not os.access(path, os.X_OK):
            raise UserError(
                f"{script}: cannot be executed; `chmod +x` it, or give the words of its command: "
                f"[sh, {script}]"
            )
        return (str(path),)
    program = str(folder / Path(script[0]).expanduser()) if os.sep in script[0] else script[0]
    if shutil.which(program) is None:
        raise UserError(f"there is no program '{script[0]}'")
    return program, *script[1:]


@dataclass(frozen=True)
class Script:
    """One call of a program.

    `name` is what messages call it; `fed` are the lines that it is given; `limit_s` is the longest
    time to wait for a line, and for the end after the last one.
    """

    name: str
    argv: tuple[str, ...]
    folder: Path
    seed: int
    fed: Iterable[str]
    limit_s: float

    def lines(self) -> Generator[str, None, None]:
        """Run the program once and yield the lines that it prints, as they come.

        Raises
        ------
        UserError
            When it fails, is silent for too long, or prints what is no text; with the end of what
            it said on standard error. And what making the lines that it is given raises.
        """
        with contextlib.ExitStack() as stack:
            errors = stack.enter_context(tempfile.TemporaryFile())
            running = _Running(self, self._started(errors))
            # The program ends with its reader, however that ends.
            stack.callback(running.end)
            number = 0
            while (line := running.next(self.limit_s)) is not None:
                if isinstance(line, _Silent):
                    raise UserError(
                        f"{self.name}: printed no line for {self.limit_s:g} s {_after(number)}; "
                        f"raise `line_limit_s` if it needs longer{_said(errors)}"
                    )
                number += 1
                yield self._decoded(line, number)
            running.check_fed()
            code = running.code(self.limit_s)
            if code != 0:
                how = "did not end" if code is None else _ending(code)
                raise UserError(f"{self.name}: {how} {_after(number)}{_said(errors)}")

    def _started(self, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        # Lines that wait in a buffer of the program would look like silence.
        environment = os.environ | {"PYTHONUNBUFFERED": "1", _SEED: str(self.seed)}
        try:
            return subprocess.Popen(
                self.argv,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        except OSError as error:
            raise UserError(f"{self.name}: cannot be started: {error}") from error

    def _decoded(self, line: bytes, number: int) -> str:
        if len(line) >= LONGEST_LINE_BYTES:
            raise UserError(f"{self.name}: line {number} is longer than {LONGEST_LINE_BYTES} bytes")
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise UserError(f"{self.name}: line {number} is no text in UTF-8") from error


class _Silent:
    """There was no line in time."""


class _Running:
    """A program with a thread that feeds it and one that reads it."""

    def __init__(self, script: Script, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._unwanted = Event()
        self._lines: Queue[bytes | None] = Queue(WAITING_LINES)
        self._wrong: list[BaseException] = []
        self._threads = [
            Thread(target=self._feed, args=(script.fed,), daemon=True),
            Thread(target=self._read, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def next(self, limit_s: float) -> bytes | _Silent | None:
        """Return the next line, or None after the last one."""
        try:
            return self._lines.get(timeout=limit_s)
        except Empty:
            return _Silent()

    def check_fed(self) -> None:
        """Raise what making the lines for the program raised."""
        if self._wrong:
            raise self._wrong[0]

    def code(self, limit_s: float) -> int | None:
        """Return the exit code, or None where the program goes on without printing."""
        try:
            return self._process.wait(timeout=limit_s)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        """End the program and all that it started, and the threads."""
        self._unwanted.set()
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for thread in self._threads:
            thread.join(END_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _feed(self, fed: Iterable[str]) -> None:
        stdin = self._process.stdin
        if stdin is None:
            return
        try:
            for line in fed:
                if self._unwanted.is_set():
                    break
                stdin.write(line.encode() + b"\n")
                stdin.flush()
        except OSError:
            pass  # a program need not read all that it is given
        except UserError as error:
            self._wrong.append(error)
        with contextlib.suppress(OSError):
            stdin.close()

    def _read(self) -> None:
        stdout = self._process.stdout
        while stdout and (line := stdout.readline(LONGEST_LINE_BYTES)):
            if not self._put(line):
                return
        self._put(None)

    def _put(self, line: bytes | None) -> bool:
        while not self._unwanted.is_set():
            try:
                self._lines.put(line, timeout=PAUSE_S)
            except Full:
                continue
            return True
        return False


def _after(number: int) -> str:
    return f"after line {number}" if number else "before its first line"


def _ending(code: int) -> str:
    if code < 0:
        return f"was ended by signal {-code}"
    return f"failed with exit code {code}"


def _said(errors: IO[bytes]) -> str:
    """Return the end of what the program said, for a message, or nothing."""
    errors.seek(0, os.SEEK_END)
    errors.seek(max(0, errors.tell() - 4 * SHOWN_CHARACTERS))
    text = errors.read().decode(errors="replace").strip()[-SHOWN_CHARACTERS:]
    return f". It said:\n{text}" if text else ""
