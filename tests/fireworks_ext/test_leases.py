"""Leases: one holder at a time, a higher token for every next one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sudden_death import Child

from fireworks_ext import leases
from fireworks_ext.processes import Process, this_process
from fireworks_ext.store import open_store

ME = Process(host="here", pid=1, started=1)
OTHER = Process(host="there", pid=2, started=2)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Any]:
    opened = open_store(str(tmp_path / "store.db"))
    yield opened
    opened.launchpad.db.client.close()


def test_only_one_holds_a_lease(store: Any) -> None:
    mine = leases.acquire(store, "k", ME)
    assert mine is not None
    assert leases.acquire(store, "k", OTHER) is None
    assert leases.acquire(store, "k", ME) is None
    assert leases.is_held(store, mine)
    assert not leases.is_free(store, "k")


def test_a_released_lease_goes_to_the_next_with_a_higher_token(store: Any) -> None:
    mine = leases.acquire(store, "k", ME)
    assert mine is not None
    leases.release(store, mine)
    assert leases.is_free(store, "k")
    theirs = leases.acquire(store, "k", OTHER)
    assert theirs is not None
    assert theirs.token == mine.token + 1


def test_an_expired_lease_is_taken_over_and_the_late_holder_learns_it(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = leases.acquire(store, "k", ME)
    assert mine is not None
    now = time.time()
    monkeypatch.setattr(leases.time, "time", lambda: now + leases.LEASE_S + 1)
    theirs = leases.acquire(store, "k", OTHER)
    assert theirs is not None
    assert leases.renew(store, [mine]) == []
    leases.release(store, mine)  # must not free what is another's now
    assert leases.is_held(store, theirs)
    assert not leases.is_held(store, mine)


def test_a_renewed_lease_does_not_expire(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = leases.acquire(store, "k", ME)
    assert mine is not None
    now = time.time()
    monkeypatch.setattr(leases.time, "time", lambda: now + leases.LEASE_S - 1)
    assert leases.renew(store, [mine]) == [mine]
    monkeypatch.setattr(leases.time, "time", lambda: now + leases.LEASE_S + 1)
    assert leases.acquire(store, "k", OTHER) is None


def test_leases_of_processes_that_ended_here_are_orphaned(store: Any) -> None:
    gone = this_process().model_copy(update={"started": 1})
    assert leases.acquire(store, "gone", gone)
    assert leases.acquire(store, "mine", this_process())
    assert leases.acquire(store, "elsewhere", OTHER)
    assert [one.name for one in leases.orphaned(store)] == ["gone"]


def test_of_many_processes_that_want_a_lease_at_once_one_gets_it(
    store: Any, tmp_path: Path
) -> None:
    begin = time.time() + 0.3

    def want() -> None:
        mine = open_store(str(tmp_path / "store.db"))
        time.sleep(max(begin - time.time(), 0))
        if leases.acquire(mine, "k", this_process()):
            (tmp_path / f"got-{this_process().pid}").touch()

    children = [Child(want) for _ in range(6)]
    assert all(child.finished() for child in children)
    assert len(list(tmp_path.glob("got-*"))) == 1
