"""A database that fails is asked again, and nothing is done twice or lost by that.

The failing connection stands before a real collection (the embedded store's): a call fails before
it was carried out, or after.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bson.codec_options import DEFAULT_CODEC_OPTIONS
from pymongo import DeleteOne, InsertOne, UpdateOne
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    CursorNotFound,
    DuplicateKeyError,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WTimeoutError,
)

from fireworks_ext.database import patience as patience_module
from fireworks_ext.database.outages import DatabaseAwayError, is_outage, reason
from fireworks_ext.database.patience import Patience, PatientDatabase, impatient, patient
from fireworks_ext.embedded import EmbeddedClient
from schemas.errors import UserError

BATCH = 3
"""Documents that the failing connection brings at a time."""
LOST = AutoReconnect("connection closed")


class Connection:
    """Fails when the next entry of `fate` says so: before or after a call is carried out."""

    def __init__(self) -> None:
        self.fate: list[str] = []
        self.calls = 0
        self.error: PyMongoError = LOST

    def __call__(self, operation: Callable[[], Any]) -> Any:
        self.calls += 1
        fate = self.fate.pop(0) if self.fate else "fine"
        if fate == "before":
            raise self.error
        answer = operation()
        if fate == "after":
            raise self.error
        return answer


class FailingCursor:
    """Brings documents in batches, as a server's cursor does; each batch may fail."""

    def __init__(self, cursor: Any, connection: Connection) -> None:
        self.cursor, self.connection = cursor, connection
        self.left: list[Any] | None = None
        self.batch: list[Any] = []
        self.size = BATCH
        self.cursor_id = 0

    def batch_size(self, size: int) -> None:
        self.size = size

    def limit(self, limit: int) -> None:
        self.cursor.limit(limit)

    def sort(self, *args: Any) -> None:
        self.cursor.sort(*args)

    def skip(self, skip: int) -> None:
        self.cursor.skip(skip)

    def close(self) -> None:
        pass

    def __iter__(self) -> FailingCursor:
        return self

    def __next__(self) -> Any:
        if not self.batch and (self.left is None or self.cursor_id):
            self.connection(self._fetch)
        if not self.batch:
            raise StopIteration
        return self.batch.pop(0)

    def _fetch(self) -> None:
        self.left = list(self.cursor) if self.left is None else self.left
        self.batch, self.left = self.left[: self.size], self.left[self.size :]
        self.cursor_id = 7 if self.left else 0


class FailingCollection:
    codec_options = DEFAULT_CODEC_OPTIONS

    def __init__(self, collection: Any, connection: Connection) -> None:
        self.collection, self.connection = collection, connection

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.collection, name)
        if not callable(found):
            return found
        return lambda *args, **options: self.connection(lambda: found(*args, **options))

    def find(self, *args: Any, **options: Any) -> FailingCursor:
        return FailingCursor(self.collection.find(*args, **options), self.connection)

    @property
    def full_name(self) -> str:
        return str(self.collection.full_name)


class FailingDatabase:
    name = "bench"

    def __init__(self, database: Any, connection: Connection) -> None:
        self.database, self.connection = database, connection

    def __getitem__(self, name: str) -> FailingCollection:
        return FailingCollection(self.database[name], self.connection)

    def list_collection_names(self) -> Any:
        return self.connection(self.database.list_collection_names)


@pytest.fixture
def connection() -> Connection:
    return Connection()


@pytest.fixture
def real(tmp_path: Path) -> Any:
    return EmbeddedClient(tmp_path / "store.db")["bench"]


