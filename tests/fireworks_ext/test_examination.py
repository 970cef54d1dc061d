"""What `campaign doctor` says about servers."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import pytest
from fireworks import LaunchPad
from pymongo.errors import OperationFailure

from fireworks_ext.database import examination
from fireworks_ext.database.examination import examine, fireworks_indexes
from fireworks_ext.store import open_store
from schemas.location import parse


def found(location: str) -> dict[str, tuple[str, str, str]]:
    """Return subject -> (state, message, remedy)."""
    return {one.subject: (one.state, one.message, one.remedy) for one in examine(location)}


@pytest.fixture
def old_server() -> Iterator[str]:
    """Return the address of a server that greets as DocumentDB 4.0 does."""
    listener = socket.create_server(("127.0.0.1", 0))
    hello = {"ok": 1, "ismaster": True, "maxWireVersion": 7, "minWireVersion": 0}
    body = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(hello)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                asked = connection.recv(65536)
                request = struct.unpack_from("<i", asked, 4)[0] if len(asked) >= 8 else 0
                connection.sendall(struct.pack("<iiii", 16 + len(body), 1, request, 1) + body)

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"mongodb://127.0.0.1:{listener.getsockname()[1]}/x"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_a_server_that_is_as_it_should_be_has_nothing_to_do(any_server: str) -> None:
    open_store(any_server)
    answer = found(any_server)
    assert {state for state, _, _ in answer.values()} == {"ok"}
    assert list(answer) == [
        *("store", "server", "round trip", "clock", "encryption", "write concern"),
        *("permissions", "indexes"),
    ]
    assert "wire version" in answer["server"][1]
    assert "ms (median of 20)" in answer["round trip"][1]
    assert answer["indexes"][1] == "all there, FireWorks' and ours"


def test_the_examination_leaves_nothing_behind(mongodb: str) -> None:
    assert found(mongodb)["indexes"][1] == "made by the first run"
    launchpad = LaunchPad(host=mongodb, name=parse(mongodb).name, uri_mode=True)
    assert launchpad.db.list_collection_names() == []
    launchpad.connection.close()


def test_missing_indexes_are_named(mongodb: str) -> None:
    store = open_store(mongodb)
    store.fireworks.drop_index("spec.key_1")
    store.leases.drop_index("expires_at_1")
    state, message, remedy = found(mongodb)["indexes"]
    assert (state, message) == ("warning", "2 missing: fireworks(spec.key), leases(expires_at)")
    assert remedy


def test_the_indexes_of_fireworks_are_those_that_it_makes(mongodb: str) -> None:
    launchpad = open_store(mongodb).launchpad
    names = {name for name, _ in fireworks_indexes()}
    assert names == {"fireworks", "launches", "workflows"}
    assert len(fireworks_indexes()) >= 24
    for name, keys in fireworks_indexes():
        there = [one["key"] for one in launchpad.db[name].index_information().values()]
        assert list(keys) in there


def test_a_server_that_is_too_old_is_told_with_what_is_needed(old_server: str) -> None:
    state, message, _ = found(old_server)["store"]
    assert state == "missing"
    assert "wire version 7" in message
    assert message.endswith("a server of MongoDB 4.4, DocumentDB 5.0 or later is needed")


@pytest.mark.parametrize(
    ("ahead_s", "state"), [(0, "ok"), (-4, "ok"), (8, "warning"), (-20, "warning"), (90, "missing")]
)
def test_clocks_that_differ_are_told(
    mongodb: str, monkeypatch: pytest.MonkeyPatch, ahead_s: int, state: str
) -> None:
    def hello(_: LaunchPad) -> dict[str, Any]:
        return {"localTime": datetime.now(UTC) - timedelta(seconds=ahead_s), "maxWireVersion": 13}

    monkeypatch.setattr(examination, "_hello", hello)
    told = found(mongodb)["clock"]
    assert told[0] == state
    assert ("ahead" if ahead_s > 0 else "behind") in told[1] or ahead_s == 0
    assert bool(told[2]) == (state != "ok")


def test_a_user_who_may_not_write_is_told_which_role_is_missing(
    mongodb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fireworks_ext.database.patience import PatientCollection

    def refuse(*_: object, **__: object) -> None:
        raise OperationFailure("not authorized on x to execute command", 13)

    monkeypatch.setattr(PatientCollection, "create_index", refuse)
    state, message, remedy = found(mongodb)["permissions"]
    assert state == "missing"
    assert message.startswith("may not make an index in")
    assert "readWrite" in remedy


def test_what_is_not_encrypted_or_not_durable_is_a_warning(
    mongodb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = f"{mongodb}?w=1"
    assert found(location)["write concern"][0] == "warning"
    assert found(mongodb)["encryption"] == ("ok", "none, and the server is on this machine", "")
    monkeypatch.setattr(examination, "_is_here", lambda _host: False)
    assert found(mongodb)["encryption"][0] == "warning"


def test_a_server_behind_tls_is_encrypted(mongodb_tls: Any) -> None:
    location = f"{mongodb_tls.uri}?tls=true&tlsCAFile={mongodb_tls.ca_file}"
    assert found(location)["encryption"] == ("ok", "TLS", "")


def test_a_slow_way_to_the_server_is_a_warning(mongodb: str, proxy: Any) -> None:
    proxy.delay(0.03)
    state, message, remedy = found(proxy.uri)["round trip"]
    assert state == "warning"
    assert float(message.split()[0]) >= 50
    assert remedy


def test_an_address_that_cannot_be_is_one_finding() -> None:
    assert list(found("postgres://h/x")) == ["store"]
