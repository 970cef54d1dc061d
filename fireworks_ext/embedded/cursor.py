"""The result of a find, which is asked for when its first document is."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

from pymongo.errors import InvalidOperation

from fireworks_ext.embedded.reads import Reads
from fireworks_ext.embedded.semantics import Document, Sort, sorting


class Cursor:
    """The documents of a query, which runs when the first one is asked for."""

    def __init__(
        self,
        reads: Reads,
        project: Callable[[Document], Document],
        search: Mapping[str, Any],
        sort: Sort,
        window: tuple[int, int],
    ) -> None:
        self._reads = reads
        self._project = project
        self._search = search
        self._sort = sort
        self._skip, self._limit = window
        self._results: Iterator[Document] | None = None
        self._retrieved = 0
        self._ahead: list[Document] = []

    def __iter__(self) -> "Cursor":
        return self

    def __next__(self) -> Document:
        if self._ahead:
            return self._ahead.pop()
        if self._results is None:
            self._results = self._reads.read(self._search, self._sort, self._skip, abs(self._limit))
        document = self._project(next(self._results))
        self._retrieved += 1
        return document

    next = __next__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            if index.step is not None or (index.start or 0) < 0 or (index.stop or 0) < 0:
                raise IndexError("a cursor takes slices without a step or negative bounds")
            self.skip(index.start or 0)
            if index.stop is None:
                return self.limit(0)
            wanted = index.stop - (index.start or 0)
            return self.limit(wanted) if wanted > 0 else iter(())
        if index < 0:
            raise IndexError("a cursor has no negative indices")
        found = list(self._reads.read(self._search, self._sort, self._skip + index, 1))
        if not found:
            raise IndexError("no such item for Cursor instance")
        return self._project(found[0])

    def _changing(self) -> None:
        if self._results is not None:
            raise InvalidOperation("cannot set options after executing query")

    def sort(self, key_or_list: Any, direction: int | None = None) -> "Cursor":
        """Order the documents."""
        self._changing()
        self._sort = sorting(
            [(key_or_list, direction or 1)] if isinstance(key_or_list, str) else key_or_list
        )
        if not self._sort:
            raise ValueError("key_or_list must not be empty")
        return self

    def skip(self, skip: int) -> "Cursor":
        """Leave out the first documents."""
        self._changing()
        self._skip = skip
        return self

    def limit(self, limit: int) -> "Cursor":
        """Stop after this many documents; 0 is no limit."""
        self._changing()
        self._limit = limit
        return self

    def _same(self, *_: Any, **__: Any) -> "Cursor":
        return self

    batch_size = hint = comment = max_time_ms = allow_disk_use = collation = max_await_time_ms = (
        _same
    )

    def rewind(self) -> "Cursor":
        """Start again, with a new query."""
        self._results, self._retrieved, self._ahead = None, 0, []
        return self

    def clone(self) -> "Cursor":
        """Return the same query, not yet run."""
        window = (self._skip, self._limit)
        return Cursor(self._reads, self._project, self._search, self._sort, window)

    def close(self) -> None:
        """Return no more documents."""
        self._results, self._ahead = iter(()), []

    @property
    def alive(self) -> bool:
        """Whether there are more documents."""
        if not self._ahead:
            try:
                self._ahead.append(next(self))
            except StopIteration:
                return False
        return True

    @property
    def retrieved(self) -> int:
        """How many documents were returned so far."""
        return self._retrieved

    def to_list(self, length: int | None = None) -> list[Document]:
        """Return the remaining documents, at most `length`."""
        return [
            document
            for _, document in zip(
                range(length) if length is not None else iter(int, 1), self, strict=False
            )
        ]

    def distinct(self, key: str) -> list[Any]:
        """Return the different values on a path, arrays count by element."""
        return self._reads.different(key, self._search)
