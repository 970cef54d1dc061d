"""What Amazon DocumentDB does not document is noticed, in this process and in others."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from documentdb_listener import objections
from pymongo import MongoClient
from pymongo.errors import PyMongoError

Client = MongoClient[dict[str, Any]]


@pytest.mark.parametrize(
    ("name", "command", "objection"),
    [
        ("aggregate", {"pipeline": [{"$facet": {}}]}, "aggregation stage $facet"),
        ("aggregate", {"pipeline": [{"$set": {"a": 1}}]}, "aggregation stage $set"),
        ("aggregate", {"pipeline": [{"$match": {"$expr": {}}}]}, "query operator $expr"),
        (
            "aggregate",
            {"pipeline": [{"$group": {"_id": {"$dateTrunc": {}}}}]},
            "expression operator $dateTrunc",
        ),
        ("find", {"filter": {"a": {"$not": {"$near": 1}}}}, "query operator $near"),
        ("find", {"filter": {"$or": [{"$where": "1"}]}}, "query operator $where"),
        ("find", {"filter": {}, "collation": {}}, "find: option collation"),
        (
            "find",
            {"filter": {"a": {"$elemMatch": {"b": 1, "c": 2}}}},
            "query operator $elemMatch with fields",
        ),
        ("insert", {"documents": [], "startTransaction": True}, "insert: option startTransaction"),
        ("commitTransaction", {}, "command commitTransaction"),
        ("mapReduce", {}, "command mapReduce"),
        ("bulkWrite", {}, "command bulkWrite"),
        (
            "update",
            {"updates": [{"q": {}, "u": {"$set": {"a": 1}}, "arrayFilters": []}]},
            "update: option arrayFilters",
        ),
        ("update", {"updates": [{"q": {}, "u": [{"$set": {}}]}]}, "update by a pipeline"),
        (
            "update",
            {"updates": [{"q": {}, "u": {"$set": {"a.$.b": 1}}}]},
            "positional operator in a.$.b",
        ),
        (
            "findAndModify",
            {"query": {}, "update": {"$push": {"a": {"$each": [], "$slice": 3}}}},
            "$push with $slice",
        ),
        ("findAndModify", {"query": {}, "update": {"$bit": {}}}, "update operator $bit"),
        ("delete", {"deletes": [{"q": {"$text": {}}}]}, "query operator $text"),
        (
            "createIndexes",
            {"indexes": [{"key": {"a": 1}, "partialFilterExpression": {}}]},
            "index property partialFilterExpression",
        ),
        ("createIndexes", {"indexes": [{"key": {"a": "hashed"}}]}, "index of kind hashed"),
        (
            "createIndexes",
            {"indexes": [{"key": {"a": 1}, "name": "n" * 57}]},
            "index name of 64 characters",
        ),
    ],
)
def test_there_is_an_objection_to(name: str, command: dict[str, Any], objection: str) -> None:
    assert list(objections(name, {name: "things", **command})) == [objection]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("find", {"filter": {"a.b": {"$in": ["$where"]}, "c": {"d": 1}}, "lsid": {}, "$db": "x"}),
        ("find", {"filter": {"$or": [{"a": {"$not": {"$gt": 1}}}, {"b": {"$exists": False}}]}}),
        ("update", {"updates": [{"q": {}, "u": {"_id": 1, "whole": {"$schema": 1}}}]}),
        ("update", {"updates": [{"q": {}, "u": {"$addToSet": {"a": {"$each": [1]}}}}]}),
        ("aggregate", {"pipeline": [{"$group": {"_id": "$a", "n": {"$sum": 1}}}], "cursor": {}}),
        ("createIndexes", {"indexes": [{"key": {"a": 1, "b": -1}, "name": "x", "unique": True}]}),
    ],
)
def test_there_is_no_objection_to(name: str, command: dict[str, Any]) -> None:
    assert list(objections(name, {name: "things", **command})) == []


@pytest.mark.parametrize(
    ("send", "objection"),
    [
        (lambda db: db.things.aggregate([{"$facet": {"a": []}}]), "aggregation stage $facet"),
        (lambda db: db.things.aggregate([{"$set": {"a": 1}}]), "aggregation stage $set"),
        (
            lambda db: db.things.update_one({}, {"$set": {"a": 1}}, array_filters=[{"x": 1}]),
            "update: option arrayFilters",
        ),
    ],
    ids=["facet", "set", "array filters"],
)
def test_what_a_client_sends_is_seen(
    mongodb: str, allowed_commands: Any, send: Callable[[Any], Any], objection: str
) -> None:
    with Client(mongodb) as client, suppress(PyMongoError):  # whatever the server makes of it
        send(client.get_default_database())
    assert any(objection in one for one in allowed_commands.objections())


def test_what_another_process_sends_is_seen(mongodb: str, allowed_commands: Any) -> None:
    program = f"""
from pymongo import MongoClient
with MongoClient({mongodb!r}) as client:
    client.get_default_database().things.find_one({{"$expr": {{"$eq": [1, 1]}}}})
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    assert allowed_commands.objections() == ["query operator $expr (in find)"]


def test_what_is_allowed_passes_unnoticed(any_server: str, allowed_commands: Any) -> None:
    with Client(any_server) as client:
        things = client.get_default_database()["things"]
        things.create_index([("a", 1), ("b", -1)], unique=True)
        things.insert_many([{"a": 1, "b": n} for n in range(3)])
        things.find_one_and_update({"b": {"$gt": 0}}, {"$inc": {"c": 1}}, sort=[("b", -1)])
        counted = list(things.aggregate([{"$group": {"_id": "$a", "n": {"$sum": 1}}}]))
    assert counted == [{"_id": 1, "n": 3}]
    assert allowed_commands.objections() == []
