"""FerretDB on PostgreSQL: what it acknowledged survives SIGKILL."""

from __future__ import annotations

from pathlib import Path

from database_servers.ferret_program import build
from database_servers.ports import accepts, free_port
from database_servers.postgres import Postgres
from database_servers.process import ServerProcess


class Ferret:
    """A server on a port of its own, which may be killed and started again there."""

    def __init__(self) -> None:
        self._program = build()
        self._postgres = Postgres()
        self._port = free_port()
        self.start(database=False)

    @property
    def address(self) -> dict[str, str]:
        """Where it is."""
        return {"uri": f"mongodb://127.0.0.1:{self._port}/"}

    def start(self, *, database: bool = True) -> None:
        """Start it, and return when it answers."""
        if database:
            self._postgres.start()
        socket = str(self._postgres.folder / "ferret.sock")
        command = [str(self._program), f"127.0.0.1:{self._port}", self._postgres.url, socket]
        self._process = ServerProcess(command, self._postgres.folder / "ferret.log")
        self._process.wait_until(lambda: accepts(self._port))

    def kill(self) -> None:
        """End it and its database by SIGKILL."""
        self._process.kill()
        self._postgres.kill()

    def alive(self) -> bool:
        """Tell whether it runs."""
        return self._process.alive() and self._postgres.alive()

    def stop(self) -> None:
        """End it, and remove what it kept."""
        self._process.kill()  # it keeps nothing itself, and would wait for its clients
        self._postgres.stop()


def server(_: Path) -> Ferret:
    """Return a running one; its files are in a folder of its own, with a short name."""
    return Ferret()
