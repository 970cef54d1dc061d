"""Fixtures: one Trino for all processes of a test session, and one that reads the battery."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from database_servers.missing import Missing
from database_servers.shared import shared

from trino_server.client import Trino
from trino_server.java import NoJava
from trino_server.lake import battery_lake

__all__ = ["battery_trino", "trino_url"]


@pytest.fixture(scope="session")
def trino_url(_servers: Path) -> str:
    """Return the URL of a Trino without catalogs; the test is skipped where there is no Java."""
    try:
        return shared("trino", _servers)["uri"]
    except (Missing, NoJava) as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def battery_trino(trino_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trino]:
    """Return a Trino that reads the tables of the battery."""
    with battery_lake(tmp_path_factory.mktemp("battery"), trino_url) as trino:
        yield trino
