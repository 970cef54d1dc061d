"""Reads, writes and indexes as pymongo's users know them."""

import multiprocessing
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import bson
import gridfs
import pytest
from bson import ObjectId
from elsewhere import take_all
from pymongo import (
    DeleteMany,
    DeleteOne,
    InsertOne,
    ReplaceOne,
    ReturnDocument,
    UpdateMany,
    UpdateOne,
)
from pymongo.errors import (
    BulkWriteError,
    CollectionInvalid,
    DocumentTooLarge,
    DuplicateKeyError,
    OperationFailure,
    WriteError,
)

from fireworks_ext.embedded import EmbeddedClient, reads


class State(StrEnum):
    READY = "R"


@pytest.fixture
def client(tmp_path: Path) -> EmbeddedClient:
    return EmbeddedClient(tmp_path / "store.db", "NORMAL")


@pytest.fixture
def things(client: EmbeddedClient) -> Any:
    return client["db"]["things"]


def how(collection: Any, search: dict[str, Any], sort: Any = ()) -> str:
    """Return SQLite's own account of how it would answer."""
    from fireworks_ext.embedded.choice import chosen
    from fireworks_ext.embedded.planner import plan

    layout = collection.layout()
    with collection.file.reading() as connection:
        query = chosen(connection, plan(layout, search, sort))
        rows = connection.execute(f"EXPLAIN QUERY PLAN {query.select(layout)}", query.values)
        return "; ".join(row[3] for row in rows)


def test_what_names_few_rows_is_what_they_are_looked_up_by(things: Any) -> None:
    for path in ("state", "key", "nodes"):
        things.create_index(path)
    things.insert_many([{"_id": i, "state": "idle", "key": None, "nodes": [0]} for i in range(500)])
    things.insert_many([{"_id": -i, "state": "busy", "key": f"k{i}"} for i in range(1, 5)])
    things.update_one({"_id": 7}, {"$set": {"key": "k7", "nodes": [7, 8]}})
    columns = things.layout().column
    state, key = columns("state"), columns("key")
    idle = {"state": "idle"}
    for search, by in (
        ({**idle, "key": {"$in": ["k7", "k8"]}}, f"({key}=?)"),
        ({"key": None, "state": {"$in": ["busy", "none"]}}, f"({state}=?)"),
        ({**idle, "_id": {"$in": [7, 1000]}}, "(k=?)"),
        ({**idle, "nodes": {"$in": [8, 9]}}, "(rowid=?)"),
        ({**idle, "key": "k7", "_id": {"$gt": 5, "$lt": 9}}, f"({key}=?)"),
        ({**idle, "key": "k7", "$or": [{"state": "idle"}, {"_id": 7}]}, f"({key}=?)"),
    ):
        assert by in how(things, search), search
        found = [one["_id"] for one in things.find(search)]
        assert found == ([] if "key" in search and search["key"] is None else [7])
        assert things.count_documents(search) == len(found)


def test_writes_are_there_for_a_client_opened_later(tmp_path: Path) -> None:
    first = EmbeddedClient(tmp_path / "store.db")
    given = first["db"]["c"].insert_one({"x": {"y": [1, "é", None]}, "t": datetime.now(UTC)})
    first.close()
    del first
    found = EmbeddedClient(tmp_path / "store.db")["db"]["c"].find_one({"x.y": "é"})
    assert found is not None
    assert found["_id"] == given.inserted_id
    assert found["t"].tzinfo is None


def test_find_sorts_skips_limits_and_projects(things: Any) -> None:
    things.insert_many([{"_id": i, "a": i % 3, "b": -i} for i in range(9)])
    found = things.find({"a": {"$lt": 2}}, {"b": 1, "_id": 0}).sort([("a", -1), ("b", 1)])
    assert list(found.skip(1).limit(3)) == [{"b": -4}, {"b": -1}, {"b": -6}]
    assert [one["_id"] for one in things.find().sort("a", -1)[:2]] == [2, 5]
    assert things.find().sort("b")[2]["_id"] == 6
    assert things.find_one({"a": 2}, sort=[("b", 1)])["_id"] == 8
    assert things.find_one(4)["a"] == 1
    assert things.find_one({"a": 7}) is None


