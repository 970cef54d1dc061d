"""Objections to commands that Amazon DocumentDB 5.0 does not document, whatever server hears them.

The lists follow its developer guide, "Supported MongoDB APIs, operations, and data types" and
"Index properties", and for operators AWS's own list (awslabs/amazon-documentdb-tools, compat-tool),
November 2026. They are shorter than those: what a server of our tests refuses or gets wrong is
left out too (transactions, updates by pipelines, surgery on arrays, `$lookup`, conditions on fields
in `$elemMatch`, partial and TTL indexes), and so is what nothing of ours needs. pymongo swallows
what a listener raises, so objections are written to a file, by every process that has its name in
the environment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pymongo import monitoring

FILE = "MATCAMPAIGN_TEST_OBJECTIONS"
"""Environment variable with the name of the file of objections; commands pass unseen without it."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


OF_THE_DRIVER = _names("lsid txnNumber $clusterTime $db $readPreference readConcern writeConcern")
OPTIONS: Mapping[str, frozenset[str]] = {
    "find": _names("filter projection sort skip limit singleBatch batchSize hint"),
    "getMore": _names("collection batchSize"),
    "killCursors": _names("cursors"),
    "insert": _names("documents ordered"),
    "update": _names("updates ordered"),
    "delete": _names("deletes ordered"),
    "findAndModify": _names("query sort update remove new upsert fields hint"),
    "aggregate": _names("pipeline cursor allowDiskUse hint"),
    "count": _names("query limit skip hint"),
    "distinct": _names("key query"),
    "createIndexes": _names("indexes"),
    "dropIndexes": _names("index"),
    "create": _names(""),
    "drop": _names(""),
    "dropDatabase": _names(""),
    "listCollections": _names("filter nameOnly cursor authorizedCollections"),
    "listDatabases": _names("filter nameOnly"),
    "listIndexes": _names("cursor"),
    "collStats": _names("scale"),
    "dbStats": _names("scale"),
    "explain": _names("verbosity"),
    "buildInfo": _names(""),
    "connectionStatus": _names("showPrivileges"),
    "hello": _names("helloOk"),
    "isMaster": _names("helloOk"),
    "hostInfo": _names(""),
    "ping": _names(""),
    "serverStatus": _names(""),
    "saslStart": _names("mechanism payload options autoAuthorize"),
    "saslContinue": _names("conversationId payload"),
    # pymongo sends it when it closes, and does not look at the answer.
    "endSessions": _names(""),
}
ONE_UPDATE = _names("q u upsert multi hint")
ONE_DELETE = _names("q limit hint")
LONGEST_INDEX_NAME = 63
"""With the collection's name and a `$` before it ("Quotas and limits", naming constraints)."""
INDEX_PROPERTIES = _names("key name unique sparse background v")

CONNECTIVES = _names("$and $or $nor")
CONDITIONS = _names(
    "$eq $ne $gt $gte $lt $lte $in $nin $exists $type $all $size $mod $regex $options"
)
UPDATES = _names(
    "$set $setOnInsert $unset $inc $mul $min $max $rename $currentDate"
    " $push $addToSet $pull $pullAll $pop"
)
STAGES = _names("$match $group $sort $skip $limit $project $unwind $addFields $count")
EXPRESSIONS = _names(
    "$sum $avg $min $max $first $last $push $addToSet"
    " $abs $add $subtract $multiply $divide $mod $ceil $floor"
    " $eq $ne $gt $gte $lt $lte $cmp $and $or $not $cond $ifNull $literal"
    " $concat $toLower $toUpper $split $substrCP $strLenCP $toString"
    " $size $in $arrayElemAt $concatArrays $filter $map $isArray $slice $objectToArray"
    " $arrayToObject $mergeObjects $dateToString"
)


