"""From `stages` and `defaults` to stages in an order in which each finds what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from runner.analysis_stage import AnalysisStage, check_of, read_analysis
from runner.columns import Known
from runner.defaults import no_protocol, twice
from runner.layers import Layer, combine
from runner.plugins import find, reserved_keys
from runner.validation import at, check, found_expected, misspelt, unknown_key
from schemas import registry
from schemas.checkpoint import Checkpoint
from schemas.columns import Column
from schemas.errors import Problem, YamlPath, suggestion
from schemas.expressions import Expression
from schemas.model import JsonValue, Model
from schemas.protocols import Engine
from schemas.reserved import IN_STAGE, WHOLE_STAGES
from schemas.resources import Resources
from schemas.retention import Retention
from schemas.stages import (
    CANDIDATE,
    AnalysisBlock,
    Defaults,
    StageBlock,
    is_analysis,
)
from schemas.work import OnUnrepaired

COMMON_KEYS = tuple(StageBlock.model_fields)
STRUCTURE = "structure"
CHARGE_DENSITY = "charge_density"
DEFAULT_PROTOCOL = "balanced"


@dataclass(frozen=True)
class Stage:
    """One stage, resolved but for what depends on the candidate's structure and on the site.

    `roles` maps a role to the name of the stage that fills it, or to `candidate`; `dependencies`
    are all stages that have to be settled before: those of the roles and those that `when` names.
    `resources` are the values that take the place of the engine's estimate.
    """

    name: str
    engine: str
    plugin: Engine
    task: str
    params: Any
    roles: Mapping[str, str]
    when: Expression | None
    dependencies: tuple[str, ...]
    resources: Mapping[str, JsonValue]
    on_unrepaired: OnUnrepaired
    protected: tuple[str, ...]
    checkpoint: Checkpoint
    retention: Retention
    protocol: str | None
    provides: tuple[str, ...]
    columns: tuple[Column, ...]

    def beside(self, folder: Path) -> Stage:
        """Return the stage with its folder of checkpoints, if any, as seen from a folder."""
        to = self.checkpoint.to
        if to is None or "://" in to:
            return self
        place = str(folder / Path(to).expanduser())
        return replace(self, checkpoint=self.checkpoint.model_copy(update={"to": place}))

    def needs(self, guess: Resources) -> Resources:
        """Return the engine's estimate with what the campaign file says in its place."""
        return Resources(**{**guess.model_dump(), **self.resources})


AnyStage: TypeAlias = Stage | AnalysisStage
"""A calculation of every candidate, or an analysis of all."""


@dataclass
class Draft:
    """A stage while it is read; None and `lost` mark what could not be read."""

    name: str
    analysis: AnalysisStage | None = None
    """Instead of all that follows, where the stage is one."""
    words: StageBlock | None = None
    plugin: Engine | None = None
    task: str | None = None
    protocol: str | None = None
    params: Any = None
    own: dict[str, JsonValue] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    when: Expression | None = None
    after: dict[str, str] = field(default_factory=dict)
    """The stages that it waits for, and the key that says so."""
    wrong: frozenset[str] = frozenset()
    lost: bool = False

    @property
    def path(self) -> YamlPath:
        """Where the stage stands."""
        return ("stages", self.name)

    def provides(self) -> tuple[str, ...] | None:
        """Return the roles that it can fill for others, None where that is not known."""
        if self.analysis is not None:
            return ()
        if self.plugin is None or self.task is None:
            return None
        return tuple(self.plugin.provides(self.task))


def read_stages(
    blocks: Mapping[str, JsonValue],
    defaults: Defaults,
    engines: Mapping[str, Mapping[str, JsonValue]],
    known: Known,
) -> tuple[tuple[AnyStage, ...], list[Problem]]:
    """Return the stages, each after those that it depends on, and what is wrong."""
    from runner.dag import check_roles, in_order

    problems: list[Problem] = []
    drafts: dict[str, Draft] = {}
    for name, block in blocks.items():
        drafts[name], found = _draft(name, block, engines)
        problems += found
    _add_columns(drafts, known)
    for draft in drafts.values():
        problems += _read_when(draft, drafts, known)
    problems += check_roles(drafts)
    problems += _check_analyses(drafts)
    order, found = in_order(drafts)
    problems += found
    if problems:
        return (), problems
    stages = [stage for draft in order if (stage := _finished(draft, defaults)) is not None]
    return tuple(stages), problems


