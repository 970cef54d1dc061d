"""Cursors on a database that is asked again when it does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from pymongo.errors import OperationFailure, PyMongoError

from fireworks_ext.database.outages import CURSOR_LOST, is_outage

if TYPE_CHECKING:
    from fireworks_ext.database.patience import PatientCollection

_CHAINED = frozenset(
    {"sort", "limit", "skip", "hint", "batch_size", "comment", "collation", "max_time_ms"}
)
MOST_BARREN = 5
"""Beginnings in a row that bring nothing new, before it is given up."""


class Rows:
    """Rows that were read in one go, with what callers of pymongo's `CommandCursor` use."""

    alive = False

    def __init__(self, rows: list[Any]) -> None:
        self._rows = iter(rows)

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def __next__(self) -> Any:
        return next(self._rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    next = __next__

    def to_list(self, length: int | None = None) -> list[Any]:
        """Return the next rows, all by default."""
        return _taken(self._rows, length)

    def close(self) -> None:
        """Do nothing: the server's cursor is closed already."""


class PatientCursor:
    """A find's documents; after an outage it is asked again and goes on with those not yet seen.

    A document that changes meanwhile may be seen as it was or as it is, as with any cursor. What
    cannot go on raises: documents without `_id`, and finds with `skip`. A find with a limit is
    read at once.

    `args` and `options` are those of `find`.
    """

    def __init__(
        self, collection: PatientCollection, args: tuple[Any, ...], options: dict[str, Any]
    ) -> None:
        self._collection = collection
        self._args = args
        self._options = options
        self._patience = collection.patience
        self._chain: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self._cursor: Any = None
        self._stream: Iterator[Any] | None = None

    def __getattr__(self, name: str) -> Any:
        if name in _CHAINED:

            def chained(*args: Any, **options: Any) -> PatientCursor:
                self._chain.append((name, args, options))
                return self

            return chained
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._cursor or self._open(), name)

    def __iter__(self) -> Iterator[Any]:
        if self._stream is None:
            self._stream = self._documents()
        return self._stream

    def __next__(self) -> Any:
        return next(iter(self))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getitem__(self, index: int) -> Any:
        return self._patience.call(lambda: self._open()[index])

    next = __next__

    def distinct(self, key: str) -> list[Any]:
        """Return the different values of a field."""
        found: list[Any] = self._patience.call(lambda: self._open().distinct(key))
        return found

    def clone(self) -> PatientCursor:
        """Return the same find, not yet begun."""
        copy = PatientCursor(self._collection, self._args, self._options)
        copy._chain = list(self._chain)
        return copy

    def rewind(self) -> Self:
        """Begin anew."""
        self.close()
        self._stream = None
        return self

    def to_list(self, length: int | None = None) -> list[Any]:
        """Return the next documents, all by default."""
        return _taken(iter(self), length)

    def close(self) -> None:
        """Let go of the server's cursor."""
        if self._cursor is not None:
            self._cursor.close()

    def _open(self) -> Any:
        cursor = self._collection.behind.find(*self._args, **self._options)
        for name, args, options in self._chain:
            getattr(cursor, name)(*args, **options)
        if (limit := self._given("limit")) > 1 and not self._given("batch_size"):
            cursor.batch_size(limit)
        return cursor

    def _given(self, name: str) -> int:
        values = [args[0] for called, args, _ in self._chain if called == name and args]
        return int([self._options.get(name) or 0, *values][-1])

    def _first(self) -> Any:
        self._cursor = self._open()
        return next(self._cursor, None)

    def _documents(self) -> Iterator[Any]:
        seen: set[Any] = set()
        barren = 0
        while True:
            before = len(seen)
            first = self._patience.call(self._first)
            if first is None:
                return
            goes_on = "_id" in first and not self._given("skip")
            try:
                # With the server's cursor closed, all of them are here and none needs remembering.
                yield from self._from(first, seen, remember=goes_on and self._cursor.cursor_id)
            except PyMongoError as error:
                barren = barren + 1 if len(seen) == before else 0
                if not (goes_on and _is_loss(error)) or barren == MOST_BARREN:
                    raise
            else:
                return

    def _from(self, document: Any, seen: set[Any], *, remember: bool) -> Iterator[Any]:
        limit = self._given("limit")
        while document is not None and not 0 < limit <= len(seen):
            key = _key(document["_id"]) if seen or remember else None
            if key is None or key not in seen:
                if remember:
                    seen.add(key)
                yield document
            document = next(self._cursor, None)


def _taken(rows: Iterator[Any], length: int | None) -> list[Any]:
    if length is None:
        return list(rows)
    return [row for _, row in zip(range(length), rows, strict=False)]


def _is_loss(error: PyMongoError) -> bool:
    lost = isinstance(error, OperationFailure) and error.code == CURSOR_LOST
    return lost or is_outage(error)


def _key(identity: Any) -> Any:
    return identity if not isinstance(identity, (dict, list)) else repr(identity)