def objections(name: str, command: Mapping[str, Any]) -> Iterator[str]:
    """Say what in a command is outside the lists."""
    if name not in OPTIONS:
        yield f"command {name}"
        return
    given = {option for option, value in command.items() if value is not None}
    for option in given - {name} - OPTIONS[name] - OF_THE_DRIVER:
        yield f"{name}: option {option}"
    for condition in ("filter", "query"):
        yield from _of_query(command.get(condition))
    if name == "findAndModify":
        yield from _of_update(command.get("update"))
    for one in command.get("updates", ()) if name == "update" else ():
        yield from (f"update: option {option}" for option in set(one) - ONE_UPDATE)
        yield from _of_query(one["q"])
        yield from _of_update(one["u"])
    for one in command.get("deletes", ()) if name == "delete" else ():
        yield from (f"delete: option {option}" for option in set(one) - ONE_DELETE)
        yield from _of_query(one["q"])
    for stage in command.get("pipeline", ()):
        yield from _of_stage(stage)
    for index in command.get("indexes", ()):
        yield from (f"index property {option}" for option in set(index) - INDEX_PROPERTIES)
        yield from (f"index of kind {one}" for one in index["key"].values() if one not in {1, -1})
        full_name = f"{command.get('createIndexes', '')}${index.get('name', '')}"
        if len(full_name) > LONGEST_INDEX_NAME:
            yield f"index name of {len(full_name)} characters"


def _of_query(query: Any) -> Iterator[str]:
    for field, wanted in (query or {}).items():
        if field in CONNECTIVES:
            for part in wanted:
                yield from _of_query(part)
        elif field.startswith("$"):
            yield f"query operator {field}"
        else:
            yield from _of_path(field)
            yield from _of_condition(wanted)


def _of_condition(wanted: Any) -> Iterator[str]:
    """Say what is wrong with the condition on a field; a document without operators is a value."""
    if not _has_operators(wanted):
        return
    for operator, operand in wanted.items():
        if operator == "$not":
            yield from _of_condition(operand)
        elif operator == "$elemMatch":
            if _has_operators(operand):
                yield from _of_condition(operand)
            else:
                yield "query operator $elemMatch with fields"
        elif operator not in CONDITIONS:
            yield f"query operator {operator}"


def _of_update(update: Any) -> Iterator[str]:
    if isinstance(update, list):
        yield "update by a pipeline"
        return
    for operator, changes in (update or {}).items():
        if not operator.startswith("$"):
            return  # the whole document is replaced
        if operator not in UPDATES:
            yield f"update operator {operator}"
            continue
        for path, value in changes.items():
            yield from _of_path(path)
            if operator in {"$push", "$addToSet"} and _has_operators(value):
                yield from (f"{operator} with {one}" for one in set(value) - {"$each"})
            if operator == "$pull":
                yield from _of_condition(value)


def _of_path(path: str) -> Iterator[str]:
    if any(part.startswith("$") for part in path.split(".")):
        yield f"positional operator in {path}"


def _of_stage(stage: Mapping[str, Any]) -> Iterator[str]:
    for operator, operand in stage.items():
        if operator not in STAGES:
            yield f"aggregation stage {operator}"
        elif operator == "$match":
            yield from _of_query(operand)
        elif operator not in {"$sort", "$skip", "$limit", "$unwind", "$count"}:
            yield from _of_expression(operand)


def _of_expression(expression: Any) -> Iterator[str]:
    if isinstance(expression, Mapping):
        for key, value in expression.items():
            if key.startswith("$") and key not in EXPRESSIONS:
                yield f"expression operator {key}"
            elif key != "$literal":
                yield from _of_expression(value)
    elif isinstance(expression, list):
        for one in expression:
            yield from _of_expression(one)


def _has_operators(value: Any) -> bool:
    return isinstance(value, Mapping) and any(key.startswith("$") for key in value)


class Listener(monitoring.CommandListener):
    """Writes objections down, with the database they were about."""

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Look at a command before it is sent."""
        file = os.environ.get(FILE)
        if file is None:
            return
        for objection in objections(event.command_name, event.command):
            with Path(file).open("a", encoding="utf-8") as stream:
                stream.write(f"{objection} (in {event.command_name})\n")

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing is left to say."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing is left to say."""


_registered: list[Listener] = []


def register() -> None:
    """Look at the commands of all clients that this process makes from now on."""
    if not _registered:
        _registered.append(Listener())
        monitoring.register(_registered[0])
