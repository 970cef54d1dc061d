"""Inserting once, however often it is tried: a document that is there already was ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bson
from bson import ObjectId
from pymongo import InsertOne
from pymongo.errors import BulkWriteError, DuplicateKeyError
from pymongo.results import BulkWriteResult, InsertManyResult, InsertOneResult

DUPLICATE = 11000
"""MongoDB's code of an insertion that found the `_id`, or another unique key, taken."""
MOST_IDS = 1000
"""Of a question for documents by their `_id`, so that it stays a small message."""


def identified(documents: Sequence[Any]) -> set[int]:
    """Give an `_id` to documents without one and return their positions: none else has such."""
    own = set()
    for position, document in enumerate(documents):
        if "_id" not in document:
            document["_id"] = ObjectId()
            own.add(position)
    return own


def insert_one(
    collection: Any, document: Any, own: set[int], *args: Any, **options: Any
) -> InsertOneResult:
    """Insert a document that an earlier try may have inserted."""
    try:
        return collection.insert_one(document, *args, **options)  # type: ignore[no-any-return]
    except DuplicateKeyError:
        if not _ours(collection, [document], own):
            raise
    return InsertOneResult(document["_id"], acknowledged=True)


def insert_many(
    collection: Any, documents: Sequence[Any], own: set[int], **options: Any
) -> InsertManyResult:
    """Insert documents of which an earlier try may have inserted some."""
    try:
        collection.insert_many(documents, ordered=False, **options)
    except BulkWriteError as error:
        left = _without_ours(collection, documents, own, error)
        if left["writeErrors"]:
            raise BulkWriteError(left) from error
        if left.get("writeConcernErrors"):
            raise
    return InsertManyResult([one["_id"] for one in documents], acknowledged=True)


def inserted_by(requests: Sequence[Any]) -> list[Any]:
    """Return the documents that writes in bulk insert."""
    return [one._doc for one in requests if isinstance(one, InsertOne)]  # noqa: SLF001  (its only name)


def bulk_write(
    collection: Any, requests: Sequence[Any], own: set[int], *args: Any, **options: Any
) -> BulkWriteResult:
    """Carry out writes of which an earlier try may have carried out some.

    `own` are positions among the documents that they insert.
    """
    documents = inserted_by(requests)
    there = {id(documents[position]) for position in _ours(collection, documents, own)}
    rest = [
        one
        for one in requests
        if not (isinstance(one, InsertOne) and id(one._doc) in there)  # noqa: SLF001  (as above)
    ]
    if rest:
        return collection.bulk_write(rest, *args, **options)  # type: ignore[no-any-return]
    nothing = ("nInserted", "nUpserted", "nMatched", "nModified", "nRemoved")
    return BulkWriteResult({**dict.fromkeys(nothing, 0), "upserted": []}, acknowledged=True)


def _without_ours(
    collection: Any, documents: Sequence[Any], own: set[int], error: BulkWriteError
) -> dict[str, Any]:
    """Return the details of an error without the complaints about our own documents."""
    details = dict(error.details)
    twice = [one["index"] for one in details["writeErrors"] if one.get("code") == DUPLICATE]
    some = [documents[position] for position in twice]
    ours = _ours(collection, some, {n for n, position in enumerate(twice) if position in own})
    dropped = {twice[n] for n in ours}
    details["writeErrors"] = [one for one in details["writeErrors"] if one["index"] not in dropped]
    details["nInserted"] = details.get("nInserted", 0) + len(dropped)
    return details


def _ours(collection: Any, documents: Sequence[Any], own: set[int]) -> list[int]:
    """Return the positions of the documents that are stored as they are, or whose `_id` is ours."""
    stored: dict[Any, Any] = {}
    ids = [one["_id"] for one in documents]
    for start in range(0, len(ids), MOST_IDS):
        query = {"_id": {"$in": ids[start : start + MOST_IDS]}}
        stored.update((_hashable(one["_id"]), one) for one in collection.find(query))
    found = []
    for position, document in enumerate(documents):
        there = stored.get(_hashable(document["_id"]))
        if there is not None and (position in own or there == _as_stored(collection, document)):
            found.append(position)
    return found


def _as_stored(collection: Any, document: Any) -> Any:
    """Return the document as the database gives it back: whole milliseconds, lists for tuples."""
    return bson.decode(bson.encode(document), codec_options=collection.codec_options)


def _hashable(identity: Any) -> Any:
    return identity if not isinstance(identity, (dict, list)) else bson.encode({"_id": identity})


def insert_new(collection: Any, documents: Sequence[Any]) -> list[Any]:
    """Insert documents; where one is there already, the first stays. Return the `_id`s of those.

    An upsert with `$setOnInsert` would do it too, but not everywhere: FerretDB leaves out fields
    that are null or empty.
    """
    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        errors = error.details["writeErrors"]
        if error.details.get("writeConcernErrors") or any(e["code"] != DUPLICATE for e in errors):
            raise
        return [documents[one["index"]]["_id"] for one in errors]
    return []
