"""Published tables that the tests of this folder read: made once, never changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from synthetic_tables import publish_campaign

from runner.report.published import Published


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the tables of two campaigns."""
    root = tmp_path_factory.mktemp("tables")
    publish_campaign(root, "made-up", 300)
    publish_campaign(root, "other", 40, seed=2)
    publish_campaign(root, "curves", 40, seed=3, spectra=9)
    publish_campaign(root, "priced", 40, seed=4, price=0.05)
    return root


@pytest.fixture
def published(tables: Path) -> Iterator[Published]:
    with Published([tables], "made-up") as one:
        yield one
