"""What is published from a server is, byte for byte, what is published from the embedded store."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from filled_store import Filling

from fireworks_ext import raw
from fireworks_ext.store import open_store
from runner.publication import Publisher

pytestmark = pytest.mark.slow  # 5 s each

MEMBERS = 150


@pytest.fixture
def stores(mongodb: str, tmp_path: Path) -> tuple[Any, Any]:
    """Return two stores with the same documents, one of them embedded."""
    embedded, server = open_store(str(tmp_path / "store.db")), open_store(mongodb)
    Filling(embedded, "mine", MEMBERS, with_results=True).fill()
    for name in ("campaigns", "candidates", "results", "attempts"):
        getattr(server, name).insert_many(list(getattr(embedded, name).find({})))
    return embedded, server


def test_the_files_are_the_same(
    stores: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.ledger_tables.PAGE", 64)
    found = []
    for number, store in enumerate(stores):
        root = tmp_path / str(number)
        Publisher(store, "mine", root).publish()
        files = sorted(root.rglob("*.parquet"))
        sums = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
        found.append(
            [
                (file.relative_to(root).as_posix(), each)
                for file, each in zip(files, sums, strict=True)
            ]
        )
    assert len(found[0]) == 5
    assert found[0] == found[1]


def test_documents_are_read_as_bytes_alike(stores: tuple[Any, Any]) -> None:
    keys = [one["key"] for one in stores[0].results.find({}, {"key": 1})][:30]
    query = {"key": {"$in": keys}, "engine": "toy"}
    found = []
    for store in stores:
        documents = raw.find(store, "results", query)
        some = [documents[number] for number in range(len(documents))]
        found.append(sorted(some, key=lambda one: str(one["_id"])))
    assert found[0] == found[1]
    assert len(found[0]) == len(keys)


def test_pages_hold_every_candidate_once_in_the_order_of_ids(stores: tuple[Any, Any]) -> None:
    for store in stores:
        pages = list(raw.candidates(store, "mine", {"id": 1}, size=40))
        assert [len(page) for page in pages] == [40, 40, 40, 30]
        ids = [page[number]["id"] for page in pages for number in range(len(page))]
        assert ids == sorted(set(ids))
