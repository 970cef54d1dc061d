"""A database that is asked again when it does not answer.

Every operation is repeated after a failure of the connection, with pauses that double up to
`LONGEST_PAUSE_S` and are drawn at random up to that (many workers come back at different moments),
until the budget is used up; then `DatabaseAwayError` is raised from the last error.

Whether the first try was carried out cannot be known, so a repeat must be harmless. An insert that
finds its own document counts as done (`_id` is chosen here, before the first try). Updates,
replacements and removals are repeated as they are: who must know whether it was this call that
changed something writes a token and looks for it. In `find_one_and_update` a repeat finds what the
first try left, so its filter should match that too.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

from pymongo.errors import PyMongoError

from fireworks_ext.database import inserts
from fireworks_ext.database.cursors import PatientCursor, Rows
from fireworks_ext.database.outages import away, is_outage, told

BUDGET_S = 60.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
SLICE_S = 0.2
"""Of a pause; between slices it is seen that patience was shortened, by a signal handler say."""

T = TypeVar("T")
OnWait = Callable[[PyMongoError, float], None]
_chance = random.Random()  # noqa: S311  (pauses are no secrets)
_limit_s: ContextVar[float | None] = ContextVar("limit_s", default=None)


@contextmanager
def impatient(budget_s: float = 0.0) -> Iterator[None]:
    """Within the block (and this thread) wait no longer than so long; 0: try once."""
    before = _limit_s.get()
    token = _limit_s.set(budget_s if before is None else min(before, budget_s))
    try:
        yield
    finally:
        _limit_s.reset(token)


class Patience:
    """How long to go on asking; `budget_s` may be changed at any time, also while one waits.

    Parameters
    ----------
    budget_s
        From an operation's first failure to giving up.
    on_wait
        Called with the error and the seconds waited so far before every pause.
    """

    def __init__(self, budget_s: float = BUDGET_S, on_wait: OnWait | None = None) -> None:
        self.budget_s = budget_s
        self.on_wait = on_wait

    def left_s(self, since: float) -> float:
        """Return the seconds of the budget that are left of a wait since a monotonic time."""
        limit_s = _limit_s.get()
        budget_s = self.budget_s if limit_s is None else min(self.budget_s, limit_s)
        return since + budget_s - time.monotonic()

    def call(self, operation: Callable[[], T]) -> T:
        """Return what an operation returns, however often it takes."""
        try:
            return operation()
        except PyMongoError as error:
            return self.repeat(operation, error)

    def repeat(self, operation: Callable[[], T], error: PyMongoError) -> T:
        """Return what an operation returns whose first try failed with `error`.

        Raises
        ------
        PyMongoError
            The operation's own, where it is no outage.
        DatabaseAwayError
            When the budget is used up.
        """
        since, pause_s = time.monotonic(), FIRST_PAUSE_S
        while True:
            if not is_outage(error):
                raise told(error) from error.__cause__
            if self.left_s(since) <= 0:
                raise away(error, time.monotonic() - since) from error
            if self.on_wait is not None:
                self.on_wait(error, time.monotonic() - since)
            self._pause(_chance.uniform(0.0, pause_s), since)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            try:
                return operation()
            except PyMongoError as again:
                error = again

    def _pause(self, pause_s: float, since: float) -> None:
        until = time.monotonic() + pause_s
        while (rest_s := min(until - time.monotonic(), self.left_s(since))) > 0:
            time.sleep(min(rest_s, SLICE_S))


def patient(
    database: Any,
    *,
    budget_s: float = BUDGET_S,
    on_wait: OnWait | None = None,
    patience: Patience | None = None,
) -> PatientDatabase:
    """Return a pymongo database whose operations are repeated while it does not answer."""
    return PatientDatabase(database, patience or Patience(budget_s, on_wait))


class PatientDatabase:
    """A database of pymongo; what is not repeated is handed on to it."""

    def __init__(self, database: Any, patience: Patience) -> None:
        self._database = database
        self._names = frozenset(dir(type(database)))
        self._collections: dict[str, PatientCollection] = {}
        self.patience = patience

    def __getitem__(self, name: str) -> PatientCollection:
        found = self._collections.get(name)
        if found is None:
            found = PatientCollection(self._database[name], self)
            self._collections[name] = found
        return found

    def __getattr__(self, name: str) -> Any:
        if name in _OF_DATABASES:
            return partial(self._call, name)
        if name.startswith("_"):
            raise AttributeError(name)
        # `name`, `client`, `codec_options`, ...; every other attribute is a collection.
        return getattr(self._database, name) if name in self._names else self[name]

    def __repr__(self) -> str:
        return f"PatientDatabase({self._database.name!r})"

    def get_collection(self, name: str, *args: Any, **options: Any) -> PatientCollection:
        """Return a collection with options of its own."""
        return PatientCollection(self._database.get_collection(name, *args, **options), self)

    def _call(self, name: str, *args: Any, **options: Any) -> Any:
        method = getattr(self._database, name)
        return self.patience.call(lambda: method(*args, **options))


_OF_DATABASES = frozenset({"command", "list_collection_names", "drop_collection"})


class PatientCollection:
    """A collection of pymongo; what is not repeated is handed on to it."""

    def __init__(self, collection: Any, database: PatientDatabase) -> None:
        self.behind = collection
        """pymongo's own."""
        self.database = database
        self.patience = database.patience

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.behind, name)

    def __repr__(self) -> str:
        return f"PatientCollection({self.behind.full_name!r})"

    def find(self, *args: Any, **options: Any) -> PatientCursor:
        """Return the documents as they come."""
        return PatientCursor(self, args, options)

    def aggregate(self, pipeline: Any, *args: Any, **options: Any) -> Rows:
        """Return all rows: those of a pipeline cannot be told apart, so they are read in one go."""

        def read() -> list[Any]:
            with self.behind.aggregate(pipeline, *args, **options) as cursor:
                return list(cursor)

        return Rows(self.patience.call(read))

    def insert_one(self, document: Any, *args: Any, **options: Any) -> Any:
        """Insert a document once, however often it takes."""
        own = inserts.identified([document])
        try:
            return self.behind.insert_one(document, *args, **options)
        except PyMongoError as error:
            first = error

        def again() -> Any:
            return inserts.insert_one(self.behind, document, own, *args, **options)

        return self.patience.repeat(again, first)

    def insert_many(self, documents: Any, ordered: bool = True, **options: Any) -> Any:  # noqa: FBT001, FBT002  (pymongo's own)
        """Insert documents once each; after a failure of the connection in any order."""
        documents = list(documents)
        own = inserts.identified(documents)
        try:
            return self.behind.insert_many(documents, ordered=ordered, **options)
        except PyMongoError as error:
            first = error

        def again() -> Any:
            return inserts.insert_many(self.behind, documents, own, **options)

        return self.patience.repeat(again, first)

    def bulk_write(self, requests: Any, *args: Any, **options: Any) -> Any:
        """Carry out writes as they are; insertions among them once."""
        requests = list(requests)
        own = inserts.identified(inserts.inserted_by(requests))
        try:
            return self.behind.bulk_write(requests, *args, **options)
        except PyMongoError as error:
            first = error

        def again() -> Any:
            return inserts.bulk_write(self.behind, requests, own, *args, **options)

        return self.patience.repeat(again, first)


def _repeated(name: str) -> Callable[..., Any]:
    def method(self: PatientCollection, *args: Any, **options: Any) -> Any:
        operation = getattr(self.behind, name)
        try:
            return operation(*args, **options)
        except PyMongoError as error:
            return self.patience.repeat(partial(operation, *args, **options), error)

    method.__name__, method.__doc__ = name, f"As pymongo's `{name}`, repeated."
    return method


_REPEATED = (
    *("find_one", "count_documents", "estimated_document_count", "distinct", "index_information"),
    *("update_one", "update_many", "replace_one", "delete_one", "delete_many"),
    *("find_one_and_update", "find_one_and_replace", "find_one_and_delete"),
    *("create_index", "create_indexes", "drop_index", "drop_indexes", "drop"),
)
for _name in _REPEATED:
    setattr(PatientCollection, _name, _repeated(_name))
