"""What a key expects, in plain words, read from a model's JSON Schema: one source for all texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from schemas.errors import YamlPath
from schemas.model import Model

UNITS: Mapping[str, str] = {
    "_ev_per_ang": "eV/angstrom",
    "_ev_per_atom": "eV/atom",
    "_per_ang": "1/angstrom",
    "_ry_per_bohr": "Ry/bohr",
    "_ry_per_atom": "Ry/atom",
    "_ry": "Ry",
    "_ev": "eV",
    "_ang": "angstrom",
    "_bohr": "Bohr magnetons",
    "_gpa": "GPa",
    "_kbar": "kbar",
    "_gb": "GB",
    "_min": "minutes",
    "_hours": "hours",
    "_s": "seconds",
    "_k": "K",
    "usd": "US dollars",
    "usd_per_core_hour": "US dollars",
}
"""Endings of names, the longest first where one ends in another."""
PATTERNS: Mapping[str, str] = {
    r"^[a-z0-9][a-z0-9-]{0,62}$": "a name of small letters, digits and dashes, at most 63",
    r"^[a-z][a-z0-9_]{0,62}$": "a name of small letters, digits and underscores, at most 63, "
    "that begins with a letter",
}
_TYPES: Mapping[str, str] = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping, lines of `key: value`",
    "null": "nothing",
}


@cache
def schema_of(model: type[Model]) -> Mapping[str, Any]:
    """Return a model's JSON Schema."""
    return model.model_json_schema()


def unit(name: str | int | None) -> str:
    """Return the unit that the ending of a name tells: `ecutwfc_ry` is in Ry."""
    if isinstance(name, str):
        for ending in sorted(UNITS, key=len, reverse=True):
            if name.endswith(ending):
                return UNITS[ending]
    return ""


def expectation(model: type[Model], path: YamlPath) -> str:
    """Return what stands at a path of the model's data: `a number greater than 0, in Ry`."""
    whole = schema_of(model)
    found = _descend(whole, whole, path)
    if not found:
        return "another value"
    words = list(dict.fromkeys(_words(whole, schema) for schema in found))
    named = next((part for part in reversed(path) if isinstance(part, str)), None)
    measured = unit(named) if any("number" in word for word in words) else ""
    return " or ".join(words) + (f", in {measured}" if measured else "")


def keys_at(model: type[Model], path: YamlPath = ()) -> tuple[str, ...]:
    """Return the keys that a model knows at a path."""
    whole = schema_of(model)
    return tuple(
        key for schema in _descend(whole, whole, path) for key in schema.get("properties", {})
    )


def key_expectation(model: type[Model], path: YamlPath) -> str:
    """Return what the keys of the mapping at a path have to be."""
    whole = schema_of(model)
    for schema in _descend(whole, whole, path):
        patterns = [*schema.get("patternProperties", {})]
        names = schema.get("propertyNames", {})
        if patterns or "pattern" in names:
            pattern = patterns[0] if patterns else names["pattern"]
            return PATTERNS.get(pattern, f"text like {pattern}")
        if "enum" in names:
            return f"one of {', '.join(names['enum'])}"
    return "another key"


def _variants(whole: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a schema's alternatives with references followed, without `null`."""
    if "$ref" in schema:
        target = whole["$defs"][str(schema["$ref"]).rsplit("/", 1)[-1]]
        return _variants(whole, target)
    for joint in ("anyOf", "oneOf", "allOf"):
        if joint in schema:
            return [
                variant
                for part in schema[joint]
                if part.get("type") != "null"
                for variant in _variants(whole, part)
            ]
    return [schema]


def _descend(
    whole: Mapping[str, Any], schema: Mapping[str, Any], path: YamlPath
) -> list[Mapping[str, Any]]:
    variants = _variants(whole, schema)
    for part in path:
        below: list[Mapping[str, Any]] = []
        for variant in variants:
            inner = _child(variant, part)
            if isinstance(inner, Mapping):
                below += _variants(whole, inner)
        variants = below
    return variants


def _child(schema: Mapping[str, Any], part: str | int) -> Any:
    if isinstance(part, str):
        return schema.get("properties", {}).get(part) or next(
            iter(schema.get("patternProperties", {}).values()), schema.get("additionalProperties")
        )
    prefix: Sequence[Any] = schema.get("prefixItems", ())
    return prefix[part] if part < len(prefix) else schema.get("items")


def _words(whole: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    kind = str(schema.get("type", ""))
    words = _TYPES.get(kind, "a value")
    if "const" in schema:
        words = str(schema["const"])
    elif "enum" in schema:
        words = f"one of {', '.join(str(value) for value in schema['enum'])}"
    elif kind in ("integer", "number"):
        words += _bounds(schema)
    elif kind == "array":
        words = _list_words(whole, schema)
    elif kind == "string" and "pattern" in schema:
        words = PATTERNS.get(schema["pattern"], f"text like {schema['pattern']}")
    elif kind == "string" and schema.get("minLength"):
        words += " that is not empty"
    return words


def _list_words(whole: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    prefix: Sequence[Mapping[str, Any]] = schema.get("prefixItems", ())
    inner = prefix[0] if prefix else schema.get("items")
    items = _variants(whole, inner) if isinstance(inner, Mapping) else []
    kinds = {str(item.get("type", "")) for item in items}
    of = {"string": " of texts", "number": " of numbers", "integer": " of whole numbers"}
    what = of.get(next(iter(kinds)), "") if len(kinds) == 1 else ""
    if prefix:
        return f"a list{what} with {len(prefix)} entries"
    least = schema.get("minItems")
    return f"a list{what}" + (" that is not empty" if least else "")


def _bounds(schema: Mapping[str, Any]) -> str:
    words = {
        "exclusiveMinimum": "greater than",
        "minimum": "of at least",
        "exclusiveMaximum": "less than",
        "maximum": "of at most",
    }
    parts = [f"{word} {_shown(schema[key])}" for key, word in words.items() if key in schema]
    return f" {' and '.join(parts)}" if parts else ""


def _shown(number: object) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)
