"""Fixtures: databases on servers, a server that may be killed, and a proxy that may be cut."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from database_servers.ferret import Ferret
from database_servers.missing import Missing
from database_servers.proxy import Proxy
from database_servers.shared import shared

__all__ = [
    "_servers",
    "allowed_commands",
    "any_server",
    "durable",
    "ferret",
    "mongodb",
    "mongodb_tls",
    "proxy",
]

GIVEN = "MATCAMPAIGN_TEST_MONGODB_URI"
"""A server to use instead of our own, for all that neither kills it nor needs its own TLS."""


@dataclass(frozen=True)
class TlsDatabase:
    """A database on a server that speaks TLS only."""

    uri: str
    ca_file: str
    other_ca_file: str
    """Of an authority that did not sign the server's certificate."""


class Durable:
    """A database on a server of the test's own; SIGKILL loses nothing that it acknowledged."""

    def __init__(self, server: Ferret) -> None:
        self._server = server
        self.uri = f"{server.address['uri']}{_new_name()}"

    def kill(self) -> None:
        """End the server and its own database by SIGKILL."""
        self._server.kill()

    def start(self) -> None:
        """Start both again, on the same port."""
        self._server.start()


@pytest.fixture(scope="session")
def _servers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all processes of this session share."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    folder /= "servers"
    folder.mkdir(exist_ok=True)
    return folder


class AllowedCommands:
    """What the listener objected to, in this process and in those that it started."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def objections(self) -> list[str]:
        """Return the objections so far, each once, and forget them."""
        said = self._file.read_text(encoding="utf-8") if self._file.exists() else ""
        self._file.unlink(missing_ok=True)
        return sorted(set(said.splitlines()))


@pytest.fixture
def allowed_commands(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AllowedCommands]:
    """Fail the test when it sends a server what DocumentDB does not document."""
    import documentdb_listener

    file = tmp_path_factory.mktemp("objections") / "objections.txt"
    monkeypatch.setenv(documentdb_listener.FILE, str(file))
    documentdb_listener.register()
    allowed = AllowedCommands(file)
    yield allowed
    assert not (found := allowed.objections()), f"not what DocumentDB documents: {found}"


@pytest.fixture
def mongodb(_servers: Path, allowed_commands: AllowedCommands) -> Iterator[str]:
    """Return the URI of a new database, on the given server or on mongo-java-server."""
    with database(os.environ.get(GIVEN) or _address("java", _servers)["uri"]) as uri:
        yield uri


@pytest.fixture
def ferret(_servers: Path, allowed_commands: AllowedCommands) -> Iterator[str]:
    """Return the URI of a new database on FerretDB, which nobody kills."""
    with database(_address("ferret", _servers)["uri"]) as uri:
        yield uri


@pytest.fixture(params=["mongodb", "ferret"])
def any_server(request: pytest.FixtureRequest) -> str:
    """Return the URI of a new database on each server in turn."""
    uri: str = request.getfixturevalue(request.param)
    return uri


@pytest.fixture
def mongodb_tls(_servers: Path, allowed_commands: AllowedCommands) -> Iterator[TlsDatabase]:
    """Return a new database behind TLS, with the authority that signed for it."""
    found = _address("java", _servers)
    with database(found["tls_uri"], tls=True, tlsCAFile=found["ca_file"]) as uri:
        yield TlsDatabase(uri, found["ca_file"], found["other_ca_file"])


@pytest.fixture
def durable(allowed_commands: AllowedCommands) -> Iterator[Durable]:
    """Return a database on a server that may be killed."""
    try:
        server = Ferret()
    except Missing as error:
        pytest.skip(str(error))
    try:
        yield Durable(server)
    finally:
        server.stop()


@pytest.fixture
def proxy(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    """Return a proxy in front of the server that the test asks for, or of `mongodb`."""
    asked = [name for name in ("durable", "ferret", "any_server") if name in request.fixturenames]
    server = request.getfixturevalue(asked[0] if asked else "mongodb")
    proxy = Proxy(getattr(server, "uri", server))
    try:
        yield proxy
    finally:
        proxy.close()


def _address(name: str, folder: Path) -> dict[str, str]:
    try:
        return shared(name, folder)
    except Missing as error:
        pytest.skip(str(error))


@contextmanager
def database(server: str, **options: Any) -> Iterator[str]:
    """Give the URI of a new database, which is dropped afterwards."""
    from pymongo import MongoClient

    address, _, query = server.partition("?")
    name = _new_name()
    yield f"{address.rstrip('/')}/{name}{query and '?' + query}"
    with MongoClient[dict[str, Any]](server, **options) as client:
        client.drop_database(name)


def _new_name() -> str:
    return f"matcampaign-test-{uuid.uuid4().hex[:12]}"
