"""What a filter, an update, a projection or a pipeline means: mongomock's answer, behind types.

This is the one module that knows mongomock's internals, which is why its version is pinned. They
are untyped; the declarations under TYPE_CHECKING say what of them is used.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from bson import Int64, ObjectId
from bson.errors import InvalidDocument

Document: TypeAlias = dict[str, Any]
Sort: TypeAlias = Sequence[tuple[str, int]]
Found: TypeAlias = tuple[int, Document, bytes]
"""A stored document: the number of its row, the document, and its BSON."""

if TYPE_CHECKING:

    class MongomockCollection:
        """What is used of mongomock.Collection."""

        database: Any
        name: str
        full_name: str

        def __init__(self, database: Any, name: str, _db_store: Any, **options: Any) -> None: ...
        def _apply_update_document(
            self, existing_document: Document, spec: Any, document: Any, was_insert: bool
        ) -> None: ...
        def _apply_update_pipeline(
            self, existing_document: Document, pipeline: Any, session: None
        ) -> None: ...
        def _copy_only_fields(self, doc: Document, fields: Any, container: type) -> Document: ...
        def _expand_dots(self, doc: Any) -> Document: ...
        def _discard_operators(self, doc: Any) -> tuple[Any, bool]: ...

    class MongomockDatabase:
        """What is used of mongomock.Database."""

        name: str
        client: Any
        codec_options: Any

        def __init__(self, client: Any, name: str, _store: Any) -> None: ...
        def _ensure_valid_collection_name(self, name: str) -> None: ...

    # ruff: noqa: D103, FBT001 - declarations of what others wrote
    def filter_applies(search_filter: Any, document: Any) -> bool: ...
    def iter_key_candidates(key: str, doc: Any) -> Sequence[Any]: ...
    def resolve_sort_key(key: str, doc: Any) -> Any: ...
    def process_pipeline(
        collection: list[Document], database: Any, pipeline: Any, session: None
    ) -> Iterator[Document]: ...
    def patch_datetime_awareness_in_document(value: Any) -> Any: ...
    def create_index_list(key_or_list: Any, direction: Any = None) -> Any: ...
    def _validate_document_stages(document: Any) -> None: ...
    def enable_gridfs_integration() -> None: ...

    NOTHING: object
else:
    from mongomock import Collection as MongomockCollection
    from mongomock import Database as MongomockDatabase
    from mongomock.aggregate import process_pipeline
    from mongomock.collection import _validate_document_stages
    from mongomock.filtering import filter_applies, iter_key_candidates, resolve_sort_key
    from mongomock.gridfs import enable_gridfs_integration
    from mongomock.helpers import create_index_list, patch_datetime_awareness_in_document
    from sentinels import NOTHING

__all__ = [
    "NOTHING",
    "Document",
    "Found",
    "MongomockCollection",
    "MongomockDatabase",
    "Semantics",
    "Sort",
    "candidates",
    "enable_gridfs_integration",
    "index_keys",
    "matches",
    "naive",
    "ordered",
    "piped",
    "sorting",
    "validate_names",
]


def matches(search: Mapping[str, Any], document: Document) -> bool:
    """Tell whether a document satisfies a filter."""
    return bool(filter_applies(search, document))


def candidates(path: str, document: Any) -> Sequence[Any]:
    """Return the values that a dotted path leads to; NOTHING stands for a missing one."""
    return iter_key_candidates(path, document)


def naive(value: Any) -> Any:
    """Return a copy with tuples as lists and dates as BSON keeps them: UTC, in milliseconds."""
    kind = type(value)
    if kind in _AS_IT_IS:
        return value
    if kind is dict:
        return {name: one if type(one) in _AS_IT_IS else naive(one) for name, one in value.items()}
    if kind is list or kind is tuple:
        return [one if type(one) in _AS_IT_IS else naive(one) for one in value]
    if isinstance(value, str):
        return str.__str__(value)  # a StrEnum's text, which is how BSON stores it
    return patch_datetime_awareness_in_document(value)


_AS_IT_IS = frozenset({str, int, float, bool, type(None), ObjectId, Int64, bytes})


def sorting(sort: Any) -> list[tuple[str, int]]:
    """Return a sort as (path, direction) pairs, whatever form it was given in."""
    if not sort:
        return []
    if isinstance(sort, Mapping):
        return list(sort.items())
    pairs = create_index_list(sort)
    return [(pair, 1) if isinstance(pair, str) else (pair[0], pair[1]) for pair in pairs]


def index_keys(keys: Any) -> list[tuple[str, Any]]:
    """Return the keys of an index as (path, direction) pairs."""
    return sorting(keys)


def ordered(documents: Iterable[Found], sort: Sort) -> list[Found]:
    """Return stored documents sorted; those that compare equal stay in the order given."""
    result = list(documents)
    for path, direction in reversed(sort):
        key = itemgetter(0) if path == "$natural" else _sort_key(path)
        result.sort(key=key, reverse=direction < 0)
    return result


def _sort_key(path: str) -> Any:
    if path.startswith("$"):
        raise NotImplementedError(f"sorting by {path} is not supported by the embedded store")
    return lambda item: resolve_sort_key(path, item[1])


def piped(documents: list[Document], database: Any, stages: list[Any]) -> list[Document]:
    """Return what comes out of an aggregation pipeline."""
    return list(process_pipeline(documents, database, stages, None))


def validate_names(document: Mapping[str, Any]) -> None:
    """Raise if a name in a new document cannot be stored; what BSON refuses is left to it."""
    for name in document:
        if not isinstance(name, str):
            raise InvalidDocument(f"Field names must be text (found: {name!r})")
        if name.startswith("$"):
            raise InvalidDocument(
                f"Top-level field names cannot start with the '$' sign (found: {name})"
            )


class Semantics(MongomockCollection):
    """The part of a collection that works on one document in memory."""

    def _modify(self, document: Document, search: Any, update: Any, *, inserted: bool) -> None:
        """Apply an update, a replacement or a pipeline to a document, in place."""
        if isinstance(update, list):
            _validate_document_stages(update)
            self._apply_update_pipeline(document, update, None)
            return
        if not next(iter(update), "").startswith("$"):  # a replacement keeps the _id
            search = {"_id": document["_id"]} if "_id" in document else {}
        self._apply_update_document(document, search, update, inserted)

    def _seed(self, search: Mapping[str, Any], new_id: Any) -> Document:
        """Return the document that an upsert starts from: the equalities of its filter."""
        seed, _ = self._discard_operators(self._expand_dots({**search, "_id": new_id}))
        return dict(seed)

    def _project(self, document: Document, projection: Any) -> Document:
        """Return a copy of the chosen fields of a document."""
        if isinstance(projection, Mapping):
            projection = dict(projection)  # mongomock takes it apart
        return self._copy_only_fields(document, projection, dict)
