"""A dashboard as a process of its own, on a free port, beside a bench's campaign."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

PROGRAM = "from runner.cli import main; main()"
START_S = 60.0
ADDRESS = re.compile(r"(http://[^/\s]+)/(?:\?token=(\S+))?")


@dataclass
class Dashboard:
    """One that answers."""

    address: str
    token: str

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.request("GET", self.address + path, timeout=30, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        options = {"allow_redirects": False, **options}
        return requests.request("POST", self.address + path, timeout=30, **options)

    def act(self, path: str, **form: str) -> requests.Response:
        """Post as a program does that has the token."""
        return self.post(path, data=form, headers={"authorization": f"Bearer {self.token}"})

    def signed_in(self) -> requests.Session:
        """Return a session that has opened the printed address, as a browser does."""
        session = requests.Session()
        session.get(f"{self.address}/?token={self.token}", timeout=30).raise_for_status()
        return session


@dataclass
class Process(Dashboard):
    """One in a process of its own."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def printed(self) -> str:
        return self.log.read_text()


@pytest.fixture
def serve(bench: Any) -> Iterator[Callable[..., Dashboard]]:
    """Return a function that starts a server in this process, on the bench's store."""
    from fireworks_ext.store import open_store
    from runner.dashboard.access import Access
    from runner.dashboard.board import Board
    from runner.dashboard.server import listen, server_of
    from runner.place import place_of

    started: list[tuple[Any, threading.Thread, Any]] = []

    def begin(*chosen: str, is_local: bool = True, read_only: bool = False) -> Dashboard:
        listener = listen("127.0.0.1", 0)
        port = listener.getsockname()[1]
        board = Board(open_store(place_of(None, environ=bench.environ).store), chosen)
        server = server_of(board, Access("a-token", is_local, read_only, port))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        started.append((server, thread, listener))
        return Dashboard(f"http://127.0.0.1:{port}", "a-token")

    yield begin
    for server, thread, listener in started:
        server.handle_exit(signal.SIGINT, None)
        thread.join(20)
        listener.close()
        assert not thread.is_alive()


@pytest.fixture
def start(bench: Any) -> Iterator[Callable[..., Process]]:
    """Return a function that starts `campaign dashboard` on the bench's store."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*words: str) -> Process:
        log = bench.folder / f"dashboard-{len(started)}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, "dashboard", "--port", "0", *words],
                env=os.environ | bench.environ,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        started.append(process)
        deadline = time.monotonic() + START_S
        while "Ctrl-C" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        found = ADDRESS.search(log.read_text())
        assert found, log.read_text()
        return Process(found[1], found[2] or "", process, log)

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Return a function that waits until something holds."""

    def wait(holds: Callable[[], bool], within_s: float = 30.0) -> None:
        deadline = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    return wait
