"""PostgreSQL in a folder of its own, reached by a socket in it."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

from database_servers.missing import Missing
from database_servers.process import POLL_S, ServerProcess

SHORT_PLACE = "/tmp"  # noqa: S108  (names of sockets end at 107 characters; TMPDIR may be longer)
QUIET = ("-c", "listen_addresses=", "-c", "max_connections=520", "-c", "shared_buffers=64MB")
# What was written survives the end of a process; only the end of the machine is not prepared for.
CARELESS = ("-c", "fsync=off", "-c", "full_page_writes=off")


def programs() -> Path:
    """Return the folder of PostgreSQL's own programs."""
    found = shutil.which("initdb")
    if found is not None and (Path(found).resolve().parent / "pg_isready").exists():
        return Path(found).resolve().parent
    # Debian keeps them off PATH, by version.
    folders = [one.parent for one in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not folders:
        raise Missing("FerretDB's database", "PostgreSQL (initdb, postgres)")
    return max(folders, key=lambda folder: int(re.sub(r"\D", "", folder.parent.name) or 0))


class Postgres:
    """A cluster made anew, which may be killed and started again."""

    def __init__(self) -> None:
        self._programs = programs()
        self._user = _user()
        self.folder = Path(tempfile.mkdtemp(prefix="matcampaign-", dir=SHORT_PLACE))
        if self._user:
            shutil.chown(self.folder, self._user)
        self._data = self.folder / "data"
        command = [self._programs / "initdb", "--no-sync", "--encoding=UTF8", "--locale=C"]
        subprocess.run(
            [*command, "--auth=trust", "--username=postgres", "--pgdata", self._data],
            user=self._user,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        self.start()

    @property
    def url(self) -> str:
        """Where it is, in its own words."""
        # FerretDB holds a connection for every update of a bulk until all are done: with fewer than
        # those it waits for itself.
        return f"postgres://postgres@/postgres?host={self.folder}&pool_max_conns=500"

    def start(self) -> None:
        """Start it, and return when it answers."""
        server = [str(self._programs / "postgres"), "-D", str(self._data)]
        server += ["-k", str(self.folder), *QUIET, *CARELESS]
        # The server follows no input. The shell does, and clears away when nobody is left.
        follow = (
            '"$@" </dev/null & cat >/dev/null; while kill -INT $!; do sleep 0.1; done 2>/dev/null'
        )
        command = ["sh", "-c", f'{follow}; rm -rf "$0"', str(self.folder), *server]
        self._process = ServerProcess(command, self.folder / "postgres.log", user=self._user)
        self._process.wait_until(self._answers)

    def kill(self) -> None:
        """End all its processes by SIGKILL."""
        shell = psutil.Process(self._process.pid)
        for one in (victims := [shell, *shell.children(recursive=True)]):
            with suppress(psutil.NoSuchProcess):  # some end with the one before
                one.kill()
        self._process.kill()
        while any(_runs(one) for one in victims):
            time.sleep(POLL_S)
        # Whose process id they name is dead for sure, even where nobody has taken note of it.
        for lock in [self._data / "postmaster.pid", *self.folder.glob(".s.PGSQL.*.lock")]:
            lock.unlink(missing_ok=True)

    def alive(self) -> bool:
        """Tell whether it runs."""
        return self._process.alive()

    def stop(self) -> None:
        """End it and remove its folder."""
        if self.alive():
            self._process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        command = [self._programs / "pg_isready", "-q", "-U", "postgres", "-h", self.folder]
        return subprocess.run(command, check=False).returncode == 0


def _user() -> str | None:
    """Return whose name the server gets: it refuses to be root's."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return "nobody"


def _runs(process: psutil.Process) -> bool:
    """Tell whether a process runs; who adopted it may take a while to take note of its end."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
