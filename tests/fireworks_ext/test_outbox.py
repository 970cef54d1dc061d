"""Results on their way to the database: journals, and disks that take none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from fireworks_ext.worker import outbox
from fireworks_ext.worker.loop import Worker
from fireworks_ext.worker.outbox import kept
from fireworks_ext.worker.sessions import open_session

SPEC = """
version: 1
campaign: NAME
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg], X: [ANION]}
stages:
  only: {engine: quick, task: relax}
"""


@pytest.fixture
def both(bench: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Worker]:
    """Return the workers of two campaigns in one process, their stages computed in it."""
    from noop_engine import NoOpEngine

    from schemas.result import Result

    def compute(*_: object) -> Result:
        return Result(values={"value": 1.0}, program="none")

    monkeypatch.setattr(NoOpEngine, "compute", compute, raising=False)
    found = {}
    for name, anion in (("left", "S"), ("right", "Se")):
        spec = SPEC.replace("NAME", name).replace("ANION", anion).replace("quick", "no-op")
        store = bench.prepare(spec).store
        found[name] = Worker(open_session(store, name), name, bench.folder / "launches")
    return found


def away(*_: object, **__: object) -> None:
    raise AutoReconnect("gone")


def test_campaigns_that_share_a_folder_have_journals_of_their_own(
    bench: Any, both: dict[str, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is overwritten and removed by its own campaign alone, whoever delivers first."""
    launches = bench.folder / "launches"
    monkeypatch.setattr(outbox, "deliver", away)
    monkeypatch.setattr(outbox, "keep", lambda *_: None)  # killed before that
    for one in both.values():
        one.turn()
    assert {one.name for one in launches.iterdir()} == {"journal-left.jsonl", "journal-right.jsonl"}
    monkeypatch.undo()
    assert {one.order.campaign for _, one in kept(launches)} == {"left", "right"}
    assert not list(launches.glob("journal*"))


def test_a_journal_that_cannot_be_written_keeps_no_result_from_the_database(
    bench: Any, both: dict[str, Worker]
) -> None:
    launches = bench.folder / "launches"
    launches.write_text("no folder")
    worker = both["left"]
    while worker.turn():
        pass
    results = worker._session.store.results
    assert results.count_documents({}) == 1


def test_what_neither_database_nor_disk_takes_is_delivered_by_its_process_later(
    bench: Any, both: dict[str, Worker]
) -> None:
    Path(bench.folder / "launches").write_text("no folder")
    worker = both["left"]
    with pytest.MonkeyPatch.context() as outage:
        outage.setattr(outbox, "deliver", away)
        worker.turn()
        assert not worker.turn()
    assert len(worker._outbox) == 1
    worker.turn()
    assert worker._session.store.results.count_documents({}) == 1
