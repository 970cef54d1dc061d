"""Protocols: named levels of accuracy, as data in `protocols.yaml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from schemas.errors import UserError, suggestion
from schemas.model import JsonValue

BASE = "balanced"
NAMES = ("fast", "balanced", "stringent")


@cache
def _levels() -> dict[str, dict[str, JsonValue]]:
    from ruamel.yaml import YAML

    levels: dict[str, dict[str, JsonValue]] = YAML(typ="safe").load(
        Path(__file__).with_name("protocols.yaml")
    )
    return levels


def protocol(name: str) -> dict[str, JsonValue]:
    """Return the params that a protocol sets. Raises UserError for an unknown name."""
    if name not in NAMES:
        raise UserError(f"espresso has no protocol '{name}'{suggestion(name, NAMES)}")
    return {**_levels()[BASE], **_levels()[name]}


def protocol_values(field: str) -> tuple[JsonValue, ...]:
    """Return the values that the protocols give a field; empty where none sets it."""
    return tuple(protocol(name)[field] for name in NAMES if field in protocol(name))
