"""What is published in pages and in parts is what publishing everything at once gives."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from filled_store import STAGES, Filling

from fireworks_ext import ledger
from fireworks_ext.store import open_store
from runner import publication
from runner.export.manifest import read_manifest
from runner.export.rows import arrow_table
from runner.ledger_rows import result_rows, task_columns
from runner.publication import Publisher
from schemas.errors import UserError
from schemas.structure import Structure
from schemas.tables import fixed_columns

MEMBERS = 120


@pytest.fixture
def store(tmp_path: Path) -> Any:
    opened = open_store(str(tmp_path / "store.db"))
    for name in ("mine", "mine-too"):
        Filling(opened, name, MEMBERS, with_results=True).fill()
    return opened


def tables(root: Path, campaign: str = "mine") -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every partition of a campaign."""
    return {
        path: [row for file in one.files for row in pq.ParquetFile(root / file).read().to_pylist()]
        for path, one in read_manifest(root).partitions.items()
        if one.values["campaign"] == campaign
    }


def versions(root: Path) -> dict[str, str]:
    return {path: one.version for path, one in read_manifest(root).partitions.items()}


def test_every_settled_stage_and_every_attempt_has_its_row(store: Any, tmp_path: Path) -> None:
    Publisher(store, "mine", tmp_path).publish()
    found = tables(tmp_path)
    rows = list(result_rows(store, "mine"))
    assert len(rows) > MEMBERS
    for stage in STAGES:
        mine = [row for row in rows if row["stage"] == stage]
        published = found[f"results/campaign=mine/stage={stage}"]
        assert [one["candidate_id"] for one in published] == [one["candidate_id"] for one in mine]
        assert [one["value"] for one in published] == [one.get("value") for one in mine]
    attempts = found["attempts/campaign=mine"]
    assert len(attempts) == store.attempts.count_documents({"campaign": "mine"})
    ids = [one["candidate_id"] for one in attempts]
    assert ids == sorted(ids)


def test_what_is_published_from_bytes_are_the_rows_that_people_are_shown(
    store: Any, tmp_path: Path
) -> None:
    make_irregular(store)
    Publisher(store, "mine", tmp_path).publish()
    found = tables(tmp_path)
    for stage in STAGES:
        columns = (*fixed_columns("results"), *task_columns({"engine": "toy", "task": "scf"}))
        rows = [row for row in result_rows(store, "mine") if row["stage"] == stage]
        kept = tuple(one for one in columns if one.name not in {"campaign", "stage"})
        known = {one.name for one in kept}
        shown = [{name: row[name] for name in row.keys() & known} for row in rows]
        expected = arrow_table(shown, kept).to_pylist()
        assert found[f"results/campaign=mine/stage={stage}"] == expected


def make_irregular(store: Any) -> None:
    """Let some results, candidates and attempts look as few do."""
    results = list(store.results.find({"campaign": "mine"}).sort("_id", 1))
    change = {"failure": "scf_not_converged", "action": "smaller mixing_beta", "parameter": None}
    fixed = [{**change, "before": {"b": 0.7, "a": [1, None]}, "after": 0.3}]
    for one, changed in zip(
        results,
        (
            {"values": {}},
            {"values": {"value": None}},
            {"values": {"value": 3}, "structure": None},
            {"structure": Structure.model_validate(one_of(results)).flat()},
            {"recovery": fixed},
        ),
        strict=False,
    ):
        store.results.update_one({"_id": one["_id"]}, {"$set": changed})
    for one, campaign in zip(results[10:12], ("mine", "elsewhere"), strict=True):
        deviation = {"deviation": "d" * 8, "campaign": campaign, "program": "other 2.0"}
        store.results.insert_one({**one, "_id": f"{one['_id']}:{campaign}", **deviation})
    store.results.delete_one({"_id": results[12]["_id"]})
    fail_again(store)


def one_of(results: list[dict[str, Any]]) -> Any:
    return results[0]["structure"]


