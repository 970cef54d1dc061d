"""Processes that die by SIGKILL when their n-th write sets out for a server."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymongo.monitoring
from bson import encode
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from sudden_death import in_child

WRITES = frozenset({"insert", "update", "delete", "findAndModify"})


class Death(pymongo.monitoring.CommandListener):
    """Ends this process just before a write command is sent."""

    def __init__(self, dies_before: int) -> None:
        self._left = dies_before

    def started(self, event: Any) -> None:
        self._left -= event.command_name in WRITES
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)

    def succeeded(self, event: Any) -> None:
        pass

    def failed(self, event: Any) -> None:
        pass


def die_at_every_command(
    uri: str, folder: Path, *, act: Callable[[], object], then: Callable[[], object]
) -> int:
    """Kill `act` before each of its write commands, each time from the same start; run `then`.

    What lies in the database and in the folder is put back before every turn. The last turn lets
    `act` come to its end. Returns the number of write commands.
    """
    start = folder.with_name(folder.name + ".start")
    shutil.copytree(folder, start)
    documents = _contents(uri)
    wrong: list[str] = []
    turn, finished = 0, False
    while not finished:
        turn += 1
        shutil.rmtree(folder)
        shutil.copytree(start, folder)
        _put_back(uri, documents)

        def dying(turn: int = turn) -> None:
            pymongo.monitoring.register(Death(turn))
            act()

        finished = in_child(dying)
        try:
            in_child(then)
        except AssertionError as error:
            wrong.append(f"after a kill before write command {turn}: {error}")
    assert not wrong, "\n".join(wrong)
    return turn - 1


def _contents(uri: str) -> dict[str, list[RawBSONDocument]]:
    with MongoClient[dict[str, Any]](uri) as client:
        database = client.get_default_database()
        return {
            name: [RawBSONDocument(encode(one)) for one in database[name].find({})]
            for name in database.list_collection_names()
        }


def _put_back(uri: str, contents: dict[str, list[RawBSONDocument]]) -> None:
    with MongoClient[dict[str, Any]](uri) as client:
        database = client.get_default_database()
        for name in database.list_collection_names():
            database[name].delete_many({})
            if contents.get(name):
                database[name].insert_many(contents[name])
