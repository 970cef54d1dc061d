"""A plug-in by its name, or what is wrong with the name; reserved words are refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from runner.validation import at, check
from schemas import registry
from schemas.errors import Problem, YamlPath
from schemas.model import JsonValue
from schemas.registry import Registry, UnknownPlugin
from schemas.reserved import refusal

Plugin = TypeVar("Plugin")


def find(
    plugins: Registry[Plugin], name: object, path: YamlPath
) -> tuple[Plugin | None, list[Problem]]:
    """Return the named plug-in; None where the name is no text, which the model reports."""
    if not isinstance(name, str):
        return None, []
    try:
        return plugins.get(name), []
    except UnknownPlugin as error:
        return None, [Problem(path, str(error))]
    except ImportError as error:
        return None, [
            Problem(path, f"the {plugins.kind} '{name}' cannot be loaded: {error}; is an extra "
                    "missing from the installation?")
        ]  # fmt: skip


def reserved_keys(
    block: Mapping[str, JsonValue], words: Mapping[str, str], path: YamlPath
) -> tuple[dict[str, JsonValue], list[Problem]]:
    """Return the block without reserved keys and `{from: ...}` values, and a problem for each."""
    problems = [
        Problem((*path, word), refusal(word), at_key=True) for word in block if word in words
    ]
    rest = {key: value for key, value in block.items() if key not in words}
    for key, value in list(rest.items()):
        word = reserved_value(key, value)
        if word:
            problems.append(Problem((*path, key), refusal(word)))
            del rest[key]
    return rest, problems


def reserved_value(key: str, value: JsonValue) -> str:
    """Return the reserved word that makes up a value: `{from: STAGE.column}`, `{train: ...}`."""
    if isinstance(value, dict) and set(value) == {"from"}:
        return "from"
    if key == "model" and isinstance(value, dict) and "train" in value:
        return "model.train"
    return ""


def check_launcher(launcher: JsonValue, path: YamlPath) -> list[Problem]:
    """Return what is wrong with a `launcher:` block."""
    if not isinstance(launcher, dict):
        return []
    if "kind" not in launcher:
        names = ", ".join(registry.launchers.names())
        return [Problem((*path, "kind"), f"missing, expected one of {names}", at_key=True)]
    looked_up = find(registry.launchers, launcher["kind"], (*path, "kind"))
    plugin, problems = looked_up
    if plugin is None:
        if not problems:
            problems = [Problem((*path, "kind"), "expected the name of a launcher")]
        return problems
    own: JsonValue = {key: value for key, value in launcher.items() if key != "kind"}
    return [*problems, *at(path, check(plugin.params, own, also=("kind",)).problems)]
