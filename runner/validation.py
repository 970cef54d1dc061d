"""From a model's complaints to problems in plain words, each with its path."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from runner.expectation import expectation, key_expectation, keys_at
from schemas.errors import Problem, YamlPath, suggestion
from schemas.model import JsonValue, Model

LONGEST_SHOWN = 60
_ARTICLES = ("a ", "an ", "one of ")
"""A validator's message that begins so says what it expects."""

_CONTAINERS = frozenset(("tuple_type", "list_type", "set_type", "frozen_set_type", "path_type"))

M = TypeVar("M", bound=Model)


class FoundInside(ValueError):
    """A problem that a validator found in a block of its own; it is reported as it stands."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Checked(Generic[M]):
    """A model, where it could be made, and what is wrong.

    With `salvage`, `value` is made from the keys that are right; `wrong` names the others.
    """

    value: M | None
    problems: tuple[Problem, ...]
    wrong: frozenset[str] = frozenset()


def shown(value: object) -> str:
    """Return a value as it is shown in a message: short, on one line."""
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        cut = value if len(value) <= LONGEST_SHOWN else value[:LONGEST_SHOWN] + "..."
        return "'" + " ".join(cut.split()) + "'" if cut.strip() else "an empty text"
    return str(value)


def at(base: YamlPath, problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Return the problems with their paths below `base`."""
    return tuple(Problem((*base, *p.path), p.message, at_key=p.at_key) for p in problems)


def found_expected(value: object, expected: str) -> str:
    """Return the message for a value of the wrong type or out of bounds."""
    return f"found {shown(value)}, expected {expected}"


def check(
    model: type[M], data: JsonValue, *, also: Sequence[str] = (), salvage: bool = False
) -> Checked[M]:
    """Return the model of some data, or what is wrong with it.

    Texts are not read as numbers, nor numbers as texts. `also` are keys that stand beside the
    model's own and are checked elsewhere; they are only used in suggestions.
    """
    value, problems = _read(model, data, also)
    if value is not None:
        return Checked(value, ())
    wrong = frozenset(str(problem.path[0]) for problem in problems if problem.path)
    if not salvage or not isinstance(data, dict) or not wrong:
        return Checked(None, problems, wrong)
    rest: JsonValue = {key: item for key, item in data.items() if key not in wrong}
    firsts = {problem.path[:1] for problem in problems}
    again = check(model, rest, also=also)
    # What is said of the rest as a whole is about the keys that were left out.
    more = tuple(problem for problem in again.problems if problem.path[:1] not in ((), *firsts))
    return Checked(again.value, (*problems, *more), wrong)


def _read(
    model: type[M], data: JsonValue, also: Sequence[str]
) -> tuple[M | None, tuple[Problem, ...]]:
    """Return the model, read strictly.

    Strictly means here that a scalar is of the type that is asked for. pydantic's strictness also
    refuses lists for tuples and texts for paths where a validator has had the data in its hands
    before; of that, only what its ordinary mode refuses as well is reported.
    """
    text = json.dumps(data)
    try:
        return model.model_validate_json(text, strict=True), ()
    except ValidationError as error:
        strict = _complaints(data, error)
    try:
        value = model.model_validate_json(text)
        lax = []
    except ValidationError as error:
        value, lax = None, _complaints(data, error)
    refused = {found.path for found in lax if found.words["type"] in _CONTAINERS}
    forgiven = {found.path for found in strict if found.words["type"] in _CONTAINERS} - refused
    kept = [found for found in strict if found.path not in forgiven]
    kept += [found for found in lax if found.path not in {other.path for other in kept}]
    if kept:
        return None, _problems(model, data, kept, also)
    changed = _changed(
        data, None if value is None else value.model_dump(mode="json", by_alias=True)
    )
    problems = [
        Problem(path, found_expected(value_at(data, path), expectation(model, path)))
        for path in changed
    ]
    return (None if problems else value), tuple(problems)


def _changed(given: Any, read: Any, path: YamlPath = ()) -> list[YamlPath]:
    """Return the paths of scalars that were read as another type: `'8'` as 8, `yes` as true."""
    if isinstance(given, dict) and isinstance(read, dict):
        pairs = [(key, value, read[key]) for key, value in given.items() if key in read]
    elif isinstance(given, list) and isinstance(read, list) and len(given) == len(read):
        pairs = [(n, one, other) for n, (one, other) in enumerate(zip(given, read, strict=True))]
    else:
        return [] if _alike(given, read) else [path]
    return [found for key, one, other in pairs for found in _changed(one, other, (*path, key))]


