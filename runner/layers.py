"""The params of a stage from all places that give some: protocol, defaults, stage, `params`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.validation import at, check, value_at
from schemas.errors import Problem, YamlPath
from schemas.model import JsonValue, Model


@dataclass(frozen=True)
class Layer:
    """Params given in one place; `path` is None for a protocol, which stands in no file."""

    values: Mapping[str, JsonValue]
    path: YamlPath | None = None
    also: Sequence[str] = ()


def merged(lower: Mapping[str, JsonValue], upper: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return a new mapping in which `upper` precedes; mappings within are merged key by key."""
    result = dict(lower)
    for key, value in upper.items():
        below = result.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        result[key] = merged(below, value) if both else value  # type: ignore[arg-type]  # both are mappings
    return result


def combine(
    model: type[Model],
    layers: Sequence[Layer],
    stage: YamlPath,
    twice: Callable[[Mapping[str, JsonValue]], Sequence[str]] | None = None,
) -> tuple[Any, list[Problem]]:
    """Return the params that the layers give together, the last precedes, and what is wrong.

    Each layer is checked by itself, so that a value which another layer covers is still reported,
    at its own line, and so is what `twice` says of it: a quantity given in two words. What only
    the whole can tell (a missing key) is reported at the stage.
    """
    problems: list[Problem] = []
    whole_of_one: dict[str, YamlPath] = {}
    for layer in layers:
        if layer.path is not None:
            words = twice(layer.values) if twice else ()
            problems += [Problem(layer.path, message) for message in words]
            problems += _alone(model, layer, layer.path, whole_of_one)
    values: dict[str, JsonValue] = {}
    for layer in layers:
        values = merged(_uncovered(model, values, layer.values), layer.values)
    result = check(model, values)
    if problems:
        return None, problems
    for problem in result.problems:
        if not problem.path:
            problems.append(Problem(whole_of_one.get(problem.message, stage), problem.message))
        else:
            problems += at(_place(layers, problem.path, stage), [problem])
    return result.value, problems


def _alone(
    model: type[Model], layer: Layer, path: YamlPath, whole_of_one: dict[str, YamlPath]
) -> list[Problem]:
    """Return what is wrong with a layer's keys; what concerns it as a whole is only noted."""
    problems: list[Problem] = []
    for problem in check(model, dict(layer.values), also=layer.also).problems:
        if not problem.path:
            whole_of_one[problem.message] = path
        elif not _is_missing(problem, layer.values):
            problems += at(path, [problem])
    return problems


def _uncovered(
    model: type[Model], lower: Mapping[str, JsonValue], upper: Mapping[str, JsonValue]
) -> Mapping[str, JsonValue]:
    """Return `lower` without what `upper` says in other words.

    A model with two words for one quantity (a field and a raw keyword) has the class method
    `uncovered`, so that the word of the upper layer precedes the other word of the lower one.
    """
    uncovered = getattr(model, "uncovered", None)
    return lower if uncovered is None else dict(uncovered(lower, upper))


def _is_missing(problem: Problem, values: Mapping[str, JsonValue]) -> bool:
    above = value_at(dict(values), problem.path[:-1])
    return problem.at_key and isinstance(above, dict) and problem.path[-1] not in above


def _place(layers: Sequence[Layer], path: YamlPath, stage: YamlPath) -> YamlPath:
    """Return the path of the topmost layer that gives the value at a path below it."""
    for layer in reversed(layers):
        if layer.path is not None and value_at(dict(layer.values), path) is not None:
            return layer.path
    return stage
