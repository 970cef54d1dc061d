"""Projections as most are written, applied without mongomock: fields kept, fields left out."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from fireworks_ext.embedded.semantics import NOTHING, Document, Semantics

Wanted: TypeAlias = dict[str, Any]
"""Names of fields; None wants all of one, a dict some fields of the document in it."""

Projection: TypeAlias = Callable[[Document], Document | None]


class _Unusual(Exception):
    """A document or projection that mongomock has to deal with."""


def projector(semantics: Semantics, projection: Any) -> Callable[[Document], Document]:
    """Return what returns the chosen fields of a document, which may be shared with it."""
    if not projection:
        return _whole
    quick = compiled(projection)

    def project(document: Document) -> Document:
        chosen = quick(document) if quick else None
        return semantics._project(document, projection) if chosen is None else chosen  # noqa: SLF001 - mongomock's names for all

    return project


def _whole(document: Document) -> Document:
    return document


def compiled(projection: Any) -> Projection | None:
    """Return what projects a document, sharing its values; None where mongomock is needed.

    The function returned answers None for a document that is for mongomock, too.
    """
    if isinstance(projection, Mapping):
        fields = dict(projection)
    elif isinstance(projection, Iterable) and not isinstance(projection, (str, bytes)):
        fields = dict.fromkeys(projection, 1)
    else:
        return None
    if any(type(flag) not in (bool, int) or flag not in (0, 1) for flag in fields.values()):
        return None
    with_id = bool(fields.pop("_id", True))
    if not fields or len(set(fields.values())) > 1:
        return None
    if not next(iter(fields.values())):
        return None if any("." in name for name in fields) else _without(fields, with_id=with_id)
    try:
        wanted = _tree(fields)
    except _Unusual:
        return None
    return _only(wanted, with_id=with_id)


def _tree(fields: Iterable[str]) -> Wanted:
    tree: Wanted = {}
    for path in fields:
        *way, name = path.split(".")
        if not all(way) or not name or "$" in path:
            raise _Unusual
        place = tree
        for part in way:
            place = place.setdefault(part, {})
            if place is None:
                raise _Unusual
        if name in place:
            raise _Unusual
        place[name] = None
    return tree


def _only(wanted: Wanted, *, with_id: bool) -> Projection:
    if with_id:
        wanted = {"_id": None, **wanted}

    def project(document: Document) -> Document | None:
        try:
            return _kept(document, wanted)
        except _Unusual:
            return None

    return project


def _kept(document: Document, wanted: Wanted) -> Document:
    result: Document = {}
    for name, inner in wanted.items():
        value = document.get(name, NOTHING)
        if value is NOTHING:
            continue
        if inner is None:
            result[name] = value
        elif isinstance(value, dict):
            result[name] = _kept(value, inner)
        elif isinstance(value, list):
            raise _Unusual
    return result


def _without(names: Iterable[str], *, with_id: bool) -> Projection:
    unwanted = set(names) if with_id else {*names, "_id"}
    return lambda document: {
        name: value for name, value in document.items() if name not in unwanted
    }
