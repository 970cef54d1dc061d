"""Stores on servers: how they are connected, what goes wrong, what outages cost."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fireworks import Firework, FWorker, LaunchPad, ScriptTask, Workflow
from fireworks.core import launchpad as fireworks_launchpad
from fireworks.core import rocket
from fireworks.utilities.fw_serializers import SAVED_FW_MODULES
from pymongo.errors import AutoReconnect, OperationFailure

from fireworks_ext.database.outages import DatabaseAwayError
from fireworks_ext.database.patience import PatientCollection, impatient
from fireworks_ext.database.servers import uri_of
from fireworks_ext.store import adopt, open_store
from schemas.errors import UserError
from schemas.location import parse

COMMON = (
    "appname=matcampaign&w=majority&serverSelectionTimeoutMS=5000&connectTimeoutMS=10000"
    "&socketTimeoutMS=60000&maxPoolSize=4&maxIdleTimeMS=60000&serverMonitoringMode=poll"
)
TUNNEL = "mongodb://c.docdb.amazonaws.com/?ssl=false&retrywrites=false&directConnection=true"
OF_DOCUMENTDB = "tls=true&retryWrites=false&authSource=admin&replicaSet=rs0&readPreference=primary"


@pytest.mark.parametrize(
    ("location", "uri"),
    [
        ("mongodb://me:pw@h/x", f"mongodb://h/x?{COMMON}"),
        (
            "documentdb://me@h:1/x?tlsCAFile=/ca.pem&secret=s",
            f"mongodb://h:1/x?tlsCAFile=/ca.pem&{COMMON}&{OF_DOCUMENTDB}",
        ),
        (
            TUNNEL,
            f"{TUNNEL}&{COMMON}&authSource=admin&readPreference=primary",
        ),
        (
            "documentdb://h/?authMechanism=MONGODB-AWS",
            f"mongodb://h/?authMechanism=MONGODB-AWS&{COMMON}&{OF_DOCUMENTDB}".replace(
                "&authSource=admin", ""
            ),
        ),
        (
            "mongodb+srv://h/x?W=1&maxpoolsize=9",
            f"mongodb+srv://h/x?W=1&maxpoolsize=9&{COMMON}".replace("&w=majority", "").replace(
                "&maxPoolSize=4", ""
            ),
        ),
    ],
)
def test_what_is_asked_of_every_server_yields_to_what_the_address_says(
    location: str, uri: str
) -> None:
    assert uri_of(parse(location)) == uri


@pytest.fixture(autouse=True)
def _known_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep FireWorks from looking through all of its modules, its own tests among them."""
    monkeypatch.setitem(SAVED_FW_MODULES, "ScriptTask", ScriptTask.__module__)


class LosesAnswers:
    """A collection that does what it is told, and whose n-th answer never arrives."""

    def __init__(self, behind: Any, lost: int) -> None:
        self.behind, self.left = behind, lost

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.behind, name)

        def call(*args: Any, **options: Any) -> Any:
            answer = found(*args, **options)
            self.left -= 1
            if self.left == 0:
                raise AutoReconnect("connection closed")
            return answer

        return call


def no_op(*parents: Firework) -> Firework:
    """Return a firework that does nothing."""
    return Firework(ScriptTask.from_str("true"), parents=list(parents))


def test_fireworks_and_our_collections_live_in_one_database(any_server: str) -> None:
    store = open_store(any_server)
    (fw_id,) = store.launchpad.add_wf(Workflow([no_op()])).values()
    assert store.fireworks.find_one({"fw_id": fw_id})["state"] == "READY"
    assert isinstance(store.results, PatientCollection)
    assert isinstance(store.launchpad.workflows, PatientCollection)
    assert store.launchpad.fireworks.database is store.launchpad.db
    assert open_store(store.location).launchpad.get_fw_ids() == [fw_id]