@pytest.fixture
def database(real: Any, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> PatientDatabase:
    monkeypatch.setattr(patience_module, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(patience_module, "LONGEST_PAUSE_S", 0.01)
    return patient(FailingDatabase(real, connection), budget_s=5.0)


FATES = pytest.mark.parametrize("fate", [["before"], ["after"], ["before", "after", "before"]])


@FATES
def test_a_document_is_inserted_once(
    database: Any, real: Any, connection: Connection, fate: list[str]
) -> None:
    connection.fate = fate
    document = {"a": 1}
    answer = database.things.insert_one(document)
    assert answer.acknowledged
    assert list(real.things.find()) == [document]
    assert answer.inserted_id == document["_id"]


@FATES
def test_a_document_with_an_id_of_the_callers_is_inserted_once(
    database: Any, real: Any, connection: Connection, fate: list[str]
) -> None:
    connection.fate = fate
    now = datetime.now(UTC)
    database.things.insert_one({"_id": "k", "at": now, "sites": (1, 2)})
    assert real.things.count_documents({}) == 1


def test_a_document_that_somebody_else_stored_is_a_duplicate(
    database: Any, real: Any, connection: Connection
) -> None:
    real.things.insert_one({"_id": "k", "by": "another"})
    for fate in ([], ["before"]):
        connection.fate = fate
        with pytest.raises(DuplicateKeyError):
            database.things.insert_one({"_id": "k", "by": "me"})


def test_a_true_duplicate_of_another_unique_field_is_one_after_a_repeat_too(
    database: Any, real: Any, connection: Connection
) -> None:
    real.things.create_index([("fw_id", 1)], unique=True)
    real.things.insert_one({"fw_id": 3})
    connection.fate = ["before"]
    with pytest.raises(DuplicateKeyError):
        database.things.insert_one({"fw_id": 3})
    connection.fate = ["before"]
    with pytest.raises(BulkWriteError) as caught:
        database.things.insert_many([{"fw_id": 1}, {"fw_id": 3}, {"fw_id": 2}], ordered=False)
    assert [one["index"] for one in caught.value.details["writeErrors"]] == [1]
    assert sorted(one["fw_id"] for one in real.things.find()) == [1, 2, 3]


@FATES
@pytest.mark.parametrize("ordered", [True, False])
def test_many_documents_are_inserted_once_each(
    database: Any, real: Any, connection: Connection, fate: list[str], *, ordered: bool
) -> None:
    connection.fate = fate
    given = ({"n": n} if n % 2 else {"_id": f"id{n}", "n": n} for n in range(7))
    answer = database.things.insert_many(given, ordered=ordered)
    assert sorted(one["n"] for one in real.things.find()) == list(range(7))
    assert len(set(map(str, answer.inserted_ids))) == 7


def test_a_half_done_insertion_of_many_is_completed(
    database: Any, real: Any, connection: Connection
) -> None:
    documents = [{"_id": n, "n": n} for n in range(6)]
    real.things.insert_many(documents[:4])  # what a server did before the connection was cut
    connection.fate = ["before"]
    assert len(database.things.insert_many(documents).inserted_ids) == 6
    assert real.things.count_documents({}) == 6


@FATES
@pytest.mark.parametrize("ordered", [True, False])
def test_writes_in_bulk_are_carried_out(
    database: Any, real: Any, connection: Connection, fate: list[str], *, ordered: bool
) -> None:
    real.things.insert_many([{"_id": "old"}, {"_id": "gone"}])
    connection.fate = fate
    database.things.bulk_write(
        [
            InsertOne({"_id": "new"}),
            UpdateOne({"_id": "old"}, {"$set": {"a": 1}}),
            UpdateOne({"_id": "up"}, {"$set": {"a": 2}}, upsert=True),
            DeleteOne({"_id": "gone"}),
        ],
        ordered=ordered,
    )
    found = {one["_id"]: one.get("a") for one in real.things.find()}
    assert found == {"new": None, "old": 1, "up": 2}


def test_insertions_alone_in_bulk_are_carried_out_once(
    database: Any, real: Any, connection: Connection
) -> None:
    connection.fate = ["after"]
    answer = database.things.bulk_write([InsertOne({"_id": 1}), InsertOne({"n": 2})])
    assert answer.modified_count == 0
    assert real.things.count_documents({}) == 2


@FATES
def test_everything_else_is_repeated_as_it_is(
    database: Any, real: Any, connection: Connection, fate: list[str]
) -> None:
    real.things.insert_many([{"_id": n, "n": n} for n in range(5)])

    def ask(operation: Callable[[Any], Any]) -> Any:
        connection.fate = list(fate)
        return operation(database.things)

    assert ask(lambda it: it.find_one({"n": 3}))["_id"] == 3
    assert ask(lambda it: it.count_documents({})) == 5
    assert ask(lambda it: sorted(it.distinct("n"))) == [0, 1, 2, 3, 4]
    assert list(ask(lambda it: it.aggregate([{"$match": {"n": {"$gt": 3}}}]))) == [
        {"_id": 4, "n": 4}
    ]
    assert ask(lambda it: it.update_one({"n": 1}, {"$set": {"a": 1}})).matched_count == 1
    assert ask(lambda it: it.update_many({}, {"$set": {"b": 1}})).matched_count == 5
    assert ask(lambda it: it.replace_one({"n": 2}, {"n": 2, "c": 1})).matched_count == 1
    assert ask(lambda it: it.find_one_and_update({"n": 3}, {"$set": {"d": 1}}))["n"] == 3
    assert ask(lambda it: it.create_index([("n", 1)])) == "n_1"
    assert "n_1" in ask(lambda it: it.index_information())
    ask(lambda it: it.delete_one({"_id": 0}))
    assert real.things.count_documents({"n": 0}) == 0
    connection.fate = list(fate)
    assert database.list_collection_names() == ["things"]


@pytest.mark.parametrize("fate", [[], ["before"], ["fine", "before"], ["fine", "after", "before"]])
@pytest.mark.parametrize("error", [LOST, CursorNotFound("cursor id 7 not found", 43)])
def test_a_find_brings_every_document_once_wherever_it_is_cut(
    database: Any, real: Any, connection: Connection, fate: list[str], error: PyMongoError
) -> None:
    if fate[:1] == ["before"] and error is not LOST:
        pytest.skip("there is no cursor to lose yet")
    real.things.insert_many([{"_id": n} for n in range(10)])
    connection.fate, connection.error = fate, error
    if "before" in fate[2:]:
        connection.error = LOST
    assert [one["_id"] for one in database.things.find()] == list(range(10))


def test_a_sorted_find_with_a_limit_is_read_at_once(
    database: Any, real: Any, connection: Connection
) -> None:
    real.things.insert_many([{"_id": n} for n in range(10)])
    connection.fate = ["before"]
    found = database.things.find({}).sort("_id", -1).limit(8)
    assert [one["_id"] for one in found] == list(range(9, 1, -1))
    assert connection.calls == 2


def test_a_find_that_cannot_go_on_raises(database: Any, real: Any, connection: Connection) -> None:
    real.things.insert_many([{"_id": n, "n": n} for n in range(10)])
    for find in (
        lambda: database.things.find({}, {"_id": 0}),
        lambda: database.things.find({}).skip(2),
    ):
        connection.fate = ["fine", "before"]
        with pytest.raises(AutoReconnect):
            list(find())


def test_a_find_that_comes_no_further_ends(
    database: Any, real: Any, connection: Connection
) -> None:
    real.things.insert_many([{"_id": n} for n in range(10)])
    connection.fate = ["fine", "before"] * 100
    connection.error = CursorNotFound("cursor id 7 not found", 43)
    with pytest.raises(CursorNotFound):
        list(database.things.find())
    assert connection.calls < 20


def test_a_find_may_be_read_in_parts(database: Any, real: Any, connection: Connection) -> None:
    real.things.insert_many([{"_id": n} for n in range(7)])
    connection.fate = ["fine", "before"]
    cursor = database.things.find()
    assert next(cursor)["_id"] == 0
    assert [one["_id"] for one in cursor.to_list(4)] == [1, 2, 3, 4]
    assert [one["_id"] for one in cursor] == [5, 6]
    assert [one["_id"] for one in cursor.clone()] == list(range(7))


def test_patience_ends_with_the_last_error_as_its_cause(real: Any, connection: Connection) -> None:
    connection.fate = ["before"] * 1000
    connection.error = ServerSelectionTimeoutError(
        "me.example:27017: [Errno 111] Connection refused, Timeout: 5s, Topology Description: x"
    )
    waits: list[float] = []
    away = patient(
        FailingDatabase(real, connection),
        budget_s=0.5,
        on_wait=lambda _error, waited_s: waits.append(waited_s),
    )
    began = time.monotonic()
    with pytest.raises(DatabaseAwayError, match="refused") as caught:
        away.things.find_one({})
    assert 0.5 <= time.monotonic() - began < 1.5
    assert isinstance(caught.value, (UserError, AutoReconnect))
    assert caught.value.__cause__ is connection.error
    assert "Topology" not in str(caught.value)
    assert waits == sorted(waits)
    assert len(waits) >= 2


def test_errors_that_no_repeat_puts_right_are_raised_at_once(
    database: Any, connection: Connection
) -> None:
    connection.fate = ["before"]
    connection.error = OperationFailure("not authorized", 13)
    with pytest.raises(OperationFailure, match="not authorized"):
        database.things.find_one({})
    assert connection.calls == 1


def test_within_impatient_one_try_is_made(database: Any, connection: Connection) -> None:
    connection.fate = ["before"]
    with impatient(), pytest.raises(DatabaseAwayError):
        database.things.find_one({})
    assert connection.calls == 1
    connection.fate = ["before"]
    assert database.things.find_one({}) is None


def test_impatience_inside_impatience_never_waits_longer(
    database: Any, connection: Connection
) -> None:
    connection.fate = ["before"]
    with impatient(0.0), impatient(30.0), pytest.raises(DatabaseAwayError):
        database.things.find_one({})


def test_somebody_who_waits_already_can_be_hurried(real: Any, connection: Connection) -> None:
    patience = Patience(60.0)
    database = patient(FailingDatabase(real, connection), patience=patience)
    connection.fate = ["before"] * 10_000
    raised: list[Exception] = []

    def ask() -> None:
        try:
            database.things.find_one({})
        except DatabaseAwayError as error:
            raised.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.2)
    began = time.monotonic()
    patience.budget_s = 0.0
    thread.join(10)
    assert raised
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (AutoReconnect("x"), True),
        (NetworkTimeout("x"), True),
        (ServerSelectionTimeoutError("x"), True),
        (NotPrimaryError("x"), True),
        (WTimeoutError("waiting for replication timed out", 64), True),
        (OperationFailure("interrupted at shutdown", 11600), True),
        (BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 64}]}), True),
        (BulkWriteError({"writeErrors": [{"code": 1}], "writeConcernErrors": []}), False),
        (OperationFailure("Authentication failed", 18), False),
        (DuplicateKeyError("E11000", 11000), False),
        (ValueError("x"), False),
    ],
)
def test_outages_are_told_from_other_errors(error: Exception, *, outage: bool) -> None:
    assert is_outage(error) is outage


def test_a_reason_holds_no_user_and_no_password() -> None:
    text = reason(AutoReconnect("mongodb://me:s3cret@db.example/name: closed"))
    assert text == "mongodb://db.example/name: closed"


def test_collections_are_reached_as_in_pymongo(database: Any) -> None:
    assert database.things is database["things"]
    assert database.things.full_name == "bench.things"
    assert database.name == "bench"
    with pytest.raises(AttributeError):
        _ = database._private