def test_a_long_result_is_read_in_pages_that_see_later_writes(
    things: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reads, "PAGE", 4)
    things.create_index("a")
    things.insert_many([{"_id": i, "a": 1, "b": -i} for i in range(20)])
    assert [one["_id"] for one in things.find({"a": 1})] == list(range(20))
    cursor = things.find({"a": 1}).sort("_id", -1)
    first = next(cursor)
    things.insert_one({"_id": 50, "a": 1})
    things.delete_one({"_id": 10})
    things.update_one({"_id": 9}, {"$set": {"a": 2}})
    rest = [one["_id"] for one in cursor]
    assert [first["_id"], *rest] == [i for i in range(19, -1, -1) if i not in (9, 10)]
    things.update_many({"a": 1}, {"$set": {"a": 3}})
    assert things.count_documents({"a": 3}) == 19


def test_a_cursor_is_not_disturbed_by_writes_during_its_iteration(things: Any) -> None:
    things.create_index("a")
    things.insert_many([{"a": 1, "n": i} for i in range(10)])
    for one in things.find({"a": 1}):
        things.update_one({"_id": one["_id"]}, {"$set": {"a": 2}})
        things.insert_one({"a": 1, "late": True})
    assert things.count_documents({"a": 2}) == 10


def test_equality_ranges_lists_and_arrays_are_answered_by_indexes(things: Any) -> None:
    things.create_index("fw_id", unique=True)
    things.create_index("nodes")
    things.create_index([("state", -1), ("p", -1)])
    things.insert_many(
        [{"fw_id": i, "nodes": [i, i + 1], "state": "RW"[i % 2], "p": None} for i in range(50)]
    )
    for search in (
        {"fw_id": 3},
        {"fw_id": {"$in": [1, 2]}},
        {"fw_id": {"$gte": 10, "$lt": 20}},
        {"nodes": 7},
        {"nodes": {"$in": [7, 8]}},
        {"$or": [{"fw_id": 3}, {"nodes": 9}]},
        {"_id": ObjectId()},
        {"state": "R", "q": {"$exists": False}},
    ):
        account = how(things, search)
        assert "SCAN d" not in account, (search, account)
        assert "SEARCH d" in account or "MULTI-INDEX OR" in account, (search, account)
    assert [one["fw_id"] for one in things.find({"nodes": 7})] == [6, 7]