def _draft(
    name: str, block: JsonValue, engines: Mapping[str, Mapping[str, JsonValue]]
) -> tuple[Draft, list[Problem]]:
    draft = Draft(name)
    if not isinstance(block, dict):
        draft.lost = True
        return draft, []
    rest, problems = reserved_keys(block, IN_STAGE, draft.path)
    if WHOLE_STAGES & block.keys():
        draft.lost = True
        return draft, problems
    if is_analysis(rest):
        draft.analysis, found = read_analysis(name, rest)
        draft.lost = draft.analysis is None
        return draft, [*problems, *found]
    words = check(StageBlock, rest, salvage=True)
    problems += at(draft.path, words.problems)
    draft.words, draft.wrong = words.value, words.wrong
    problems += misspelt(rest, "engine", draft.path)
    engine = rest.get("engine")
    looked_up = find(registry.engines, engine, (*draft.path, "engine"))
    draft.plugin, found = looked_up
    problems += found
    if draft.words is None or draft.plugin is None:
        draft.lost = True
        return draft, problems
    problems += _read_task(draft, draft.words, draft.plugin)
    problems += _read_own(draft, draft.words, draft.plugin)
    problems += _read_params(draft, draft.words, draft.plugin, engines)
    return draft, problems


def _read_task(draft: Draft, words: StageBlock, plugin: Engine) -> list[Problem]:
    tasks = plugin.tasks()
    path = (*draft.path, "task")
    if words.task in tasks:
        draft.task = words.task
    elif words.task is not None:
        draft.lost = True
        nearest = suggestion(words.task, tasks)
        return [Problem(path, f"{words.engine} has no task '{words.task}'{nearest}")]
    elif len(tasks) == 1:
        draft.task = tasks[0]
    else:
        draft.lost = True
        if "task" not in draft.wrong:
            return [Problem(path, f"missing, expected one of {', '.join(tasks)}", at_key=True)]
    return []


def _read_own(draft: Draft, words: StageBlock, plugin: Engine) -> list[Problem]:
    """Sort the keys beside the common ones into roles and params of the engine."""
    roles = [] if draft.task is None else [role.name for role in plugin.roles(draft.task)]
    problems: list[Problem] = []
    draft.roles = {STRUCTURE: words.structure}
    if words.charge_density is not None:
        draft.roles[CHARGE_DENSITY] = words.charge_density
    fields = plugin.params.model_fields
    for key, value in words.own.items():
        if key in roles and isinstance(value, str):
            draft.roles[key] = value
        elif key in roles:
            path = (*draft.path, key)
            problems.append(Problem(path, found_expected(value, "the name of a stage")))
        elif key in fields:
            draft.own[key] = value
        elif key in AnalysisBlock.model_fields:
            text = f"`{key}` is for stages of an analysis, which have no engine"
            problems.append(Problem((*draft.path, key), text, at_key=True))
        else:
            known = (*COMMON_KEYS, *fields, *roles)
            problems.append(unknown_key((*draft.path, key), known))
    return problems


def _read_params(
    draft: Draft,
    words: StageBlock,
    plugin: Engine,
    engines: Mapping[str, Mapping[str, JsonValue]],
) -> list[Problem]:
    defaults = dict(engines.get(words.engine, {}))
    given = defaults.pop("protocol", None)
    first = given if isinstance(given, str) else None
    if first is None and DEFAULT_PROTOCOL in plugin.protocols():
        first = DEFAULT_PROTOCOL
    draft.protocol = words.protocol or first
    top, problems = reserved_keys(words.params, {}, (*draft.path, "params"))
    layers = [] if first is None else [Layer(plugin.protocol(first))]
    layers.append(Layer(defaults, ("defaults", words.engine), also=("protocol",)))
    if words.protocol is not None and words.protocol in plugin.protocols():
        layers.append(Layer(plugin.protocol(words.protocol)))
    elif words.protocol is not None:
        problems.append(no_protocol(words.protocol, words.engine, plugin, draft.path))
    if "params" in plugin.params.model_fields:
        draft.own["params"] = top
        layers.append(Layer(draft.own, draft.path, also=COMMON_KEYS))
    else:
        layers.append(Layer(draft.own, draft.path, also=COMMON_KEYS))
        layers.append(Layer(top, (*draft.path, "params")))
    draft.params, found = combine(plugin.params, layers, draft.path, twice(plugin))
    return [*problems, *found, *_unprotectable(draft, words, plugin)]


