"""Trino as a program: its server and the plug-in that reads tables of Glue, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from zipfile import ZipFile

from database_servers.cache import built, call
from database_servers.missing import Missing

from trino_server.java import find_java

RECIPE = Path(__file__)
VERSION = "476"
SERVER = f"trino-server-core-{VERSION}"
PLUGIN = f"trino-hive-{VERSION}"


def build() -> Path:
    """Return the folder with `lib/` and `plugin/hive/`, fetched when it is not there (minutes).

    Raises
    ------
    NoJava
        Where nothing could run it.
    Missing
        Where it cannot be fetched.
    """
    find_java()
    if shutil.which("mvn") is None:
        raise Missing("Trino", "Maven (mvn)")
    return built("trino", RECIPE, _build, sources=RECIPE.parent)


def _build(sources: Path, folder: Path) -> None:
    """Fetch into a repository of its own: half a gigabyte that no other build will ask for."""
    shutil.copy(sources / "pom.xml", folder)
    fetched = folder / "fetched"
    fetched.mkdir()
    repository = f"-Dmaven.repo.local={folder / 'repository'}"
    goal = ("dependency:copy", f"-DoutputDirectory={fetched}")
    call("mvn", "-q", "-B", repository, *goal, folder=folder)
    call("tar", "-xzf", f"{SERVER}.tar.gz", folder=fetched)
    (fetched / SERVER / "lib").rename(folder / "lib")
    # shutil leaves out files with two dots in a row in their names, as Trino shortens names.
    with ZipFile(fetched / f"{PLUGIN}.zip") as archive:
        archive.extractall(folder / "plugin")
    for path in (fetched, folder / "repository"):
        shutil.rmtree(path)
