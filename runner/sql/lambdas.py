"""Functions that take a lambda, over arrays and maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from runner.sql.kinds import BOOLEAN, UNKNOWN, Kind, Typed, array, common, identifier, mapping
from runner.sql.refusal import refuse
from runner.sql.scope import Scope

if TYPE_CHECKING:
    from runner.sql.expressions import Expressions

LAMBDAS = {
    "all_match": "all_match(array, x -> condition)",
    "any_match": "any_match(array, x -> condition)",
    "filter": "filter(array, x -> condition)",
    "map_filter": "map_filter(map, (k, v) -> condition)",
    "none_match": "none_match(array, x -> condition)",
    "reduce": "reduce(array, start, (sum, x) -> sum, sum -> result)",
    "transform": "transform(array, x -> value)",
    "transform_keys": "transform_keys(map, (k, v) -> key)",
    "transform_values": "transform_values(map, (k, v) -> value)",
    "zip_with": "zip_with(array, array, (x, y) -> value)",
}
_MATCHES = {
    "any_match": "any_true({0})",
    "all_match": "all_true({0})",
    "none_match": "(NOT any_true({0}))",
}
_ITEM = "_item"


def with_lambda(compiler: Expressions, name: str, node: Any, scope: Scope) -> Typed:
    """Return a call whose last argument is a lambda."""
    parts = list(node.expressions)
    places = [place for place, part in enumerate(parts) if isinstance(part, exp.Lambda)]
    if name == "reduce" and len(parts) == 4 and places == [2, 3]:  # noqa: PLR2004  (array, start, step, end)
        return _reduced(compiler, parts, scope)
    if name == "zip_with" and len(parts) == 3 and places == [2]:  # noqa: PLR2004  (two arrays)
        return _zipped(compiler, parts, scope)
    if len(parts) != 2 or places != [1] or name in {"reduce", "zip_with"}:  # noqa: PLR2004  (array, lambda)
        raise refuse(f"{name}()", f"write {LAMBDAS[name]}")
    subject = compiler.compile(parts[0], scope)
    if name in {"map_filter", "transform_keys", "transform_values"}:
        return _of_map(compiler, name, subject, parts[1], scope)
    if subject.kind.name != "array":
        raise refuse(f"{name}() of {subject.kind}", "its first argument must be an array")
    return _of_array(compiler, name, subject, parts[1], scope)


def _of_array(
    compiler: Expressions, name: str, subject: Typed, function: Any, scope: Scope
) -> Typed:
    (variable,) = _names(function, 1, name)
    known = {variable: Typed(identifier(variable), subject.kind.parts[0])}
    body = _body(compiler, function, known, scope)
    bound = f"lambda {identifier(variable)}: {body.sql}"
    if name == "transform":
        return Typed(f"list_transform({subject.sql}, {bound})", array(body.kind))
    _check_condition(name, body)
    if name == "filter":
        return Typed(f"list_filter({subject.sql}, {bound})", subject.kind)
    found = f"list_transform({subject.sql}, lambda {identifier(variable)}: {body.to(BOOLEAN)})"
    return Typed(_MATCHES[name].format(found), BOOLEAN)


def _of_map(compiler: Expressions, name: str, subject: Typed, function: Any, scope: Scope) -> Typed:
    if subject.kind.name != "map":
        raise refuse(f"{name}() of {subject.kind}", "its first argument must be a map")
    key, value = _names(function, 2, name)
    item = f"{_ITEM}{_depth(scope)}"
    known = {
        key: Typed(f"struct_extract({item}, 'key')", subject.kind.parts[0]),
        value: Typed(f"struct_extract({item}, 'value')", subject.kind.parts[1]),
    }
    body = _body(compiler, function, known, scope)
    entries = f"map_entries({subject.sql})"
    if name == "map_filter":
        _check_condition(name, body)
        kept = f"list_filter({entries}, lambda {item}: {body.sql})"
        return Typed(f"map_from_entries({kept})", subject.kind)
    if name == "transform_keys":
        pair, kind = (body, known[value]), mapping(body.kind, subject.kind.parts[1])
        if not body.kind.ordered:
            raise refuse("transform_keys()", "keys are numbers, texts or times")
    else:
        pair, kind = (known[key], body), mapping(subject.kind.parts[0], body.kind)
    made = f"struct_pack(k := {pair[0].sql}, v := {pair[1].sql})"
    return Typed(f"map_from_entries(list_transform({entries}, lambda {item}: {made}))", kind)


def _zipped(compiler: Expressions, parts: list[Any], scope: Scope) -> Typed:
    arrays = [compiler.compile(part, scope) for part in parts[:2]]
    if any(one.kind.name != "array" for one in arrays):
        raise refuse("zip_with()", f"write {LAMBDAS['zip_with']}")
    item = f"{_ITEM}{_depth(scope)}"
    names = _names(parts[2], 2, "zip_with")
    known = {
        name: Typed(f"struct_extract({item}, {place})", one.kind.parts[0])
        for place, (name, one) in enumerate(zip(names, arrays, strict=True), 1)
    }
    body = _body(compiler, parts[2], known, scope)
    first, second = (one.sql for one in arrays)
    made = f"list_transform(list_zip({first}, {second}), lambda {item}: {body.sql})"
    missing = f"{first} IS NULL OR {second} IS NULL"
    return Typed(f"(CASE WHEN {missing} THEN NULL ELSE {made} END)", array(body.kind))


def _reduced(compiler: Expressions, parts: list[Any], scope: Scope) -> Typed:
    """Compile reduce: DuckDB has no last step, which is put around instead."""
    subject, start = (compiler.compile(part, scope) for part in parts[:2])
    if subject.kind.name != "array":
        raise refuse(f"reduce() of {subject.kind}", f"write {LAMBDAS['reduce']}")
    state, element = _names(parts[2], 2, "reduce")
    item = f"{_ITEM}{_depth(scope)}"
    step = _step(compiler, parts[2], (state, element, item), (start.kind, subject), scope)
    if start.kind == UNKNOWN or common(start.kind, step.kind) != start.kind:
        raise refuse(f"reduce() from {start.kind} to {step.kind}", f"CAST its start AS {step.kind}")
    kind = start.kind
    packed = f"struct_pack(s := {step.to(kind)}, x := NULL)"
    typed = f"STRUCT(s {kind.duckdb()}, x {subject.kind.parts[0].duckdb()})"
    source = f"list_transform({subject.sql}, lambda {item}: struct_pack(s := NULL, x := {item}))"
    folded = (
        f"list_reduce(CAST({source} AS {typed}[]), lambda {item}, {item}_x: CAST({packed} AS "
        f"{typed}), CAST(struct_pack(s := {start.sql}, x := NULL) AS {typed}))"
    )
    result = Typed(f"struct_extract({folded}, 's')", kind)
    (last,) = _names(parts[3], 1, "reduce")
    return _body(compiler, parts[3], {last: result}, scope)


def _step(
    compiler: Expressions,
    function: Any,
    names: tuple[str, str, str],
    kinds: tuple[Kind, Typed],
    scope: Scope,
) -> Typed:
    state, element, item = names
    known = {
        state: Typed(f"struct_extract({item}, 's')", kinds[0]),
        element: Typed(f"struct_extract({item}_x, 'x')", kinds[1].kind.parts[0]),
    }
    return _body(compiler, function, known, scope)


def _body(compiler: Expressions, function: Any, known: Mapping[str, Typed], scope: Scope) -> Typed:
    for name in known:
        if scope.knows(name, None):
            raise refuse(f"the variable '{name}'", "a column has that name; call it otherwise")
    return compiler.compile(function.this, Scope(parent=scope, variables=known))


def _names(function: Any, count: int, name: str) -> list[str]:
    found = [part.name.lower() for part in function.expressions]
    if len(found) != count or len(set(found)) != count:
        raise refuse(f"the lambda of {name}()", f"write {LAMBDAS[name]}")
    return found


def _depth(scope: Scope) -> int:
    return 0 if scope.parent is None else 1 + _depth(scope.parent)


def _check_condition(name: str, body: Typed) -> None:
    if body.kind not in (BOOLEAN, UNKNOWN):
        raise refuse(f"{name}()", "its lambda must be a condition")
