"""One server for all test processes of a session: started by the first, ended after the last.

Whoever uses it holds a shared lock on `NAME.users` for as long as it lives; the process that keeps
the server ends it when it can have that lock for itself. A lock goes with its process, so nothing
is left behind whoever is killed.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any, Protocol

from database_servers.cache import locked
from database_servers.process import START_S

POLL_S = 0.1
MODULES = {
    "java": "database_servers.mongod",
    "ferret": "database_servers.ferret",
    "trino": "trino_server.server",
}
"""Server -> the module with its `build()` and `server(folder)`."""
_held: dict[Path, IO[str]] = {}


class Server(Protocol):
    """What can be kept."""

    @property
    def address(self) -> dict[str, str]:
        """Where it is."""

    def alive(self) -> bool:
        """Tell whether it runs."""

    def stop(self) -> None:
        """End it."""


def shared(name: str, folder: Path) -> dict[str, str]:
    """Return the address of the session's server of that name, started when nobody has yet.

    `folder` is the same for all processes that are to share it.

    Raises
    ------
    Missing
        When a part of it is not installed.
    """
    _module(name).build()
    users = folder / f"{name}.users"
    if users not in _held:
        _held[users] = users.open("a")
        fcntl.flock(_held[users], fcntl.LOCK_SH)
    with locked(folder / f"{name}.start"):
        if not _address(name, folder):
            _start(name, folder)
        return _address(name, folder)


def _module(name: str) -> Any:
    return importlib.import_module(MODULES[name])


def _start(name: str, folder: Path) -> None:
    log = folder / f"{name}.log"
    with log.open("ab") as file:
        command = [sys.executable, "-m", "database_servers", "keep", name, str(folder)]
        plugins = Path(__file__).parents[1]
        keeper = subprocess.Popen(
            command,
            cwd="/",
            env={**os.environ, "PYTHONPATH": str(plugins)},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    until = time.monotonic() + START_S
    while not _address(name, folder):
        if keeper.poll() is not None or time.monotonic() > until:
            raise RuntimeError(log.read_text(errors="replace")[-4000:])
        time.sleep(POLL_S)
    # It outlives this process when others still use the server: nobody waits for it.
    keeper.returncode = 0


def _address(name: str, folder: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads((folder / f"{name}.json").read_text())
    except FileNotFoundError:
        return {}
    return found


def keep(name: str, folder: Path) -> None:
    """Run a server until nobody uses it any more: the body of the process that keeps it."""
    files = folder / name
    files.mkdir(exist_ok=True)
    server: Server = _module(name).server(files)
    address, new = folder / f"{name}.json", folder / f"{name}.new"
    try:
        new.write_text(json.dumps(server.address))
        new.rename(address)
        with (folder / f"{name}.users").open("a") as users:
            while server.alive() and not _alone(users):
                time.sleep(POLL_S)
            # Still holding the lock: who comes now waits, finds no address and starts another.
            address.unlink(missing_ok=True)
    finally:
        server.stop()


def _alone(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
