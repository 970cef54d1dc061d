"""The JSON Schema of the whole language, with the params of every plug-in that is installed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from schemas import registry
from schemas.campaign import Campaign
from schemas.filters import FilterStep
from schemas.model import Model
from schemas.protocols import Engine
from schemas.reserved import (
    ANALYSES,
    GENERATORS,
    IN_CAMPAIGN,
    IN_DEFAULTS,
    IN_FILTER,
    IN_STAGE,
    refusal,
)
from schemas.space import SpaceEntry
from schemas.stages import STAGE_NAME, AnalysisBlock, Defaults, EngineDefaults, StageBlock

Schema = dict[str, Any]


def language_schema() -> Schema:
    """Return the schema (JSON Schema 2020-12) of a campaign file.

    The blocks of plug-ins are told apart by `kind`, `score`, `engine` and `analysis`. Reserved
    words are properties that nothing satisfies, marked `x-reserved`.
    """
    definitions: Schema = {}
    whole = _model(Campaign, definitions)
    properties = whole["properties"]
    properties["space"]["items"] = _space(definitions)
    definitions["References"]["properties"]["space"]["items"] = properties["space"]["items"]
    properties["filters"]["items"] = _filters(definitions)
    properties["defaults"] = _defaults(definitions)
    properties["stages"] = {
        "description": properties["stages"]["description"],
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": STAGE_NAME},
        "additionalProperties": _stage(definitions),
    }
    properties.update(_reserved(IN_CAMPAIGN))
    definitions["Profile"]["properties"]["launcher"] = _launcher(definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **whole,
        "title": "A campaign of materials calculations",
        "$defs": dict(sorted(definitions.items())),
    }


def profile_schema() -> Schema:
    """Return the schema of a profile file: the same as that of `run:`."""
    whole = language_schema()
    definitions: Schema = whole["$defs"]
    return {"$schema": whole["$schema"], **definitions["Profile"], "$defs": definitions}


def _model(model: type[Model], definitions: Schema, prefix: str = "") -> Schema:
    """Return a model's own schema; what it refers to is added to the definitions."""
    schema = model.model_json_schema()
    inner = schema.pop("$defs", {})
    for name, definition in inner.items():
        definitions[prefix + name] = _renamed(definition, prefix)
    renamed: Schema = _renamed(schema, prefix)
    return renamed


def _renamed(schema: Any, prefix: str) -> Any:
    """Return the schema with references into the definitions under their prefixed names."""
    if isinstance(schema, Mapping):
        return {
            key: value.replace("#/$defs/", f"#/$defs/{prefix}")
            if key == "$ref" and isinstance(value, str)
            else _renamed(value, prefix)
            for key, value in schema.items()
        }
    return [_renamed(item, prefix) for item in schema] if isinstance(schema, list) else schema


def _params(model: type[Model], definitions: Schema, name: str, *, partial: bool = False) -> Schema:
    """Return a reference to a plug-in's params, which leave room for the keys beside them.

    With `partial` no key is required: another layer may give it.
    """
    schema = _model(model, definitions, f"{name}.")
    schema.pop("additionalProperties", None)
    if partial:
        schema.pop("required", None)
    definitions[name] = schema
    return {"$ref": f"#/$defs/{name}"}


def _reserved(words: Mapping[str, str]) -> Schema:
    return {
        word: {"not": {}, "description": f"{meaning} {refusal(word)}.", "x-reserved": True}
        for word, meaning in words.items()
    }


def _block(model: type[Model], definitions: Schema, reserved: Mapping[str, str]) -> Schema:
    """Return the schema of a block's common keys; others are left to what is added to `allOf`."""
    schema = _model(model, definitions)
    schema.pop("additionalProperties", None)
    schema["properties"].update(_reserved(reserved))
    schema["unevaluatedProperties"] = False
    schema["allOf"] = []
    return schema


def _if(key: str, value: str, then: Schema) -> Schema:
    return {"if": {"properties": {key: {"const": value}}, "required": [key]}, "then": then}