def test_the_size_of_pages_makes_no_other_version(
    store: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    Publisher(store, "mine", tmp_path / "whole").publish()
    monkeypatch.setattr("runner.ledger_tables.PAGE", 7)
    monkeypatch.setattr("runner.export.partition_writer.ROWS_PER_GROUP", 16)
    Publisher(store, "mine", tmp_path / "parts").publish()
    campaign = "campaigns/campaign=mine"
    whole, parts = versions(tmp_path / "whole"), versions(tmp_path / "parts")
    assert {k: v for k, v in whole.items() if k != campaign} == {
        k: v for k, v in parts.items() if k != campaign
    }
    assert tables(tmp_path / "whole") == tables(tmp_path / "parts")


def test_a_publisher_looks_only_at_partitions_that_have_changed(
    store: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(publication, "MARGIN", publication.MARGIN * 0)
    publisher = Publisher(store, "mine", tmp_path)
    publisher.publish()
    looked: list[str] = []
    publishing = publication.publishing

    def noted(root: Path, table: str, partition: dict[str, str], columns: Any) -> Any:
        looked.append(partition.get("stage", table))
        return publishing(root, table, partition, columns)

    monkeypatch.setattr(publication, "publishing", noted)
    publisher.publish()
    assert looked == []
    fail_again(store)
    publisher.publish()
    assert sorted(looked) == ["attempts", "relax"]
    assert tables(tmp_path) == fresh(store, tmp_path)


def fail_again(store: Any) -> None:
    """Let one that failed fail again, so that as many stand there as before."""
    failed = store.candidates.find_one({"campaign": "mine", "stages.relax.state": "failed"})
    key = failed["stages"]["relax"]["key"]
    first = store.attempts.find_one({"key": key})
    number = 1 + store.attempts.count_documents({"key": key})
    opened = {"_id": f"{key}:{number}", "attempt": number, "outcome": "running"}
    store.attempts.insert_one({**first, **opened, "recorded_at": None})
    ledger.end_attempt(store, key, number, outcome="failed", walltime_s=7.0, core_hours=1.0)


def fresh(store: Any, tmp_path: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the tables as they are published from nothing."""
    root = tmp_path / "fresh"
    Publisher(store, "mine", root).publish()
    return tables(root)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_published_in_parts_is_what_is_there_after_any_history(
    store: Any, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    publisher = Publisher(store, "mine", tmp_path)
    for _ in range(6):
        for _ in range(chance.randrange(4)):
            row, stage = chance.randrange(MEMBERS), chance.choice(STAGES)
            state = chance.choice(["skipped", "ready", "running", "blocked"])
            store.candidates.update_one(
                {"campaign": "mine", "row": row}, {"$set": {f"stages.{stage}.state": state}}
            )
        if chance.random() < 0.5:
            fail_again(store)
        if chance.random() < 0.3:
            gone = {"campaign": "mine", "row": chance.randrange(MEMBERS)}
            store.candidates.update_one(gone, {"$set": {"member": False}})
        publisher.publish()
    assert tables(tmp_path) == fresh(store, tmp_path)


def test_a_row_that_does_not_fit_leaves_all_tables_as_they_were(store: Any, tmp_path: Path) -> None:
    Publisher(store, "mine", tmp_path).publish()
    before = versions(tmp_path)
    last = store.candidates.find({"campaign": "mine", "stages.scf.state": "ok"}).sort("_id", -1)
    key = next(iter(last))["stages"]["scf"]["key"]
    store.results.update_one({"key": key}, {"$set": {"values.value": "text"}})
    with pytest.raises(UserError, match="column 'value' takes float"):
        Publisher(store, "mine", tmp_path).publish()
    now = versions(tmp_path)
    assert {k: v for k, v in now.items() if not k.startswith("campaigns")} == {
        k: v for k, v in before.items() if not k.startswith("campaigns")
    }


def test_publishing_takes_a_small_share_of_the_time(
    store: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    publisher = Publisher(store, "mine", tmp_path)
    now = [0.0]
    monkeypatch.setattr(publication.time, "monotonic", lambda: now[0])
    add = publication.Publisher._publish

    def slow(self: Any, *args: Any) -> None:
        add(self, *args)
        now[0] += 30.0

    monkeypatch.setattr(publication.Publisher, "_publish", slow)
    assert publisher.is_due()
    publisher.publish()
    now[0] += 30.0 / publication.PUBLISH_SHARE - 1.0
    assert not publisher.is_due()
    now[0] += 2.0
    assert publisher.is_due()
