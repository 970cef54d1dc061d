"""`campaign repair` as its users meet it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fireworks_ext import leases
from fireworks_ext.janitor import sightings
from fireworks_ext.processes import Process, this_process
from runner import repair
from runner.control import controller_lease

SPEC = """
version: 1
campaign: cli
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg], X: [S]}
stages:
  relax: {engine: toy, task: relax}
"""
ELSEWHERE = Process(host="elsewhere", pid=1, started=1)


@pytest.fixture
def run(bench: Any) -> Any:
    return bench.prepare(SPEC)


def left_behind(store: Any) -> str:
    gone = this_process().model_copy(update={"started": 1})
    store.workflows.update_one({}, {"$set": {"locked": {"by": gone.name, "at": 1.0}}})
    return gone.name


def test_each_repair_is_printed_with_its_reason_and_logged(run: Any, call: Any) -> None:
    name = left_behind(run.store)
    code, out, err = call("repair", "cli")
    assert (code, err) == (0, "")
    assert out == f"cli: workflow [1]: its lock was left behind by {name}\n"
    assert call("repair", "cli")[1] == "cli: nothing to repair\n"
    code, out, _ = call("repair", "cli", "--log")
    assert code == 0
    assert "cli: 1 repairs" in out
    assert "workflow [1]" in out


def test_programs_read_the_same_as_json(run: Any, call: Any) -> None:
    left_behind(run.store)
    for words in (("repair", "--all"), ("repair", "cli", "--log")):
        code, out, err = call(*words, "--json")
        assert (code, err) == (0, "")
        envelope = json.loads(out)
        assert envelope["command"] == "repair"
        (found,) = envelope["data"]
        assert found["campaign"] == "cli"
        assert found["repairs"][0]["what"] == "workflow [1]"


def test_a_controller_at_work_is_named(run: Any, call: Any) -> None:
    leases.acquire(run.store, controller_lease("cli"), ELSEWHERE)
    code, out, _ = call("repair", "cli")
    assert code == 0
    assert "a `campaign run` is at work (elsewhere:1:1)" in out


def test_what_may_belong_to_somebody_is_looked_at_again_after_a_minute(
    run: Any, call: Any, monkeypatch: Any
) -> None:
    run.store.workers.insert_one({"_id": ELSEWHERE.name})
    run.store.workflows.update_one({}, {"$set": {"locked": True}})
    out = call("repair", "cli")[1]
    assert "nothing to repair" in out
    assert "with --wait" in out
    monkeypatch.setattr(sightings, "STALE_S", 0.01)
    monkeypatch.setattr(repair, "PAUSE_S", 0.05)
    assert call("repair", "cli", "--wait")[1] == "cli: workflow [1]: its lock was left behind\n"
    assert "locked" not in run.store.workflows.find_one({})


@pytest.mark.parametrize(
    ("words", "message"),
    [((), "found no name"), (("none",), "no campaign 'none' in the store")],
)
def test_mistakes_end_in_a_message(
    run: Any, call: Any, words: tuple[str, ...], message: str
) -> None:
    code, _, err = call("repair", *words)
    assert code == 2
    assert message in err
