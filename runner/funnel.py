"""From `space` and `filters` to generators and steps, ready to enumerate and to screen."""

from __future__ import annotations

from dataclasses import replace

from runner.columns import Known
from runner.plugins import find, reserved_keys
from runner.screening_table import Source
from runner.selection import Step
from runner.validation import at, check, misspelt, unknown_key
from schemas import registry
from schemas.errors import Problem, UserError, YamlPath, suggestion
from schemas.filters import FilterStep
from schemas.model import JsonValue, Model
from schemas.protocols import Score, Surroundings
from schemas.reserved import GENERATORS, IN_FILTER, refusal
from schemas.space import SpaceEntry

_WORDS_OF_STEP = tuple(field.alias or name for name, field in FilterStep.model_fields.items())
STRUCTURE = "structure"
"""What a score requires to be given the cell as JSON; not a column that expressions see."""


def read_space(
    entries: list[JsonValue], surroundings: Surroundings, known: Known
) -> tuple[tuple[Source, ...], list[Problem]]:
    """Return the generators, add their columns to `known`, and what is wrong."""
    sources: list[Source] = []
    problems: list[Problem] = []
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            known.complete = False
            continue
        source, found = _source(entry, ("space", index), surroundings)
        problems += found
        if source is None:
            known.complete = False
            continue
        sources.append(source)
        for column in source.plugin.columns(source.params):
            if known.types.get(column.name) == column.type:
                continue  # two generators that agree
            problems += [
                Problem(("space", index), words)
                for words in known.add([column], f"the generator {source.name}")
            ]
    return tuple(sources), problems


def _source(
    entry: dict[str, JsonValue], path: YamlPath, surroundings: Surroundings
) -> tuple[Source | None, list[Problem]]:
    block = check(SpaceEntry, entry)
    if block.value is None:
        return None, [*at(path, block.problems), *misspelt(entry, "kind", path)]
    kind = block.value.kind
    if kind in GENERATORS:
        return None, [Problem((*path, "kind"), refusal(kind))]
    looked_up = find(registry.generators, kind, (*path, "kind"))
    plugin, problems = looked_up
    if plugin is None:
        return None, problems
    own, problems = reserved_keys(block.value.own, {}, path)
    params = check(plugin.params, own, also=("kind",))
    problems += at(path, params.problems)
    if params.value is None or problems:
        return None, problems
    try:
        plugin.count(params.value, surroundings)
    except UserError as error:
        return None, [Problem(path, str(error))]
    return Source(kind, plugin, params.value), []


def read_filters(entries: list[JsonValue], known: Known) -> tuple[tuple[Step, ...], list[Problem]]:
    """Return the steps, add the columns of their scores to `known`, and what is wrong."""
    steps: list[Step] = []
    problems: list[Problem] = []
    labels: dict[str, int] = {}
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            known.complete = False
            continue
        step, found = _step(index, entry, known)
        problems += found
        if step is not None:
            labels[step.label] = labels.get(step.label, 0) + 1
            count = labels[step.label]
            steps.append(step if count == 1 else replace(step, label=f"{step.label}-{count}"))
    return tuple(steps), problems


def _step(
    index: int, entry: dict[str, JsonValue], known: Known
) -> tuple[Step | None, list[Problem]]:
    path = ("filters", index)
    entry, problems = reserved_keys(entry, IN_FILTER, path)
    block = check(FilterStep, entry, salvage=True)
    problems += at(path, block.problems)
    if block.value is None or "score" in block.wrong:
        known.complete = known.complete and "score" not in entry
    if block.value is None:
        return None, problems
    words = block.value
    step = Step(
        label=_label(words),
        top=words.top,
        by=words.by,
        order=words.order,
        diverse=words.diverse,
        pareto=words.pareto,
        distinct=words.distinct,
        unknown=words.unknown,
        control_sample=words.control_sample,
    )
    if words.score is not None:
        step, found = _scored(step, words, path, known)
        problems += found
    else:
        problems += [unknown_key((*path, key), _WORDS_OF_STEP) for key in words.own]
    if words.keep is not None:
        keep, found = known.expression(words.keep, (*path, "keep"))
        step = replace(step, keep=keep)
        problems += found
    if words.by is not None:
        problems += _orders(words.by, (*path, "by"), known)
    for place, name in enumerate(words.diverse):
        problems += _orders(name, (*path, "diverse", place), known)
    for name in words.pareto:
        problems += _orders(name, (*path, "pareto", name), known)
    return step, problems


def _label(words: FilterStep) -> str:
    """Return what a step is called: its score, or what it does."""
    does = ("keep", "pareto", "distinct", "top")
    return words.score or next(word for word in does if getattr(words, word))


def _scored(
    step: Step, words: FilterStep, path: YamlPath, known: Known
) -> tuple[Step, list[Problem]]:
    """Return the step with its score; a score that cannot be had leaves `known` incomplete."""
    looked_up = find(registry.scores, words.score, (*path, "score"))
    plugin, problems = looked_up
    if plugin is None:
        known.complete = False
        return step, problems
    params = check(plugin.params, words.own, also=_WORDS_OF_STEP)
    if params.value is None:
        known.complete = False
        return step, [*at(path, params.problems)]
    step = replace(step, score=words.score, plugin=plugin, params=params.value, as_name=words.as_)
    columns = step.columns()
    if problem := step.as_problem():
        problems.append(Problem((*path, "as"), problem))
    problems += _missing_columns(plugin, params.value, path, known)
    problems += [
        Problem((*path, "as" if words.as_ else "score"), message)
        for message in known.add(columns, f"filters[{path[1]}]")
    ]
    return step, problems


def _missing_columns(plugin: Score, params: Model, path: YamlPath, known: Known) -> list[Problem]:
    return [
        Problem((*path, "score"), f"needs the column '{name}'; put a score that adds it before")
        for name in plugin.requires(params)
        if name != STRUCTURE and name not in known.types and known.complete
    ]


def _orders(by: str, path: YamlPath, known: Known) -> list[Problem]:
    if known.concealed(by):
        return []
    if by not in known.types:
        return [Problem(path, f"no column '{by}'{suggestion(by, sorted(known.types))}")]
    if known.types[by] not in ("float", "int"):
        return [Problem(path, f"found '{by}', which is no number, expected a number")]
    return []
