"""What a campaign has spent is the sum of its attempts, however it is added up."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fireworks_ext import ledger, spending
from fireworks_ext.spending import Meter, Spent, fold_spent, spent
from fireworks_ext.store import open_store

START = datetime(2026, 11, 21, 12, 34, 56)  # noqa: DTZ001  (stored times are naive UTC)


class Clock:
    """The time as the code under test sees it."""

    now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: Any) -> Clock:
    made = Clock()
    monkeypatch.setattr(spending, "utc_now", made)
    monkeypatch.setattr(ledger, "utc_now", made)
    return made


@pytest.fixture
def store(tmp_path: Path) -> Any:
    opened = open_store(str(tmp_path / "store.db"))
    opened.campaigns.insert_many([{"_id": "mine"}, {"_id": "other"}])
    return opened


def begin(store: Any, number: int, campaign: str = "mine") -> None:
    document = {"_id": f"key:{number}", "campaign": campaign, "key": "key", "outcome": "running"}
    store.attempts.insert_one({**document, "core_hours": 0.0, "recorded_at": None})


def end(store: Any, number: int, hours: float) -> None:
    ledger.end_attempt(store, "key", number, outcome="ok", core_hours=hours)


def every(store: Any, campaign: str = "mine") -> float:
    return sum(one["core_hours"] for one in store.attempts.find({"campaign": campaign}))


@pytest.mark.parametrize("seed", range(5))
def test_all_ways_of_adding_up_agree_after_any_history(store: Any, clock: Clock, seed: int) -> None:
    chance = random.Random(seed)
    meter, running = Meter(store, "mine"), []
    for number in range(150):
        clock.advance(chance.choice([0.0, 0.5, 20.0, 70.0, 700.0, 4000.0]))
        begin(store, number, chance.choice(["mine", "mine", "other"]))
        running.append(number)
        if chance.random() < 0.8:
            end(store, running.pop(chance.randrange(len(running))), chance.random())
        if chance.random() < 0.3:
            fold_spent(store, "mine")
        assert spent(store, "mine").core_hours == pytest.approx(every(store))
        assert meter.spent().core_hours == pytest.approx(every(store))
    assert store.campaigns.find_one({"_id": "mine"})["spent"]["core_hours"] > 0


def test_attempts_of_before_the_time_of_records_are_counted_once(store: Any, clock: Clock) -> None:
    store.attempts.insert_one({"_id": "old", "campaign": "mine", "core_hours": 2.0})
    assert spent(store, "mine").core_hours == 2.0
    fold_spent(store, "mine")
    clock.advance(3600.0)
    fold_spent(store, "mine")
    assert spent(store, "mine").core_hours == 2.0


def test_a_record_with_a_clock_that_is_behind_is_counted_when_the_sum_is_folded(
    store: Any, clock: Clock
) -> None:
    meter = Meter(store, "mine")
    meter.spent()
    clock.advance(-300.0)
    begin(store, 1)
    end(store, 1, 1.0)
    clock.advance(600.0)
    fold_spent(store, "mine")
    assert spent(store, "mine").core_hours == 1.0
    clock.advance(600.0)
    fold_spent(store, "mine")
    assert meter.spent().core_hours == spent(store, "mine").core_hours == 1.0


def test_of_two_that_fold_one_writes(store: Any, clock: Clock, monkeypatch: Any) -> None:
    begin(store, 1)
    end(store, 1, 1.0)
    clock.advance(3600.0)
    before = spending._folded
    fold_spent(store, "mine")
    monkeypatch.setattr(spending, "_folded", lambda *_: None)  # what the slower one read
    fold_spent(store, "mine")
    monkeypatch.setattr(spending, "_folded", before)
    assert spent(store, "mine").core_hours == 1.0


def test_one_who_asks_again_reads_only_what_may_have_changed(
    store: Any, clock: Clock, monkeypatch: Any
) -> None:
    for number in range(50):
        begin(store, number)
        end(store, number, 1.0)
        clock.advance(10.0)
    read: list[int] = []
    find = type(store.attempts).find

    def counted(self: Any, *args: Any, **options: Any) -> Any:
        found = list(find(self, *args, **options))
        read.append(len(found))
        return iter(found)

    meter = Meter(store, "mine")
    assert meter.spent().core_hours == 50.0
    monkeypatch.setattr(type(store.attempts), "find", counted)
    assert meter.spent().core_hours == 50.0
    assert sum(read) < 15


def test_each_attempt_is_paid_at_the_price_at_which_it_ran(store: Any, clock: Clock) -> None:
    prices = {"a": 0.05, "b": 0.5, "c": None}
    store.attempts.insert_many(
        [
            {"_id": name, "campaign": "mine", "core_hours": 2.0, "usd_per_core_hour": price}
            for name, price in prices.items()
        ]
    )
    paid = Spent(core_hours=6.0, usd=pytest.approx(1.1))
    assert spent(store, "mine") == paid
    fold_spent(store, "mine")
    clock.advance(3600.0)
    fold_spent(store, "mine")
    assert spent(store, "mine") == paid


@pytest.mark.parametrize(
    ("limits", "over"),
    [
        ({"core_hours": 2.5, "usd": 0.2}, False),
        ({"core_hours": 2.0, "usd": 0.2}, True),
        ({"core_hours": None, "usd": 0.1}, True),
        ({"core_hours": None, "usd": None}, False),
    ],
)
def test_a_budget_is_spent_when_its_hours_or_its_dollars_are(
    store: Any, limits: dict[str, float | None], *, over: bool
) -> None:
    store.campaigns.update_one({"_id": "mine"}, {"$set": limits})
    paid = {"core_hours": 2.0, "usd_per_core_hour": 0.05}
    store.attempts.insert_one({"_id": "a", "campaign": "mine", **paid})
    assert Meter(store, "mine").is_spent() is over