def _unprotectable(draft: Draft, words: StageBlock, plugin: Engine) -> list[Problem]:
    """Return a problem for each protected name that the engine does not know."""
    keywords = getattr(plugin, "keywords", None)
    raw = tuple(keywords(draft.task)) if keywords and draft.task else ()
    names = (*plugin.params.model_fields, *raw)
    return [
        Problem(
            (*draft.path, "protected", index),
            f"{words.engine} has no parameter '{name}'{suggestion(name, names)}",
        )
        for index, name in enumerate(words.protected)
        if name not in names
    ]


def _add_columns(drafts: Mapping[str, Draft], known: Known) -> None:
    for draft in drafts.values():
        columns = _columns(draft)
        if columns is None:
            known.lost_stages.add(draft.name)
        for column in columns or ():
            known.types[f"{draft.name}.{column.name}"] = column.type


def _columns(draft: Draft) -> tuple[Column, ...] | None:
    """Return the columns of a stage, None where they are not known."""
    if draft.analysis is not None:
        return draft.analysis.columns
    if draft.plugin is None or draft.task is None:
        return None
    return tuple(draft.plugin.columns(draft.task))


def _check_analyses(drafts: Mapping[str, Draft]) -> list[Problem]:
    """Return what is wrong with the stages that analyses gather."""
    columns = {
        name: None if (found := _columns(draft)) is None else [one.name for one in found]
        for name, draft in drafts.items()
        if draft.analysis is None
    }
    analyses = [draft.analysis for draft in drafts.values() if draft.analysis is not None]
    return [problem for stage in analyses for problem in check_of(stage, columns)]


def _read_when(draft: Draft, drafts: Mapping[str, Draft], known: Known) -> list[Problem]:
    if draft.analysis is not None:
        draft.after[draft.analysis.of] = "of"
    for role, stage in draft.roles.items():
        if stage != CANDIDATE:
            draft.after.setdefault(stage, role)
    if draft.words is None or draft.words.when is None:
        return []
    draft.when, problems = known.expression(draft.words.when, (*draft.path, "when"))
    for name in sorted(draft.when.names if draft.when else ()):
        stage, dot, _ = name.rpartition(".")
        if dot and stage in drafts:
            draft.after.setdefault(stage, "when")
    return problems


def _finished(draft: Draft, defaults: Defaults) -> AnyStage | None:
    if draft.analysis is not None:
        return draft.analysis
    words, plugin, task = draft.words, draft.plugin, draft.task
    if words is None or plugin is None or task is None:
        return None
    used = {role.name for role in plugin.roles(task)} | {STRUCTURE}
    return Stage(
        name=draft.name,
        engine=words.engine,
        plugin=plugin,
        task=task,
        params=draft.params,
        roles={role: stage for role, stage in draft.roles.items() if role in used},
        when=draft.when,
        dependencies=tuple(draft.after),
        resources={**_given(defaults.resources), **_given(words.resources)},
        on_unrepaired=words.on_unrepaired or defaults.on_unrepaired or "fail",
        protected=words.protected,
        checkpoint=Checkpoint.model_validate(
            {**_given(defaults.checkpoint), **_given(words.checkpoint)}
        ),
        retention=Retention.model_validate(
            {**_given(defaults.retention), **_given(words.retention)}
        ),
        protocol=draft.protocol,
        provides=tuple(plugin.provides(task)),
        columns=tuple(plugin.columns(task)),
    )


def _given(block: Model | None) -> dict[str, JsonValue]:
    return {} if block is None else block.model_dump(exclude_unset=True)
