"""What pages ask: the same answers as the commands give, also of what is large."""

from __future__ import annotations

from typing import Any

import pytest
from filled_store import Filling

from fireworks_ext.spending import fold_spent
from fireworks_ext.store import open_store
from runner.dashboard.questions import Questions
from runner.dashboard.search import MOST_FOUND, candidate_logs, search
from runner.failures import failures
from runner.logs import logs
from schemas.errors import UserError


@pytest.fixture
def store(tmp_path: Any) -> Any:
    found = open_store(str(tmp_path / "store.db"))
    Filling(found, "filled", 200).fill()
    fold_spent(found, "filled")
    return found


def test_causes_are_those_of_campaign_failures(store: Any) -> None:
    snapshot = Questions(store, "filled").snapshot()
    report = failures(store, "filled")
    assert [(one.name, one.count, one.held) for one in snapshot.causes] == [
        (one.cause, one.count, one.held) for one in report.groups
    ]
    assert dict(snapshot.causes[0].stages) == report.groups[0].stages
    assert snapshot.causes[0].advice
    assert snapshot.causes[0].candidate


def test_a_failure_without_a_name_is_not_lost(store: Any) -> None:
    store.candidates.update_one(
        {"stages.relax.state": "failed"}, {"$set": {"stages.relax.failure": "of_another_version"}}
    )
    found = {one.name: one.count for one in Questions(store, "filled").snapshot().causes}
    assert found["unrecognised"] == 1


def test_nobody_computes_so_no_end_is_foretold(store: Any) -> None:
    snapshot = Questions(store, "filled").snapshot()
    assert snapshot.status.unsettled
    assert not snapshot.is_moving
    assert snapshot.hours_left is None


def test_candidates_are_found_by_formula_and_by_the_beginning_of_an_id(store: Any) -> None:
    some = store.candidates.find_one({"row": 7})
    found = search(store, "filled", "CaTiO3")
    assert len(found.members) == MOST_FOUND
    assert found.more
    assert [one.id for one in search(store, "filled", some["id"][:16]).members] == [some["id"]]
    assert len(search(store, "filled", "CaTi").members) == MOST_FOUND
    for nothing in ("", "  ", "XeF2", "zz", "$where", "{}", "a" * 5000):
        assert not search(store, "filled", nothing).members
    store.candidates.update_one({"_id": some["_id"]}, {"$set": {"member": False}})
    assert not search(store, "filled", some["id"][:16]).members


def test_logs_are_those_of_campaign_logs(store: Any) -> None:
    some = store.candidates.find_one({"row": 7})
    assert candidate_logs(store, "filled", some["id"]) == logs(store, "filled", some["id"])
    with pytest.raises(UserError):
        candidate_logs(store, "filled", some["id"][:10])
