"""mongo-java-server on H2: quick to have, and gentle: it commits about once a second."""

from __future__ import annotations

import shutil
from pathlib import Path

from database_servers.cache import built, call
from database_servers.missing import Missing
from database_servers.process import ServerProcess

RECIPE = Path(__file__)


def build() -> Path:
    """Return the folder of jars and classes, made when they are not there (seconds)."""
    for program, part in {"javac": "a JDK (javac)", "java": "Java", "mvn": "Maven (mvn)"}.items():
        if shutil.which(program) is None:
            raise Missing("mongo-java-server", part)
    return built("java", RECIPE, _build)


def _build(sources: Path, folder: Path) -> None:
    shutil.copy(sources / "pom.xml", folder)
    goal = "dependency:copy-dependencies"
    call("mvn", "-q", "-B", goal, "-DoutputDirectory=.", folder=folder)
    call("javac", "-cp", "*", "-d", ".", sources / "Mongod.java", folder=folder)


class Mongod:
    """A running server; its files are in `folder`."""

    def __init__(self, folder: Path) -> None:
        from database_servers.certificates import make_certificates

        classes = build()
        make_certificates(folder)
        files = [folder / name for name in ("data", "server.key", "server.pem")]
        command = ["java", "-Xmx2g", "-cp", f"{classes}:{classes}/*", "Mongod", *map(str, files)]
        self._process = ServerProcess(command, folder / "mongod.log", answers=True)
        self._ports = self._process.first_line().split()
        self._certificates = folder

    @property
    def address(self) -> dict[str, str]:
        """Where it is, with and without TLS."""
        plain, tls = self._ports
        return {
            "uri": f"mongodb://127.0.0.1:{plain}/",
            "tls_uri": f"mongodb://127.0.0.1:{tls}/",
            "ca_file": str(self._certificates / "ca.pem"),
            "other_ca_file": str(self._certificates / "other-ca.pem"),
        }

    def alive(self) -> bool:
        """Tell whether it runs."""
        return self._process.alive()

    def stop(self) -> None:
        """End it; everything acknowledged is in its file."""
        self._process.stop()


server = Mongod
