"""The proxy cuts, refuses and delays, and loses nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, ServerSelectionTimeoutError

LONGEST_S = 30.0
Client = MongoClient[dict[str, Any]]


@pytest.fixture
def client(proxy: Any) -> Iterator[Client]:
    options = {"retryWrites": False, "retryReads": False, "serverSelectionTimeoutMS": 5000}
    with Client(proxy.uri, **options) as client:
        yield client


def test_everything_passes(client: Client) -> None:
    things = client.get_default_database()["things"]
    things.insert_many([{"_id": n, "text": "x" * 1000} for n in range(2000)])
    assert sum(len(one["text"]) for one in things.find()) == 2_000_000


def test_a_cut_ends_open_connections_and_new_ones_are_served(proxy: Any, client: Client) -> None:
    things = client.get_default_database()["things"]
    things.insert_one({"_id": 1})
    proxy.cut()
    with pytest.raises(AutoReconnect):
        things.count_documents({})
    assert things.count_documents({}) == 1


def test_refused_connections_are_served_again_afterwards(proxy: Any, client: Client) -> None:
    things = client.get_default_database()["things"]
    things.insert_one({"_id": 1})
    proxy.drop()
    proxy.cut()
    refused = pytest.raises(ServerSelectionTimeoutError)
    with Client(proxy.uri, serverSelectionTimeoutMS=200) as other, refused:
        other.get_default_database()["things"].count_documents({})
    proxy.drop(refused=False)
    with Client(proxy.uri) as other:
        assert other.get_default_database()["things"].count_documents({}) == 1


def test_what_is_delayed_takes_longer_each_way(proxy: Any, client: Client) -> None:
    things = client.get_default_database()["things"]
    things.insert_one({"_id": 1})
    proxy.delay(0.1)
    began = time.monotonic()
    things.count_documents({})
    assert 0.2 <= time.monotonic() - began < 1.0


def test_random_cuts_lose_requests_and_answers(proxy: Any, client: Client, mongodb: str) -> None:
    things = client.get_default_database()["things"]
    things.insert_one({"_id": 0})
    proxy.cut_at_random(100.0, seed=1)
    refused: set[int] = set()
    until = time.monotonic() + LONGEST_S
    with Client(mongodb) as direct:
        there = direct.get_default_database()["things"]
        done = lost_requests = lost_answers = 0
        # After a cut, pymongo looks for the server twice a second at most.
        while not (lost_requests and lost_answers) and time.monotonic() < until:
            try:
                things.insert_one({"_id": (done := done + 1)})
            except AutoReconnect:
                refused.add(done)
                lost_answers += (found := there.count_documents({"_id": done}))
                lost_requests += not found
        present = set(there.distinct("_id"))
    assert lost_requests
    assert lost_answers
    assert set(range(done + 1)) - refused <= present
    assert proxy.cuts >= len(refused)
