"""From `defaults` to what holds for all stages, and for all stages of an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from runner.layers import Layer, combine
from runner.plugins import find, reserved_keys
from runner.validation import at, check, found_expected
from schemas import registry
from schemas.errors import Problem, YamlPath, suggestion
from schemas.model import JsonValue
from schemas.protocols import Engine
from schemas.reserved import IN_DEFAULTS
from schemas.stages import Defaults, EngineDefaults


def read_defaults(
    block: Mapping[str, JsonValue],
) -> tuple[Defaults, dict[str, dict[str, JsonValue]], list[Problem]]:
    """Return what holds for all stages, the blocks by engine, and what is wrong."""
    rest, problems = reserved_keys(block, IN_DEFAULTS, ("defaults",))
    common = check(Defaults, rest, salvage=True)
    problems += at(("defaults",), common.problems)
    engines: dict[str, dict[str, JsonValue]] = {}
    known = (*Defaults.model_fields, *registry.engines.names())
    for name, values in rest.items():
        path = ("defaults", name)
        if name in Defaults.model_fields:
            continue
        if name not in registry.engines.names():
            problems.append(
                Problem(path, f"no engine '{name}'{suggestion(name, known)}", at_key=True)
            )
        elif not isinstance(values, dict):
            problems.append(Problem(path, found_expected(values, "a mapping of params")))
        else:
            engines[name], found = _engine_defaults(name, values)
            problems += found
    return common.value or Defaults(), engines, problems


def _engine_defaults(
    name: str, values: dict[str, JsonValue]
) -> tuple[dict[str, JsonValue], list[Problem]]:
    path = ("defaults", name)
    values, problems = reserved_keys(values, IN_DEFAULTS, path)
    looked_up = find(registry.engines, name, path)
    plugin, found = looked_up
    problems += found
    block = check(EngineDefaults, values, salvage=True)
    problems += at(path, block.problems)
    if plugin is None or block.value is None:
        return {}, problems
    protocol = block.value.protocol
    if protocol is not None and protocol not in plugin.protocols():
        problems.append(no_protocol(protocol, name, plugin, path))
        values = {key: value for key, value in values.items() if key != "protocol"}
    # Alone, too: defaults of an engine that no stage uses are not to hold mistakes either.
    layer = Layer(block.value.own, path, also=("protocol",))
    _, found = combine(plugin.params, [layer], path, twice(plugin))
    problems += [
        p for p in found if len(p.path) > len(path) and not p.message.startswith("missing")
    ]
    return values, problems


def twice(plugin: Engine) -> Callable[[Mapping[str, JsonValue]], Sequence[str]] | None:
    """Return the engine's own look for quantities that one block says in two words, if any."""
    return getattr(plugin, "twice", None)


def no_protocol(name: str, engine: str, plugin: Engine, path: YamlPath) -> Problem:
    """Return the problem of a protocol that an engine does not have."""
    nearest = suggestion(name, plugin.protocols())
    return Problem((*path, "protocol"), f"{engine} has no protocol '{name}'{nearest}")
