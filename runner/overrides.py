"""What `campaign retry --set` changes of a calculation, without making it another one.

Overrides stand in the ledger as they stand in an order: {resources: {...}, params: {...}}. The
stage key does not hold what they may change, so results keep their names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from json import dumps
from typing import Any

from schemas.document import read_document
from schemas.errors import InvalidFile, UserError, suggestion
from schemas.model import JsonValue
from schemas.profile import Site
from schemas.protocols import Engine
from schemas.registry import engines
from schemas.resources import Resources
from schemas.structure import Structure
from schemas.work import StageOrder

RESOURCES, PARAMS = "resources", "params"
EXAMPLE = "resources.memory_gb=64"


def read_settings(assignments: Sequence[str]) -> tuple[dict[str, JsonValue], list[str]]:
    """Return path -> value of texts `PATH=VALUE`, values as in a campaign file, and mistakes."""
    settings: dict[str, JsonValue] = {}
    mistakes = []
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        path = path.strip()
        if not (path and equals and text.strip()):
            mistakes.append(f"--set {assignment}: expected PATH=VALUE, such as {EXAMPLE}")
        elif path in settings:
            mistakes.append(f"--set {path}: given twice")
        else:
            try:
                settings[path] = _value(text)
            except InvalidFile:
                mistakes.append(f"--set {path}: '{text}' cannot be read; expected a YAML value")
    return settings, mistakes


def _value(text: str) -> JsonValue:
    """Return the value of a text. Raises InvalidFile."""
    document = read_document(f"value: {text.strip()}\n", "--set")
    document.check()
    return document.data["value"]


@dataclass(frozen=True)
class Subject:
    """A calculation that settings are checked against: one stands for all of its stage."""

    order: StageOrder
    structure: Structure
    site: Site

    @property
    def engine(self) -> Engine:
        """The engine of the stage."""
        return engines.get(self.order.engine)


def read_overrides(
    subject: Subject, settings: Mapping[str, JsonValue]
) -> tuple[dict[str, JsonValue], list[str]]:
    """Return what settings change of a stage's orders, and what is wrong with them."""
    resources: dict[str, JsonValue] = {}
    params: dict[str, JsonValue] = {}
    raw: dict[str, JsonValue] = {}
    mistakes = []
    for path, value in settings.items():
        place, name = _place(subject, path)
        if place == RESOURCES:
            resources[name] = value
        elif place == "":
            mistakes.append(f"--set {path}: {name}")
        elif problem := _other_calculation(subject, place, name, value):
            mistakes.append(f"--set {path}: {problem}")
        elif place == PARAMS:
            params[name] = value
        else:
            raw[name] = value
    if raw:
        params[PARAMS] = raw
    sections: dict[str, JsonValue] = {RESOURCES: resources, PARAMS: params}
    overrides: dict[str, JsonValue] = {name: one for name, one in sections.items() if one}
    return overrides, [*mistakes, *_problems(subject, resources, params)]


def _place(subject: Subject, path: str) -> tuple[str, str]:
    """Return where a path leads and the name there; ("", why) where it leads nowhere."""
    head, _, rest = path.partition(".")
    if head == RESOURCES and rest in Resources.model_fields:
        return RESOURCES, rest
    name = rest if head == PARAMS and rest else path
    if name in subject.engine.params.model_fields and name != PARAMS:
        return PARAMS, name
    if name in _keywords(subject):
        return "raw", name
    stage, engine = subject.order.stage, subject.order.engine
    nearest = suggestion(path, tuple(settable(subject)))
    return "", f"stage '{stage}' ({engine}) has nothing of that name{nearest}"


def settable(subject: Subject) -> Iterator[str]:
    """Yield the paths that may be set for a stage."""
    yield from (f"{RESOURCES}.{name}" for name in Resources.model_fields)
    task = subject.order.task
    for name in (*subject.engine.params.model_fields, *_keywords(subject)):
        if not subject.engine.is_physics(task, name):
            yield name