def _names(description: str, names: Iterable[str]) -> Schema:
    return {"type": "string", "description": description, "enum": list(names)}


def _space(definitions: Schema) -> Schema:
    schema = _block(SpaceEntry, definitions, {})
    names = [name for name in registry.generators.names() if name not in GENERATORS]
    schema["properties"]["kind"] = _names("Name of the generator.", names)
    schema["allOf"] = [
        _if(
            "kind",
            name,
            _params(registry.generators.get(name).params, definitions, f"space.{name}"),
        )
        for name in names
    ]
    return schema


def _filters(definitions: Schema) -> Schema:
    schema = _block(FilterStep, definitions, IN_FILTER)
    names = registry.scores.names()
    schema["properties"]["score"] = _names("Name of the score that is computed.", names)
    schema["allOf"] = [
        _if("score", name, _params(registry.scores.get(name).params, definitions, f"score.{name}"))
        for name in names
    ]
    return schema


def _engine(name: str, plugin: Engine, definitions: Schema) -> Schema:
    return _params(plugin.params, definitions, f"engine.{name}", partial=True)


def _defaults(definitions: Schema) -> Schema:
    schema = _block(Defaults, definitions, IN_DEFAULTS)
    del schema["allOf"]
    for name in registry.engines.names():
        plugin = registry.engines.get(name)
        block = _block(EngineDefaults, definitions, IN_DEFAULTS)
        block["description"] = f"Params of {name} for all its stages."
        if plugin.protocols():
            block["properties"]["protocol"]["enum"] = list(plugin.protocols())
        block["allOf"] = [_engine(name, plugin, definitions)]
        schema["properties"][name] = block
    return schema


def _stage(definitions: Schema) -> Schema:
    definitions["StageBlock"] = _calculation(definitions)
    definitions["AnalysisBlock"] = _analysis(definitions)
    return {
        "properties": _reserved(IN_STAGE),
        "if": {"required": ["analysis"]},
        "then": {"$ref": "#/$defs/AnalysisBlock"},
        "else": {"$ref": "#/$defs/StageBlock"},
    }


def _analysis(definitions: Schema) -> Schema:
    schema = _block(AnalysisBlock, definitions, {})
    names = [name for name in registry.analyses.names() if name not in ANALYSES]
    schema["properties"]["analysis"] = _names("Name of the analysis.", names)
    schema["allOf"] = [
        _if(
            "analysis",
            name,
            _params(registry.analyses.get(name).params, definitions, f"analysis.{name}"),
        )
        for name in names
    ]
    return schema


def _calculation(definitions: Schema) -> Schema:
    schema = _block(StageBlock, definitions, {})
    schema["properties"]["engine"] = _names("Name of the engine.", registry.engines.names())
    for name in registry.engines.names():
        plugin = registry.engines.get(name)
        roles = {
            role.name: {"type": "string", "description": role.description}
            for task in plugin.tasks()
            for role in plugin.roles(task)
        }
        own: Schema = {"properties": {**roles, "task": {"enum": list(plugin.tasks())}}}
        if plugin.protocols():
            own["properties"]["protocol"] = {"enum": list(plugin.protocols())}
        if "params" not in plugin.params.model_fields:
            own["properties"]["params"] = _engine(name, plugin, definitions)
        then = {"allOf": [_engine(name, plugin, definitions), own]}
        schema["allOf"].append(_if("engine", name, then))
    return schema


def _launcher(definitions: Schema) -> Schema:
    names = registry.launchers.names()
    return {
        "description": "`kind` and that launcher's own settings.",
        "type": "object",
        "properties": {"kind": _names("Name of the launcher.", names)},
        "required": ["kind"],
        "allOf": [
            _if(
                "kind",
                name,
                _params(registry.launchers.get(name).params, definitions, f"launcher.{name}"),
            )
            for name in names
        ],
        "unevaluatedProperties": False,
    }