def _alike(given: Any, read: Any) -> bool:
    if isinstance(given, int | float) and isinstance(read, int | float):
        return isinstance(given, bool) == isinstance(read, bool)
    return read is None or isinstance(given, type(read) | dict | list)


@dataclass(frozen=True, slots=True)
class _Complaint:
    """One of pydantic's complaints: where in the data, where a union branched, its own words."""

    path: YamlPath
    union: YamlPath | None
    words: Mapping[str, Any]


def _complaints(data: JsonValue, error: ValidationError) -> list[_Complaint]:
    every: Sequence[Mapping[str, Any]] = error.errors(include_url=False)
    below = {tuple(words["loc"][:n]) for words in every for n in range(len(words["loc"]))}
    return [
        _Complaint(*_path(data, words["loc"], missing=_is_missing(words)), words)
        for words in every
        # pydantic counts only the entries of a list that are right
        if words["type"] != "too_short" or tuple(words["loc"]) not in below
    ]


def _is_missing(words: Mapping[str, Any]) -> bool:
    """Tell whether the last part of a complaint's place may be a key that is not there."""
    cause = words.get("ctx", {}).get("error")
    return words["type"] == "missing" or (isinstance(cause, FoundInside) and cause.problem.at_key)


def _problems(
    model: type[Model], data: JsonValue, complaints: Sequence[_Complaint], also: Sequence[str]
) -> tuple[Problem, ...]:
    """Return one problem for each path; of the complaints of a union, the ones that go deepest."""
    by_union: dict[YamlPath, list[_Complaint]] = {}
    for found in complaints:
        by_union.setdefault(found.union or found.path, []).append(found)
    problems: dict[Problem, None] = {}
    for branches in by_union.values():
        deepest = max(len(found.path) for found in branches)
        for found in branches:
            if len(found.path) == deepest:
                problems[_problem(model, data, found.path, found.words, also)] = None
    return tuple(problems)


def _path(
    data: JsonValue, location: Sequence[str | int], *, missing: bool
) -> tuple[YamlPath, YamlPath | None]:
    """Return the part of a location that exists in the data, and where a union branched off.

    Inside unions a location also names the branch (`float`, `dict[str,float]`), which no file has.
    """
    path: list[str | int] = []
    union: YamlPath | None = None
    here: Any = data
    for n, part in enumerate(location):
        last = n == len(location) - 1
        inside = (isinstance(here, dict) and part in here) or (
            isinstance(here, list) and isinstance(part, int) and part < len(here)
        )
        if inside:
            here = here[part]
            path.append(part)
        elif missing and last and isinstance(here, dict):
            path.append(part)
        elif part != "[key]" and union is None:
            union = tuple(path)
    return tuple(path), union


def value_at(data: JsonValue, path: YamlPath) -> Any:
    """Return what stands at a path, None where nothing does."""
    here: Any = data
    for part in path:
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            return None
    return here


def _problem(
    model: type[Model],
    data: JsonValue,
    path: YamlPath,
    complaint: Mapping[str, Any],
    also: Sequence[str],
) -> Problem:
    kind = complaint["type"]
    if kind == "missing":
        return Problem(path, f"missing, expected {expectation(model, path)}", at_key=True)
    if kind == "extra_forbidden":
        return unknown_key(path, (*keys_at(model, path[:-1]), *(also if len(path) == 1 else ())))
    if kind in ("value_error", "assertion_error"):
        cause = complaint.get("ctx", {}).get("error")
        if isinstance(cause, FoundInside):
            return Problem(path, cause.problem.message, at_key=cause.problem.at_key)
        text = str(cause or complaint["msg"])
        return Problem(path, f"expected {text}" if text.startswith(_ARTICLES) else text)
    if complaint["loc"] and complaint["loc"][-1] == "[key]":
        name = str(path[-1]) if path else ""
        return Problem(path, found_expected(name, key_expectation(model, path[:-1])), at_key=True)
    return Problem(path, found_expected(value_at(data, path), expectation(model, path)))


def misspelt(block: Mapping[str, JsonValue], key: str, path: YamlPath) -> list[Problem]:
    """Return a problem for each key of a block that is near to the one which it lacks.

    Without that key nobody knows which other keys the block may have.
    """
    near = get_close_matches(key, [other for other in block if isinstance(other, str)])
    return [] if key in block else [unknown_key((*path, other), [key]) for other in near]


def unknown_key(path: YamlPath, known: Sequence[str]) -> Problem:
    """Return the problem of a key that nothing knows."""
    return Problem(path, f"unknown key{suggestion(str(path[-1]), sorted(set(known)))}", at_key=True)
