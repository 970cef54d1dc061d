"""Counts, sums, publication and repairs on servers give what they give on the embedded store."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from filled_store import Filling

from fireworks_ext import spending
from fireworks_ext.artefacts import Artefacts
from fireworks_ext.janitor.repairs import logged
from fireworks_ext.janitor.round import Janitor
from fireworks_ext.store import open_store
from runner.export.manifest import read_manifest
from runner.failures import failures
from runner.monitor import status
from runner.publication import Publisher

pytestmark = pytest.mark.slow  # 5 s each

MEMBERS = 60


@pytest.fixture
def stores(mongodb: str, tmp_path: Path) -> tuple[Any, Any]:
    """Return two stores that hold the same, one of them embedded."""
    made = (open_store(mongodb), open_store(str(tmp_path / "store.db")))
    for store in made:
        Filling(store, "mine", MEMBERS, with_results=True).fill()
        Filling(store, "other", 5).fill()
        store.workers.insert_one({"_id": "elsewhere:1:1"})
    return made


def test_counts_sums_and_failures_are_the_same(stores: tuple[Any, Any]) -> None:
    shown = []
    for store in stores:
        now = status(store, "mine")
        every = sum(one["core_hours"] for one in store.attempts.find({"campaign": "mine"}))
        assert now.core_hours == pytest.approx(every)
        spending.fold_spent(store, "mine")
        assert spending.spent(store, "mine").core_hours == pytest.approx(every)
        groups = [(one.cause, one.count, one.blocked) for one in failures(store, "mine").groups]
        shown.append((now.stages, now.failures, now.pending, groups))
    assert shown[0] == shown[1]


def test_tables_are_the_same(stores: tuple[Any, Any], tmp_path: Path) -> None:
    found = []
    for number, store in enumerate(stores):
        root = tmp_path / str(number)
        Publisher(store, "mine", root).publish()
        found.append(
            {
                path: pq.ParquetFile(root / one.files[0]).read(columns=["outcome"]).num_rows
                for path, one in read_manifest(root).partitions.items()
                if one.table != "campaigns"
            }
        )
    assert found[0] == found[1]
    assert sum(found[0].values()) > 2 * MEMBERS


def test_the_janitor_finds_the_same_and_puts_it_right(
    stores: tuple[Any, Any], tmp_path: Path
) -> None:
    reasons = []
    for store in stores:
        janitor = Janitor(store, "mine", Artefacts(tmp_path))
        assert janitor.clean(thorough=True).repairs == []
        store.workers.delete_many({})
        leave_things_behind(store)
        janitor.clean()
        janitor.clean(thorough=True)
        assert janitor.clean(thorough=True).repairs == []
        reasons.append(sorted({one.reason for one in logged(store, "mine")}))
    assert reasons[0] == reasons[1]
    assert len(reasons[0]) >= 5


def leave_things_behind(store: Any) -> None:
    """Do what kills at different moments do."""
    ready = {"state": "READY", "spec.campaign": "mine"}
    found = list(store.fireworks.find(ready, {"fw_id": 1}).sort("fw_id", 1).limit(4))
    ids = [one["fw_id"] for one in found]
    store.fireworks.update_one({"fw_id": ids[0]}, {"$set": {"state": "RESERVED"}})
    store.workflows.update_one({"nodes": ids[1]}, {"$set": {"locked": True}})
    store.workflows.update_one(
        {"nodes": ids[2]}, {"$set": {"locked": {"by": "gone", "at": time.time()}}}
    )
    store.workflows.delete_one({"nodes": ids[3]})
    done = store.candidates.find_one({"campaign": "mine", "stages.relax.state": "ok",
                                      "stages.relax.cached": False})  # fmt: skip
    running = {"$set": {"stages.relax.state": "running"}}
    store.candidates.update_one({"_id": done["_id"]}, running)
    waiting = {"state": "WAITING", "spec._waits_for": "nobody's key"}
    one = store.fireworks.find_one({"state": "READY", "spec.campaign": "mine"}, {"fw_id": 1})
    store.fireworks.update_one(
        {"fw_id": one["fw_id"]},
        {"$set": {**waiting, "spec.key": "nobody's key", "spec.order.key": "nobody's key"}},
    )