def test_machines_that_open_a_new_store_at_once_count_from_one_on_together(any_server: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def begin(_: int) -> list[int]:
        launchpad = open_store(any_server).launchpad
        return [launchpad.get_new_fw_id() for _ in range(5)]

    with ThreadPoolExecutor(4) as pool:
        ids = [one for found in pool.map(begin, range(4)) for one in found]
    assert sorted(ids) == list(range(1, 21))


def test_stock_rockets_run_on_a_store(any_server: str, tmp_path: Path) -> None:
    store = open_store(any_server)
    first = no_op()
    store.launchpad.add_wf(Workflow([first, no_op(first)]))
    rocket.ROCKET_STREAM_LOGLEVEL = "CRITICAL"
    rocket.PRINT_FW_JSON = False
    with contextlib.chdir(tmp_path):
        while rocket.Rocket(store.launchpad, FWorker(), None).run():
            pass
    states = [one["state"] for one in store.fireworks.find({}, {"state": 1}).limit(5)]
    assert states == ["COMPLETED", "COMPLETED"]


def test_fireworks_sorts_without_the_stage_that_documentdb_refuses(mongodb: str) -> None:
    # The fixture fails the test when it is sent.
    store = open_store(mongodb)
    ids = [
        fw_id for _ in range(3) for fw_id in store.launchpad.add_wf(Workflow([no_op()])).values()
    ]
    assert store.launchpad.get_fw_ids(sort=[("created_on", -1)]) == ids[::-1]
    assert store.launchpad.get_wf_ids(sort=[("updated_on", 1)]) == ids


def test_a_server_behind_tls_is_reached_with_the_right_authority_only(mongodb_tls: Any) -> None:
    uri = f"{mongodb_tls.uri}?tls=true&tlsCAFile="
    store = open_store(f"{uri}{mongodb_tls.ca_file}")
    store.results.insert_one({"_id": 1})
    assert store.results.count_documents({}) == 1
    with pytest.raises(UserError, match=r"certificate verify failed.*check `ca_file`"):
        open_store(f"{uri}{mongodb_tls.other_ca_file}")
    with pytest.raises(UserError, match=r"store\.ca_file: there is no file /nowhere\.pem; for Doc"):
        open_store(f"{uri}/nowhere.pem")


def test_a_server_that_is_not_there_is_told_with_what_to_check() -> None:
    began = time.monotonic()
    with pytest.raises(UserError, match=r"'127\.0\.0\.1:1' \(.*refused\); check the address"):
        open_store("mongodb://127.0.0.1:1/x")
    assert time.monotonic() - began < 20


def test_options_that_the_driver_does_not_know_are_told() -> None:
    with pytest.raises(UserError, match=r"check the options of the address"):
        open_store("mongodb://127.0.0.1:1/x?socketTimeoutMS=soon")
    with pytest.raises(UserError, match=r"store: expected a path, or an address"):
        open_store("postgres://h/x")


def test_a_password_is_in_nothing_that_is_shown_stored_or_handed_on(
    mongodb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = mongodb.replace("://", "://me:s3cr3t@")
    monkeypatch.setenv("MATCAMPAIGN_STORE", address)
    for location in (address, address.replace(":s3cr3t", "")):
        with pytest.raises(UserError) as caught:  # the server knows of no users
            open_store(location)
        assert "s3cr3t" not in f"{caught.value!r}{caught.value.__context__!r}"
    location = open_store(mongodb).location
    assert location == parse(mongodb).text


def test_the_launchpad_forgets_the_password_that_it_was_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Connections are made later, so no server is needed to see what is kept."""
    from fireworks_ext.database import servers
    from fireworks_ext.database.passwords import Credentials

    server = parse("mongodb://me@127.0.0.1:1/x")
    launchpad = servers._launchpad(server, uri_of(server), Credentials("me", "s3cr3t"))
    options = launchpad.connection.options.pool_options._credentials
    assert options.password == "s3cr3t"  # noqa: S105  (it arrived)
    assert "s3cr3t" not in str(launchpad.to_dict())
    assert "s3cr3t" not in str(vars(launchpad))
    assert launchpad.gridfs_fallback is None


def test_everything_is_done_once_over_connections_that_are_cut(mongodb: str, proxy: Any) -> None:
    store = open_store(proxy.uri)
    proxy.cut_at_random(3.0)  # the driver looks for the server half a second after each
    n = 0
    while proxy.cuts < 8:
        store.results.insert_one({"n": n})
        store.results.update_one({"n": n}, {"$set": {"token": n}})
        assert store.results.find_one({"n": n})["token"] == n
        store.attempts.insert_many([{"n": 100 * n + m} for m in range(100)])
        n += 1
    found = sorted(one["n"] for one in store.attempts.find())
    proxy.cut_at_random(0.0)
    assert found == list(range(100 * n))
    assert store.results.count_documents({}) == n
    assert store.attempts.count_documents({}) == 100 * n


def test_an_operation_waits_for_a_server_that_comes_back(durable: Any) -> None:
    store = open_store(durable.uri)
    store.results.insert_one({"_id": 1})
    durable.kill()
    waits: list[float] = []
    store.patience.on_wait = lambda _error, waited_s: waits.append(waited_s)
    with impatient(), pytest.raises(DatabaseAwayError, match="campaign doctor"):
        store.results.find_one({})
    thread = threading.Thread(target=durable.start)
    thread.start()
    try:
        store.results.insert_one({"_id": 2})
    finally:
        thread.join()
    assert store.results.count_documents({}) == 2


def test_the_launchpad_of_stock_programs_becomes_patient(mongodb: str, proxy: Any) -> None:
    open_store(mongodb)
    launchpad = LaunchPad(host=proxy.uri, name=parse(proxy.uri).name, uri_mode=True)
    launchpad.m_logger.setLevel("ERROR")
    store = adopt(launchpad)
    assert adopt(launchpad).patience is store.patience
    launchpad.add_wf(Workflow([no_op()]))
    proxy.cut()
    assert len(launchpad.get_fw_ids()) == 1
    assert store.fireworks is launchpad.fireworks
    launchpad.connection.close()


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_lock_whose_answer_was_lost_is_known_again(
    mongodb: str, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    launchpad = open_store(mongodb).launchpad
    (fw_id,) = launchpad.add_wf(Workflow([no_op()])).values()
    behind = launchpad.workflows.behind
    monkeypatch.setattr(launchpad.workflows, "behind", LosesAnswers(behind, lost))
    began = time.monotonic()
    launchpad._refresh_wf(fw_id)
    assert time.monotonic() - began < 5
    assert "locked" not in behind.find_one({"nodes": fw_id})


def test_a_lock_of_somebody_else_is_waited_for(
    mongodb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    launchpad = open_store(mongodb).launchpad
    (fw_id,) = launchpad.add_wf(Workflow([no_op()])).values()
    launchpad.workflows.update_one({"nodes": fw_id}, {"$set": {"locked": True}})
    free = {"$unset": {"locked": ""}}
    timer = threading.Timer(0.5, lambda: launchpad.workflows.update_one({"nodes": fw_id}, free))
    timer.start()
    began = time.monotonic()
    lock = fireworks_launchpad.WFLock
    with lock(launchpad, fw_id, 30, kill=False):
        assert time.monotonic() - began > 0.4
        with (
            pytest.raises(fireworks_launchpad.LockedWorkflowError),
            lock(launchpad, fw_id, 0, kill=False),
        ):
            pass
        with lock(launchpad, fw_id, 0, kill=True):
            pass
    with pytest.raises(ValueError, match="not find"), lock(launchpad, 99, 0, kill=False):
        pass
    timer.join()


def test_a_server_that_refuses_says_so_to_the_user(
    mongodb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(mongodb)

    class Refusing:
        def find_one(self, *_: object) -> None:
            raise OperationFailure("not authorized on x to execute command", 13)

    monkeypatch.setattr(store.results, "behind", Refusing())
    with pytest.raises(OperationFailure, match="readWrite") as caught:
        store.results.find_one({})
    assert isinstance(caught.value, UserError)
    assert caught.value.code == 13


def test_stores_of_both_kinds_are_open_beside_each_other(mongodb: str, tmp_path: Path) -> None:
    stores = [open_store(one) for one in (str(tmp_path / "a.db"), mongodb, str(tmp_path / "b.db"))]
    for n, store in enumerate(stores):
        store.results.insert_one({"n": n})
    assert [store.results.find_one({})["n"] for store in stores] == [0, 1, 2]
    assert [store.launchpad.db.results.count_documents({}) for store in stores] == [1, 1, 1]


def test_the_launchpad_of_an_embedded_store_is_left_as_it_is(tmp_path: Path) -> None:
    launchpad = open_store(str(tmp_path / "store.db")).launchpad
    assert adopt(launchpad).fireworks.__class__.__name__ == "EmbeddedCollection"
