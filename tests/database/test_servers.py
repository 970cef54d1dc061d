"""The servers that tests run against: shared, private, killed, gone with whoever used them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from database_servers import mongod
from database_servers.missing import Missing
from database_servers.ports import accepts
from database_servers.shared import POLL_S
from pymongo import MongoClient

LONGEST_S = 30.0


def test_a_database_takes_documents(any_server: str) -> None:
    with MongoClient[dict[str, Any]](any_server, w="majority") as client:
        things = client.get_default_database()["things"]
        things.insert_many([{"n": n} for n in range(10)])
        assert things.count_documents({"n": {"$gte": 5}}) == 5


def test_every_test_has_a_database_of_its_own(any_server: str) -> None:
    with MongoClient[dict[str, Any]](any_server) as client:
        assert client.get_default_database().list_collection_names() == []


def test_of_two_that_ask_for_a_document_one_gets_it(any_server: str) -> None:
    with MongoClient[dict[str, Any]](any_server) as client:
        things = client.get_default_database()["things"]
        things.insert_many([{"_id": n, "state": "READY"} for n in range(60)])
        things.insert_one({"_id": "count", "n": 0})

        def claim(_worker: int) -> list[Any]:
            mine = []
            change = {"$set": {"state": "TAKEN"}}
            while found := things.find_one_and_update({"state": "READY"}, change):
                mine.append(found["_id"])
                things.update_one({"_id": "count"}, {"$inc": {"n": 1}})
            return mine

        with ThreadPoolExecutor(4) as pool:
            claimed = [one for mine in pool.map(claim, range(4)) for one in mine]
        assert sorted(claimed) == list(range(60))
        assert things.find_one({"_id": "count"}) == {"_id": "count", "n": 60}


def test_what_is_acknowledged_survives_a_kill(durable: Any) -> None:
    with MongoClient[dict[str, Any]](durable.uri) as client:
        things = client.get_default_database()["things"]
        for n in range(100):
            things.insert_one({"_id": n})
        durable.kill()
        durable.start()
        assert things.count_documents({}) == 100


def test_a_shared_server_is_gone_when_its_last_user_is_killed(tmp_path: Path) -> None:
    users = [_user(tmp_path) for _ in range(2)]
    addresses = [json.loads(_line(user)) for user in users]
    assert addresses[0] == addresses[1]
    ports = [urlsplit(addresses[0][name]).port or 0 for name in ("uri", "tls_uri")]
    _kill(users[0])
    time.sleep(3 * POLL_S)
    assert all(accepts(port) for port in ports)
    _kill(users[1])
    _wait_until(lambda: not any(accepts(port) for port in ports))


def test_a_private_server_is_gone_when_its_user_is_killed() -> None:
    user = _python(
        "import time; from database_servers.ferret import Ferret; server = Ferret();"
        "print(server.address['uri'], server._postgres.folder, flush=True); time.sleep(600)"
    )
    uri, folder = _line(user).split()
    _kill(user)
    _wait_until(lambda: not accepts(urlsplit(uri).port or 0))
    _wait_until(lambda: not Path(folder).exists())


def test_a_server_that_ended_is_started_again_for_the_next_who_asks(tmp_path: Path) -> None:
    user = _user(tmp_path)
    port = urlsplit(json.loads(_line(user))["uri"]).port or 0
    _kill(user)
    _wait_until(lambda: not accepts(port))
    user = _user(tmp_path)
    again = json.loads(_line(user))
    assert accepts(urlsplit(again["uri"]).port or 0)
    _kill(user)


def test_a_missing_part_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Missing, match=r"JDK.* is not installed \(\./bootstrap test"):
        mongod.build()


def _wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + LONGEST_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(POLL_S)


def _user(folder: Path) -> subprocess.Popen[str]:
    """Start a process that uses the shared server of a folder for a long time."""
    return _python(
        "import json, pathlib, time; from database_servers.shared import shared;"
        f"print(json.dumps(shared('java', pathlib.Path({str(folder)!r}))), flush=True);"
        "time.sleep(600)"
    )


def _python(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