def _keywords(subject: Subject) -> tuple[str, ...]:
    """Return the program's own keywords, where the engine's params take them."""
    keywords = getattr(subject.engine, "keywords", None)
    if keywords is None or PARAMS not in subject.engine.params.model_fields:
        return ()
    return tuple(keywords(subject.order.task))


def _other_calculation(subject: Subject, place: str, name: str, value: JsonValue) -> str:
    """Return why a param must not be set, or ""."""
    change: dict[str, JsonValue] = {name: value} if place == PARAMS else {PARAMS: {name: value}}
    if subject.engine.is_physics(subject.order.task, name) or _decides_physics(subject, change):
        stage = subject.order.stage
        return f"edit the campaign file (stages.{stage}): that is another calculation"
    return ""


def _decides_physics(subject: Subject, change: Mapping[str, JsonValue]) -> bool:
    """Tell whether physics or files follow from a param, such as a family of pseudopotentials.

    What is resolved already does not show it, so the rest is resolved anew.
    """
    given = _unresolved(subject)
    try:
        return bool(_identity(subject, given) != _identity(subject, {**given, **change}))
    except (UserError, ValueError):
        return False  # what is wrong with the value is said by the check of all params


def _unresolved(subject: Subject) -> dict[str, JsonValue]:
    """Return the params from which all others of an order follow."""
    given = dict(subject.order.params)
    whole = _identity(subject, given)
    for name in subject.order.params:
        fewer = {other: value for other, value in given.items() if other != name}
        with suppress(UserError, ValueError):
            given = fewer if _identity(subject, fewer) == whole else given
    return given


def _identity(subject: Subject, given: Mapping[str, JsonValue]) -> Any:
    engine, task = subject.engine, subject.order.task
    params = engine.params.model_validate(given)
    resolved = engine.resolve(subject.structure, task, params, subject.site)
    files = engine.files(subject.structure, resolved, subject.site)
    return engine.physics(task, resolved), dict(files)


def _problems(
    subject: Subject, resources: Mapping[str, JsonValue], params: Mapping[str, JsonValue]
) -> Iterator[str]:
    """Yield what is wrong with values, in the words of a campaign file's mistakes."""
    from runner.validation import check

    order = subject.order
    changed: JsonValue = {**order.resources.model_dump(mode="json"), **resources}
    for problem in check(Resources, changed).problems if resources else ():
        yield f"--set {RESOURCES}.{problem.dotted()}: {problem.message}"
    whole: JsonValue = merged(order.params, params)
    for problem in check(subject.engine.params, whole).problems if params else ():
        yield f"--set {problem.dotted() or PARAMS}: {problem.message}"


def merged(below: Mapping[str, JsonValue], above: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return one mapping on top of another, mappings in them key by key."""
    whole = dict(below)
    for name, value in above.items():
        under = whole.get(name)
        both = isinstance(under, dict) and isinstance(value, dict)
        whole[name] = merged(under, value) if both else value  # type: ignore[arg-type]  # just asked
    return whole


def overridden(order: StageOrder, overrides: Mapping[str, JsonValue]) -> StageOrder:
    """Return an order with overrides in it; its key stays what it is."""
    if not overrides:
        return order
    plain = order.model_dump(mode="json")
    changed = {
        section: merged(plain[section], value)
        for section, value in overrides.items()
        if section in (RESOURCES, PARAMS) and isinstance(value, dict)
    }
    return StageOrder.model_validate({**plain, **changed})


def lines(overrides: Mapping[str, JsonValue], prefix: str = "") -> Iterator[str]:
    """Yield overrides as they are written on a command line: `resources.memory_gb=64`."""
    for name, value in overrides.items():
        if isinstance(value, dict):
            yield from lines(value, "" if prefix == "" and name == PARAMS else f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}={value if isinstance(value, str) else dumps(value)}"
