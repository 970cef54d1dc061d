"""One Trino process: no catalog at first, everybody makes one over servers of their own."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from database_servers.ports import free_port
from database_servers.process import ServerProcess

from trino_server.client import Trino
from trino_server.java import find_java
from trino_server.program import build

MEMORY = "-Xmx1G"
FLAGS = (
    MEMORY,
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # what runs for a minute is not worth the better compiler
    "-XX:+ExitOnOutOfMemoryError",
    "-Djdk.attach.allowAttachSelf=true",
    "--add-modules=jdk.incubator.vector",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
)
# It ends when its input does: so it never outlives whoever started it.
ENDS_WITH_INPUT = 'exec 3<&0; (cat <&3 >/dev/null; kill $$) & exec "$@" 3<&- </dev/null'
ANSWER_TIMEOUT_S = 5


class TrinoServer:
    """A running server; its files are in `folder`."""

    def __init__(self, folder: Path) -> None:
        program = build()
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        configuration = folder / "config.properties"
        configuration.write_text(_configuration(port, self._url, program))
        node = {"environment": "test", "id": uuid.uuid4().hex, "data-dir": str(folder)}
        named = [f"-Dnode.{name}={value}" for name, value in node.items()]
        named.append(f"-Djava.io.tmpdir={folder}")  # libraries that it unpacks
        named += ["-Dnode.internal-address=127.0.0.1", "-Dnode.bind-ip=127.0.0.1"]
        java = [str(find_java()), *FLAGS, *named, f"-Dconfig={configuration}"]
        command = [*java, "-cp", f"{program}/lib/*", "io.trino.server.TrinoServer"]
        self._process = ServerProcess(
            ["sh", "-c", ENDS_WITH_INPUT, "sh", *command], folder / "trino.log"
        )
        self._process.wait_until(self._answers)

    @property
    def address(self) -> dict[str, str]:
        """Where it is."""
        return {"uri": self._url}

    def alive(self) -> bool:
        """Tell whether it runs."""
        return self._process.alive()

    def stop(self) -> None:
        """End it."""
        self._process.stop()

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self._url}/v1/info", timeout=ANSWER_TIMEOUT_S) as response:  # noqa: S310  (our own server)
                return json.load(response)["starting"] is False
        except (URLError, TimeoutError, ConnectionError):
            return False


server = TrinoServer


def _configuration(port: int, url: str, program: Path) -> str:
    settings = {
        "coordinator": "true",
        "node-scheduler.include-coordinator": "true",
        "http-server.http.port": port,
        "http-server.log.enabled": "false",
        "discovery.uri": url,
        "plugin.dir": program / "plugin",
        "catalog.management": "dynamic",
        "catalog.store": "memory",
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


@contextmanager
def catalog(
    url: str, schema: str, *, endpoint: str, region: str, name: str | None = None
) -> Iterator[Trino]:
    """Give a Trino that reads a Glue database through servers of this machine.

    Credentials are what such servers take: anything.
    """
    name = name or f"lake_{uuid.uuid4().hex[:12]}"
    settings = {
        "hive.metastore": "glue",
        "hive.metastore.glue.region": region,
        "hive.metastore.glue.endpoint-url": endpoint,
        "hive.metastore.glue.aws-access-key": "for-tests",
        "hive.metastore.glue.aws-secret-key": "for-tests",
        "hive.table-statistics-enabled": "false",  # moto has none, and is asked again and again
        "fs.native-s3.enabled": "true",
        "s3.endpoint": endpoint,
        "s3.region": region,
        "s3.path-style-access": "true",
        "s3.aws-access-key": "for-tests",
        "s3.aws-secret-key": "for-tests",
    }
    listed = ", ".join(f"\"{key}\" = '{value}'" for key, value in settings.items())
    Trino(url).ask(f"CREATE CATALOG {name} USING hive WITH ({listed})")
    try:
        yield Trino(url, name, schema)
    finally:
        Trino(url).ask(f"DROP CATALOG {name}")
