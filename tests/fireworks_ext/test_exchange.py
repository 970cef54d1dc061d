"""The exchange folder: what controller and pilots write for each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fireworks_ext.folders.exchange import Begun, Exchange, PilotOrder, Report
from fireworks_ext.folders.offline import read_result
from fireworks_ext.processes import this_process
from runner import workers
from schemas.errors import UserError
from schemas.queue import Allocation

SPEC = """
version: 1
campaign: travels
space:
  - {kind: prototype, prototype: rocksalt, species: {A: [Mg], X: [S]}}
stages:
  only: {engine: no-op, task: relax}
"""


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    made = Exchange(tmp_path / "exchange")
    made.make()
    return made


def report(job: str, host: str = "node1", **more: Any) -> Report:
    used = {"cores": 4, "seconds": 10.0, "busy_core_s": 30.0, "program_cpu_s": 20.0}
    return Report(job=job, host=host, at=1.0, stages=3, **used, **more)


def test_a_result_is_there_before_it_is_announced(
    bench: Any, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.prepare(SPEC)
    (place,) = workers.hand_over(run.store, "travels", exchange.stages, 1)
    (delivery,) = carried_out(exchange)
    (place / "result.json").unlink()
    seen: list[bool] = []
    mark = Exchange.mark

    def watched(self: Exchange, stage: str) -> None:
        seen.append(read_result(place) == delivery)
        mark(self, stage)

    monkeypatch.setattr(Exchange, "mark", watched)
    exchange.finish(place, delivery)
    assert seen == [True]
    assert exchange.done_names() == {place.name}
    exchange.forget(place.name)
    exchange.forget(place.name)
    assert exchange.done_names() == set()


def carried_out(exchange: Exchange) -> list[Any]:
    done: list[Any] = []
    workers.work_offline(exchange.stages, done.append)
    return done


def test_what_pilots_of_a_job_say_is_read_back(exchange: Exchange) -> None:
    exchange.give_order("large", PilotOrder(own_only=True))
    allocation = Allocation(job="12_3", index=3, restarts=1, cores=4)
    begun = Begun(allocation=allocation, process=this_process(), host="node1", began_at=1.0)
    exchange.begin("large", begun)
    for host in ("node1", "node2", "node1"):
        exchange.report("large", report("12_3", host, restarts=1))
    assert exchange.order("large").own_only
    assert exchange.begun("large") == [begun]
    assert [one.host for one in exchange.reports("large")] == ["node1", "node2"]
    assert exchange.reports("another") == []
    assert exchange.own("large", 3) != exchange.own("large") == exchange.own("large", 0)


def test_the_ends_of_scripts_are_told_from_their_names(exchange: Exchange) -> None:
    folder = exchange.job("many")
    folder.mkdir()
    (folder / "ended-12_3-0.json").write_text(json.dumps({"exit": 0, "at": 5}))
    (folder / "ended-12_3-1.json").write_text(json.dumps({"exit": 9, "at": 7}))
    (folder / "ended-13-0.json.new").write_text(json.dumps({"exit": 0, "at": 5}))
    (folder / "ended-14-0.json").write_text('{"exit": 0, ')
    found = sorted((one.job, one.restarts, one.exit, one.at) for one in exchange.ended("many"))
    assert found == [("12_3", 0, 0, 5.0), ("12_3", 1, 9, 7.0)]


def test_records_of_another_version_are_left_out(exchange: Exchange) -> None:
    exchange.give_order("large", PilotOrder())
    exchange.report("large", report("1"))
    (exchange.job("large") / "report-2-0-node1.json").write_text('{"cores": 3}')
    assert [one.job for one in exchange.reports("large")] == ["1"]


def test_an_order_that_is_none_is_refused_in_words(exchange: Exchange) -> None:
    with pytest.raises(UserError, match="campaign run"):
        exchange.order("nobody")
    exchange.give_order("large", PilotOrder())
    (exchange.job("large") / "pilot.json").write_text("{}}")
    with pytest.raises(UserError, match=r"pilot\.json: found something else"):
        exchange.order("large")


def test_pilots_are_asked_to_leave_until_they_may_stay(exchange: Exchange) -> None:
    assert not exchange.is_leaving()
    exchange.ask_to_leave()
    assert exchange.is_leaving()
    exchange.let_stay()
    exchange.let_stay()
    assert not exchange.is_leaving()
