"""Updates as most are written, applied without mongomock: fields set, removed, counted, appended.

What is done here has mongomock's outcome, which the tests hold it to; what has the least doubt
(arrays on the way to a field, names that overlap, other operators) is left to mongomock.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import bson
from bson import Int64

from fireworks_ext.embedded.semantics import NOTHING, Document

Step: TypeAlias = tuple[Callable[[Document, str, Any], bool], tuple[str, ...], str, Any]
"""What to do, the names of the documents on the way, the name of the field, and the value."""

_NUMBERS = frozenset({int, float, Int64})


class Update:
    """An update, a replacement or a pipeline, ready to be applied to any number of documents.

    `fields` are the paths that it may change; None stands for all of them.
    """

    def __init__(self, given: Any) -> None:
        # By way of BSON, dates and tuples become what the store will hold, and nothing is shared
        # with the caller.
        self.given: Any = bson.decode(bson.encode({"": given}))[""]
        self.fields = _fields(self.given)
        self._steps, self._first_steps = _steps(self.given, self.fields)

    @property
    def changes_id(self) -> bool:
        """Whether it may change the _id."""
        fields = self.fields
        return fields is None or any(name.partition(".")[0] == "_id" for name in fields)

    def applied(self, document: Document, *, inserted: bool) -> bool:
        """Change a document in place, or return False: then it is half changed, for mongomock."""
        steps = self._first_steps if inserted else self._steps
        if steps is None:
            return False
        for do, way, name, value in steps:
            target = document
            for part in way:
                inner = target.get(part, NOTHING)
                if inner is NOTHING:
                    if do is _unset:
                        break
                    inner = target[part] = {}
                elif not isinstance(inner, dict):
                    return False
                target = inner
            else:
                if not do(target, name, value):
                    return False
        return True


def _set(target: Document, name: str, value: Any) -> bool:
    target[name] = value
    return True


def _unset(target: Document, name: str, _: Any) -> bool:
    target.pop(name, None)
    return True


def _inc(target: Document, name: str, value: Any) -> bool:
    old = target.get(name, 0)
    if type(old) not in _NUMBERS or type(value) not in _NUMBERS:
        return False
    target[name] = old + value
    return True


def _push(target: Document, name: str, value: Any) -> bool:
    old = target.get(name, NOTHING)
    if old is NOTHING:
        target[name] = [value]
    elif isinstance(old, list):
        old.append(value)
    else:
        return False
    return True


_OPERATORS = {"$set": _set, "$unset": _unset, "$inc": _inc, "$push": _push, "$setOnInsert": _set}


def _fields(given: Any) -> tuple[str, ...] | None:
    """Return the paths that an update names, or None if it may change any field."""
    if not isinstance(given, Mapping) or not given:
        return None
    fields: list[str] = []
    for operator, changes in given.items():
        if not operator.startswith("$") or not isinstance(changes, Mapping):
            return None
        fields.extend(changes)
        if operator == "$rename":
            fields.extend(map(str, changes.values()))
    return tuple(fields)


def _steps(
    given: Any, fields: tuple[str, ...] | None
) -> tuple[list[Step] | None, list[Step] | None]:
    """Return the steps on a stored document and on a new one, or None where mongomock is needed."""
    if fields is None or not set(given) <= _OPERATORS.keys() or _overlap(fields):
        return None, None
    steps: list[Step] = []
    first: list[Step] = []
    for operator, changes in given.items():
        for path, value in changes.items():
            *way, name = path.split(".")
            if not all(way) or not name or any(part.startswith("$") for part in (*way, name)):
                return None, None
            if operator == "$push" and isinstance(value, dict):
                return None, None  # perhaps with $each, $slice, ...
            step = (_OPERATORS[operator], tuple(way), name, value)
            first.append(step)
            if operator != "$setOnInsert":
                steps.append(step)
    return steps, first


def _overlap(fields: tuple[str, ...]) -> bool:
    """Tell whether one path leads to, or through, another."""
    if len(fields) < 2:  # noqa: PLR2004 - two are needed to overlap
        return False
    last = None
    for path in sorted(f"{name}." for name in fields):
        if last is not None and path.startswith(last):
            return True
        last = path
    return False