def test_filters_that_the_keys_decide_are_counted_without_reading_documents(
    things: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for keys in ("state", [("campaign", 1), ("state", 1)], "n", "day"):
        things.create_index(keys)
    things.insert_many(
        [
            {
                "campaign": "ab"[i % 2],
                "state": "RWC"[i % 3],
                "n": i,
                "day": datetime(2026, 1, 1 + i, tzinfo=UTC),
            }
            for i in range(24)
        ]
    )
    monkeypatch.setattr(bson, "decode", None)
    for search, number in (
        ({"campaign": "a", "state": "R"}, 4),
        ({"campaign": "a", "state": {"$in": ["R", "W"]}}, 8),
        ({"state": State.READY}, 8),
        ({"state": {"$nin": ["R", "W"]}}, 8),
        ({"n": {"$gte": 3, "$lt": 8}, "campaign": {"$ne": "a"}}, 3),
        ({"day": {"$gte": datetime(2026, 1, 11, tzinfo=UTC)}}, 14),
        ({"$or": [{"n": 3}, {"state": "C"}], "$and": [{"campaign": "b"}]}, 5),
        ({"campaign": None}, 0),
    ):
        assert things.count_documents(search) == number, search
    assert sorted(things.distinct("state", {"campaign": "a"})) == ["C", "R", "W"]
    assert len(things.distinct("day")) == 24


def test_different_values_are_told_apart_as_documents_have_them(things: Any) -> None:
    for late in (False, True):
        things.drop()
        if not late:
            things.create_index("a")
        things.insert_many([{"a": 1}, {"a": 2.5}, {"a": None}, {}, {"a": "x"}, {"a": True}])
        if late:
            things.create_index("a")
        found = things.distinct("a")
        assert [type(one) for one in found] == [type(None), int, float, str, bool]
        things.insert_one({"a": {"d": 1}})
        things.insert_one({"a": ["x", "y"]})
        assert len(things.distinct("a")) == 7
    things.drop()
    things.create_index("a")
    things.insert_many([{"a": i} for i in range(700)] + [{}])
    assert sorted(things.distinct("a")) == list(range(700))
    assert things.distinct("a", {"a": {"$gt": 698}}) == [699]


def test_the_first_of_a_queue_needs_no_sorting(things: Any) -> None:
    things.create_index([("state", -1), ("p", -1), ("created", -1)])
    things.insert_many([{"_id": i, "state": "READY", "created": i} for i in range(30)])
    sort = [("p", -1)]
    taken = [
        things.find_one_and_update({"state": "READY"}, {"$set": {"state": "DONE"}}, sort=sort)
        for _ in range(3)
    ]
    assert [one["_id"] for one in taken] == [0, 1, 2]  # equals: first in, first out
    assert "TEMP B-TREE" not in how(things, {"state": "READY"}, sort)


def test_a_unique_index_refuses_a_second_document_with_its_key(things: Any) -> None:
    things.create_index([("a", 1), ("b.c", -1)], unique=True)
    things.insert_one({"a": 1, "b": {"c": 2}})
    things.insert_one({"a": 1})
    with pytest.raises(DuplicateKeyError, match=r"a_1_b\.c_-1") as caught:
        things.insert_one({"a": 1.0, "b": {"c": 2}})
    assert caught.value.code == 11000
    assert caught.value.details is not None
    assert caught.value.details["keyPattern"] == {"a": 1, "b.c": -1}
    with pytest.raises(DuplicateKeyError):
        things.insert_one({"a": 1, "b": None})  # missing and null are one key
    with pytest.raises(DuplicateKeyError):
        things.update_one({"b.c": 2}, {"$unset": {"b": ""}})
    with pytest.raises(DuplicateKeyError, match="_id_"):
        things.insert_one({"_id": things.find_one()["_id"]})
    assert things.count_documents({}) == 2


def test_a_unique_index_on_an_array_holds_for_each_element(things: Any) -> None:
    things.create_index("tags", unique=True)
    things.insert_one({"_id": 1, "tags": ["a", "b"]})
    for tags in ("b", ["c", "b"], ["a"]):
        with pytest.raises(DuplicateKeyError):
            things.insert_one({"tags": tags})
    things.insert_one({"_id": 2, "tags": ["c", "c"]})
    things.update_one({"_id": 1}, {"$push": {"tags": "d"}})
    with pytest.raises(DuplicateKeyError):
        things.update_one({"_id": 1}, {"$push": {"tags": "c"}})


def test_a_unique_index_is_refused_where_documents_already_share_a_key(things: Any) -> None:
    things.insert_many([{"a": [1, 2]}, {"a": [3, 2]}, {"b": 1}])
    with pytest.raises(DuplicateKeyError):
        things.create_index("a", unique=True)
    assert set(things.index_information()) == {"_id_"}
    things.delete_one({"a": 3})
    assert things.create_index("a", unique=True) == "a_1"


def test_sparse_and_partial_unique_indexes_leave_documents_out(things: Any) -> None:
    things.create_index("s", unique=True, sparse=True)
    things.create_index("p", unique=True, partialFilterExpression={"live": True}, name="one live p")
    things.insert_many([{"p": 1}, {"p": 1}, {"p": 1, "live": True}])
    with pytest.raises(DuplicateKeyError, match="one live p"):
        things.insert_one({"p": 1, "live": True})
    things.insert_one({"p": 2, "s": 1})
    with pytest.raises(DuplicateKeyError, match="s_1"):
        things.insert_one({"s": 1})
    things.update_one({"live": True}, {"$set": {"live": False}})
    things.insert_one({"p": 1, "live": True})
    things.drop_index("one live p")
    things.insert_one({"p": 1, "live": True})


def test_indexes_are_listed_made_once_and_dropped(things: Any) -> None:
    assert things.create_index([("a", 1), ("b", -1)], background=True) == "a_1_b_-1"
    assert things.create_index([("a", 1), ("b", -1)]) == "a_1_b_-1"
    with pytest.raises(OperationFailure, match="different options"):
        things.create_index([("a", 1), ("b", -1)], unique=True)
    assert things.index_information()["a_1_b_-1"] == {"v": 2, "key": [("a", 1), ("b", -1)]}
    assert [one["name"] for one in things.list_indexes()] == ["_id_", "a_1_b_-1"]
    things.drop_index("a_1_b_-1")
    with pytest.raises(OperationFailure, match="index not found"):
        things.drop_index("a_1_b_-1")
    with pytest.raises(OperationFailure, match="expireAfterSeconds"):
        things.create_index("a", expireAfterSeconds=60)
    with pytest.raises(OperationFailure, match="'text' index"):
        things.create_index([("a", "text")])


def test_an_upsert_makes_a_document_of_its_filter(things: Any) -> None:
    done = things.update_one(
        {"a": 1, "b.c": {"$eq": 2}, "n": {"$gt": 3}},
        {"$set": {"x": 1}, "$setOnInsert": {"y": 2}},
        upsert=True,
    )
    expected = {"_id": done.upserted_id, "a": 1, "b": {"c": 2}, "x": 1, "y": 2}
    assert things.find_one() == expected
    again = things.find_one_and_update(
        {"a": 1},
        {"$inc": {"x": 5}, "$setOnInsert": {"y": 3}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    assert again == {**expected, "x": 6}
    assert things.find_one_and_update({"a": 9}, {"$set": {"x": 1}}, upsert=True) is None
    assert things.count_documents({}) == 2


def test_find_one_and_replace_and_delete_follow_the_sort(things: Any) -> None:
    things.insert_many([{"_id": i, "p": i % 2} for i in range(4)])
    old = things.find_one_and_replace({}, {"q": 1}, sort=[("p", -1), ("_id", -1)])
    assert old == {"_id": 3, "p": 1}
    assert things.find_one({"_id": 3}) == {"_id": 3, "q": 1}
    assert things.find_one_and_delete({"p": 0}, {"_id": 1}, sort=[("_id", -1)]) == {"_id": 2}
    assert things.find_one_and_delete({"p": 7}) is None


def test_an_id_cannot_be_changed(things: Any) -> None:
    things.insert_one({"_id": 1})
    with pytest.raises(WriteError, match="immutable"):
        things.update_one({"_id": 1}, {"$set": {"_id": 2}})
    assert things.find_one() == {"_id": 1}


def test_a_failed_update_of_many_changes_none(things: Any) -> None:
    things.insert_many([{"n": 1}, {"n": "text"}])
    with pytest.raises(TypeError):
        things.update_many({}, {"$inc": {"n": 1}})
    assert things.count_documents({"n": 1}) == 1


def test_insert_many_stores_what_is_not_a_duplicate(things: Any) -> None:
    with pytest.raises(BulkWriteError) as caught:
        things.insert_many([{"_id": 1}, {"_id": 1}, {"_id": 2}])
    assert caught.value.details["nInserted"] == 1
    with pytest.raises(BulkWriteError) as caught:
        things.insert_many([{"_id": 1}, {"_id": 1, "x": 1}, {"_id": 2}], ordered=False)
    assert [error["index"] for error in caught.value.details["writeErrors"]] == [0, 1]
    assert [one["_id"] for one in things.find()] == [1, 2]


def test_many_documents_are_inserted_around_duplicates(things: Any) -> None:
    things.create_index("key", unique=True)
    things.create_index("nodes")
    things.insert_one({"key": 1500, "nodes": [1]})
    new = [{"_id": i, "key": i if i != 7 else 6, "nodes": [i, -i]} for i in range(2500)]
    with pytest.raises(BulkWriteError) as caught:
        things.insert_many(new, ordered=False)
    assert [error["index"] for error in caught.value.details["writeErrors"]] == [7, 1500]
    assert caught.value.details["nInserted"] == 2498
    assert things.count_documents({}) == 2499
    assert things.find_one({"nodes": -2499})["key"] == 2499
    assert things.find_one({"nodes": 7}) is None
    with pytest.raises(BulkWriteError) as caught:
        things.insert_many([{"key": 3000}, {"key": 3}, {"key": 3001}])
    assert [error["index"] for error in caught.value.details["writeErrors"]] == [1]
    assert caught.value.details["writeErrors"][0]["keyPattern"] == {"key": 1}
    assert things.count_documents({"key": {"$gte": 2500}}) == 1


def test_a_bulk_write_reports_the_updates_that_make_duplicates(things: Any) -> None:
    things.create_index("key", unique=True)
    things.insert_many([{"_id": i, "key": i, "group": 1} for i in range(3)])
    with pytest.raises(BulkWriteError) as caught:
        things.bulk_write(
            [
                UpdateOne({"_id": 0}, {"$set": {"n": 1}}),
                UpdateOne({"_id": 1}, {"$set": {"key": 2, "n": 1}}),
                UpdateMany({"group": 1}, {"$set": {"key": 9}}),
                UpdateOne({"_id": 2}, {"$set": {"n": 1}}),
                UpdateOne({"_id": 7}, {"$set": {"key": 0}}, upsert=True),
            ],
            ordered=False,
        )
    details = caught.value.details
    assert [error["index"] for error in details["writeErrors"]] == [1, 2, 4]
    assert (details["nMatched"], details["nModified"], details["nUpserted"]) == (2, 2, 0)
    assert [one["key"] for one in things.find()] == [0, 1, 2]
    assert things.count_documents({"n": 1}) == 2


def test_bulk_write_does_pymongos_operations(things: Any) -> None:
    result = things.bulk_write(
        [
            InsertOne({"_id": 1, "a": 1}),
            InsertOne({"_id": 2, "a": 1}),
            UpdateOne({"a": 1}, {"$set": {"b": 1}}),
            UpdateOne({"_id": 9}, {"$set": {"b": 2}}, upsert=True),
            UpdateMany({"a": 1}, {"$inc": {"a": 1}}),
            ReplaceOne({"_id": 2}, {"c": 3}),
            ReplaceOne({"_id": 3}, {"c": 4}, upsert=True),
            DeleteOne({"_id": 9}),
            DeleteMany({"c": 4}),
        ]
    )
    assert list(things.find()) == [{"_id": 1, "a": 2, "b": 1}, {"_id": 2, "c": 3}]
    assert (result.inserted_count, result.matched_count, result.modified_count) == (2, 4, 4)
    assert (result.deleted_count, result.upserted_count) == (2, 2)
    assert result.upserted_ids == {3: 9, 6: 3}


@pytest.mark.parametrize(("ordered", "left"), [(True, [1]), (False, [1, 3])])
def test_a_bulk_write_leaves_out_what_fails(things: Any, ordered: bool, left: list[int]) -> None:  # noqa: FBT001
    things.create_index("tags", unique=True)
    operations = [
        InsertOne({"_id": 1, "tags": ["a"]}),
        InsertOne({"_id": 2, "tags": ["b", "a"]}),
        InsertOne({"_id": 3, "tags": ["b"]}),
    ]
    with pytest.raises(BulkWriteError) as caught:
        things.bulk_write(operations, ordered=ordered)
    assert [error["index"] for error in caught.value.details["writeErrors"]] == [1]
    assert [one["_id"] for one in things.find()] == left
    assert [one["_id"] for one in things.find({"tags": "b"})] == left[1:]


def test_a_bulk_write_that_cannot_go_on_stores_nothing(things: Any) -> None:
    with pytest.raises(TypeError):
        things.bulk_write([InsertOne({"n": "x"}), UpdateOne({}, {"$inc": {"n": 1}})])
    assert things.count_documents({}) == 0


def test_pipelines_match_join_and_group(client: EmbeddedClient, things: Any) -> None:
    client["db"]["parts"].insert_many([{"of": i % 2, "w": i} for i in range(4)])
    things.insert_many([{"_id": 0, "k": "a"}, {"_id": 1, "k": "b"}, {"_id": 2, "k": "b"}])
    lookup = {"from": "parts", "localField": "_id", "foreignField": "of", "as": "p"}
    joined = things.aggregate(
        [
            {"$match": {"_id": {"$lt": 2}}},
            {"$lookup": lookup},
            {"$unwind": "$p"},
            {"$replaceRoot": {"newRoot": "$p"}},
            {"$group": {"_id": "$of", "sum": {"$sum": "$w"}}},
            {"$sort": {"_id": 1}},
        ]
    )
    assert list(joined) == [{"_id": 0, "sum": 2}, {"_id": 1, "sum": 4}]
    assert list(things.aggregate([{"$match": {"k": "b"}}, {"$count": "n"}])) == [{"n": 2}]
    assert list(things.aggregate([{"$match": {"k": "x"}}, {"$count": "n"}])) == []


def test_dates_and_texts_of_dates_sort_together(things: Any) -> None:
    things.insert_many(
        [
            {"_id": 1, "t": "2026-01-03T00:00:00"},
            {"_id": 2, "t": datetime(2026, 1, 1, tzinfo=UTC)},
            {"_id": 3, "t": "2026-01-02T00:00:00+00:00"},
            {"_id": 4, "t": "soon"},
        ]
    )
    date = {"$dateFromString": {"dateString": "$t", "onError": "$t"}}
    found = list(things.aggregate([{"$set": {"t": date}}, {"$sort": {"t": 1}}]))
    assert [one["_id"] for one in found] == [4, 2, 3, 1]


def test_a_document_above_16_mb_is_too_large(things: Any) -> None:
    with pytest.raises(DocumentTooLarge):
        things.insert_one({"x": b"0" * (16 * 1024 * 1024)})
    things.insert_one({"_id": 1, "x": b"0" * (15 * 1024 * 1024)})
    with pytest.raises(DocumentTooLarge):
        things.update_one({"_id": 1}, {"$set": {"y": b"0" * (2 * 1024 * 1024)}})
    assert "y" not in things.find_one()


def test_gridfs_keeps_files(client: EmbeddedClient) -> None:
    files = gridfs.GridFS(client["db"], "files")  # type: ignore[arg-type]
    content = bytes(range(256)) * 4000
    number = files.put(content, metadata={"launch_id": 3})
    assert files.get(number).read() == content
    assert [one._id for one in files.find({"metadata.launch_id": 3})] == [number]
    files.delete(number)
    assert not files.exists(number)


def test_collections_are_made_listed_renamed_and_dropped(client: EmbeddedClient) -> None:
    db = client["db"]
    db.create_collection("empty")
    with pytest.raises(CollectionInvalid):
        db.create_collection("empty")
    db.a.insert_one({"_id": 1, "x": [1]})
    db.a.create_index("x")
    client["other"]["b"].insert_one({})
    assert db.list_collection_names() == ["empty", "a"]
    assert client.list_database_names() == ["db", "other"]
    db.a.rename("z")
    assert db.z.find_one({"x": 1}) == {"_id": 1, "x": [1]}
    assert db.a.find_one() is None
    with pytest.raises(OperationFailure, match="already exists"):
        db.z.rename("empty")
    db.z.rename("empty", dropTarget=True)
    assert db.empty.count_documents({}) == 1
    db.drop_collection("empty")
    assert db.list_collection_names() == []
    assert db.empty.index_information() == {}
    client.drop_database("other")
    assert client.list_database_names() == []


def test_commands_that_have_a_meaning_answer(client: EmbeddedClient) -> None:
    assert client.admin.command("ping")["ok"] == 1
    client["db"]["c"].insert_one({})
    assert client["db"].command({"compact": "c"})["ok"] == 1
    with pytest.raises(OperationFailure, match="no such command"):
        client["db"].command("dropUser", "ada")


@pytest.mark.parametrize("option", ["session", "array_filters", "collation", "let"])
def test_options_that_would_change_the_result_are_refused(things: Any, option: str) -> None:
    with pytest.raises(NotImplementedError, match=option):
        things.update_one({}, {"$set": {"x": 1}}, **{option: object()})


def test_a_wrong_filter_is_an_error_even_in_an_empty_collection(things: Any) -> None:
    with pytest.raises(OperationFailure, match="unknown operator"):
        things.find_one({"a": {"$near_enough": 1}})


def test_a_long_list_of_values_is_found_quickly(things: Any) -> None:
    things.create_index("n")
    things.insert_many([{"n": i} for i in range(3000)])
    wanted = list(range(0, 6000, 2))
    assert things.count_documents({"n": {"$in": wanted}}) == 1500
    assert len(list(things.find({"n": {"$in": wanted}}))) == 1500


def test_several_processes_never_take_the_same_document(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    jobs = EmbeddedClient(path)["db"]["jobs"]
    jobs.create_index([("state", 1), ("p", -1)])
    jobs.insert_many([{"_id": i, "state": "READY", "p": i % 3} for i in range(300)])
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=take_all, args=(path, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    taken = [number for _ in workers for number in results.get(timeout=60)]
    for worker in workers:
        worker.join()
    assert sorted(taken) == list(range(300))


def test_an_index_made_by_another_process_is_seen(tmp_path: Path) -> None:
    import subprocess
    import sys

    path = tmp_path / "store.db"
    ours = EmbeddedClient(path)["db"]["c"]
    ours.insert_one({"a": 1})
    assert "SCAN" in how(ours, {"a": 1})
    program = (
        "import sys; from fireworks_ext.embedded import EmbeddedClient;"
        "c = EmbeddedClient(sys.argv[1])['db']['c']; c.create_index('a');"
        "c.insert_one({'a': [1, 2]})"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, cwd=root)
    assert ours.count_documents({"a": 1}) == 2
    assert "SCAN" not in how(ours, {"a": 1})
