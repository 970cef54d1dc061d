"""The tables of a collection, and the keys under which they hold a document.

A collection is a table of BSON rows. Each indexed path adds one column of sort keys; a path on
which some document has an array (multikey) also has a table with one row per element.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from fireworks_ext.embedded.encoding import EMPTY, NULL, encode
from fireworks_ext.embedded.semantics import NOTHING, Document, candidates, matches

Elements: TypeAlias = tuple[bytes, ...] | None
Entries: TypeAlias = tuple[dict[str, bytes | None], dict[str, Elements]]
"""The keys of one document: by column, and by multikey path its elements."""

_REMEMBERED = 1000  # sets of fields; those that name a firework in the path are without number


@dataclass(frozen=True)
class PathColumn:
    """An indexed path: its column of sort keys, and its table of elements if it is multikey."""

    id: int
    path: str
    multikey: bool
    inexact: bool  # some value has no useful order

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The names along the path."""
        return tuple(self.path.split("."))

    @cached_property
    def column(self) -> str:
        """The column of sort keys in the table of the collection."""
        return f"p{self.id}"

    @cached_property
    def elements(self) -> str:
        """The table of array elements."""
        return f"m{self.id}"

    def keys(self, document: Document) -> tuple[bytes, Elements]:
        """Return the sort key of a document on this path, and its elements if it has an array."""
        value: Any = document
        for part in self.parts:
            if isinstance(value, dict):
                value = value.get(part, NOTHING)
                if value is NOTHING:
                    return NULL, None
            elif isinstance(value, list):
                return self._array_keys(document)
            else:
                return NULL, None
        if not isinstance(value, list):
            return encode(value), None
        first = value[0] if value else EMPTY
        return EMPTY if first is EMPTY else encode(first), tuple(sorted(set(map(encode, value))))

    def _array_keys(self, document: Document) -> tuple[bytes, Elements]:
        """Return the keys on a path that leads through an array."""
        found = candidates(self.path, document)
        elements: set[bytes] = set()
        for value in found:
            if isinstance(value, list):
                elements.update(map(encode, value))
            else:
                elements.add(NULL if value is NOTHING else encode(value))
        first = found[0] if found else NOTHING
        if isinstance(first, list):
            first = first[0] if first else EMPTY
        if first is EMPTY:
            return EMPTY, tuple(sorted(elements))
        return (NULL if first is NOTHING else encode(first)), tuple(sorted(elements))

    def touched_by(self, parts: tuple[str, ...]) -> bool:
        """Tell whether a change on another path may change the value on this one."""
        for ours, theirs in zip(self.parts, parts, strict=False):
            if ours != theirs:
                # A number or `$` leads into an array, whose elements this path may name as well.
                return theirs.startswith("$") or theirs.isdecimal() or ours.isdecimal()
        return True


@dataclass(frozen=True)
class Index:
    """An index as it was asked for, and the columns it stands on."""

    id: int
    name: str
    keys: tuple[tuple[str, int], ...]
    options: Mapping[str, Any]
    columns: tuple[str, ...]
    own: bool  # columns of its own, null for the documents that it leaves out

    @property
    def unique(self) -> bool:
        """Whether no two documents may share a key."""
        return bool(self.options.get("unique"))

    def covers(self, document: Document, values: Iterable[bytes]) -> bool:
        """Tell whether a sparse or partial index holds this document."""
        if self.options.get("sparse") and all(value == NULL for value in values):
            return False
        partial = self.options.get("partialFilterExpression")
        return partial is None or matches(partial, document)

    def information(self) -> Document:
        """Return the index as `index_information` shows it."""
        return {"v": 2, "key": list(self.keys), **self.options}


@dataclass(frozen=True)
class Layout:
    """The tables of one collection."""

    id: int
    paths: Mapping[str, PathColumn]
    indexes: Mapping[str, Index]
    orders: set[str] = field(default_factory=set)
    _touched: dict[tuple[str, ...], tuple[PathColumn, ...]] = field(default_factory=dict)

    @cached_property
    def table(self) -> str:
        """The table that holds the documents."""
        return f"d{self.id}"

    @cached_property
    def all_paths(self) -> tuple[PathColumn, ...]:
        """Every indexed path."""
        return tuple(self.paths.values())

    @cached_property
    def own_indexes(self) -> tuple[Index, ...]:
        """The indexes that have columns of their own."""
        return tuple(index for index in self.indexes.values() if index.own)

    @cached_property
    def shared_indexes(self) -> tuple[Index, ...]:
        """The unique indexes on paths with arrays, of which SQLite's own see the first element."""
        return tuple(
            index
            for index in self.indexes.values()
            if index.unique
            and not index.own
            and any(path in self.paths and self.paths[path].multikey for path, _ in index.keys)
        )

    @cached_property
    def leading(self) -> frozenset[str]:
        """The columns by which rows can be looked up."""
        return frozenset({"k", *(index.columns[0] for index in self.indexes.values())})

    @cached_property
    def identifying(self) -> frozenset[str]:
        """The columns of which no two rows share a value."""
        alone = (
            one.columns[0] for one in self.indexes.values() if len(one.columns) == 1 and one.unique
        )
        return frozenset({"k", *alone})

    @cached_property
    def insertion(self) -> str:
        """The SQL that writes a row; the values of the columns follow id, key and document."""
        columns = [path.column for path in self.all_paths]
        columns += [column for index in self.own_indexes for column in index.columns]
        names = "".join(f", {column}" for column in columns)
        marks = ", ?" * len(columns)
        return f"INSERT INTO {self.table} (id, k, doc{names}) VALUES (?, ?, ?{marks})"  # noqa: S608 - the names are our own

    def touched(self, fields: tuple[str, ...] | None) -> tuple[PathColumn, ...]:
        """Return the paths on which a change of these fields (None: any) may change a key."""
        if fields is None or self.own_indexes or self.shared_indexes:
            return self.all_paths
        found = self._touched.get(fields)
        if found is None:
            parts = [tuple(name.split(".")) for name in fields]
            found = tuple(path for path in self.all_paths if any(map(path.touched_by, parts)))
            if len(self._touched) >= _REMEMBERED:
                self._touched.clear()
            self._touched[fields] = found
        return found

    def entries(self, document: Document, paths: Iterable[PathColumn] | None = None) -> Entries:
        """Return every key under which a document is found, or those on some paths.

        The order of the columns is that of `insertion`.
        """
        columns: dict[str, bytes | None] = {}
        elements: dict[str, Elements] = {}
        for path in self.all_paths if paths is None else paths:
            columns[path.column], found = path.keys(document)
            if path.multikey or found is not None:
                elements[path.path] = found
        for index in self.own_indexes:
            values = [
                encode(document.get("_id")) if path == "_id" else self.paths[path].keys(document)[0]
                for path, _ in index.keys
            ]
            covered = index.covers(document, values)
            for column, value in zip(index.columns, values, strict=True):
                columns[column] = value if covered else None
        return columns, elements

    def column(self, path: str) -> str | None:
        """Return the column of sort keys for a path, if it has one."""
        if path == "_id":
            return "k"
        found = self.paths.get(path)
        return found.column if found else None
