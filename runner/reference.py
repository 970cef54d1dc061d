"""The reference of the language as Markdown, written from the models and the plug-ins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from runner.expectation import expectation, keys_at, schema_of
from schemas import registry
from schemas.budget import Budget
from schemas.campaign import Campaign
from schemas.candidate import BASE_COLUMNS
from schemas.checkpoint import Checkpoint
from schemas.columns import Column
from schemas.export import Export
from schemas.filters import FilterStep
from schemas.model import Model
from schemas.profile import Code, Paths, Profile
from schemas.references import References
from schemas.reserved import IN_CAMPAIGN, IN_DEFAULTS, IN_FILTER, IN_STAGE
from schemas.resources import Resources
from schemas.retention import Retention
from schemas.space import SpaceEntry
from schemas.stages import AnalysisBlock, Defaults, EngineDefaults, StageBlock
from schemas.store_address import DocumentdbAddress, MongodbAddress

OWN_PACKAGES = frozenset(("runner", "fireworks_ext", "launchers"))

INTRODUCTION = """\
# The language of campaign files

This page is written by `python -m runner.reference` from the models that check campaign files and
from the plug-ins that come with them. `campaign validate FILE` tells all mistakes of a file with
their lines; `campaign schema` prints the same as JSON Schema, for editors.

Files are YAML 1.2 in UTF-8. `No`, `yes` and `on` are texts (nobelium needs no quotes), `1e-6` is a
number. A key stands once. Tags, merge keys (`<<`), numbers that are not finite and a second
document in a file are refused; anchors and aliases may be used while everything they stand for
stays below 100,000 values and 40 levels. Relative paths start at the file that names them.
"""
EXPRESSIONS = """\
## Expressions

`keep` and `when` hold expressions. Their parts, from what binds least to what binds most:

| part | meaning |
| --- | --- |
| `a or b`, `a and b`, `not a` | truth values |
| `a < b`, `<=`, `>`, `>=`, `==`, `!=` | two of a kind; chains too: `0.8 <= n_atoms <= 8` |
| `a in [1, 2]`, `'Pb' in elements`, `not in` | member of a list |
| `a is null`, `a is not null` | whether a value is known |
| `+`, `-`, `*`, `/`, `-a`, `**` | numbers, all 64-bit floats |
| `3.5`, `1e-3`, `'text'`, `"text"`, `true`, `false` | constants |
| `n_atoms`, `scf.band_gap_ev` | a column of the candidate or a score; a column of a stage |

A value that is null is unknown, and so is a number that cannot be calculated: a division by zero,
an overflow. `false and unknown` is false, `true or unknown` is true, any other mixture is unknown.
An unknown `keep` rejects, unless the step says `unknown: keep`; an unknown `when` is not true. An
expression has at most 2,000 characters and 50 levels, and its kinds are checked before anything
runs.
"""
PRECEDENCE = """\
A param may be given in five places; of these, the last that gives it precedes: the protocol of
`defaults.ENGINE`, `defaults.ENGINE` itself, the stage's own `protocol`, the keys of the stage,
`params`. Mappings (`{Ti: 3}`) are merged key by key.
"""
CHECKPOINTS = """\
How a calculation goes on, and what is saved, is in [continuation.md](continuation.md).
"""
RETENTION = """\
Each is `keep`, `compress` (gzip) or `delete`. Files of failed calculations stay, and so does what a
later stage of the campaign needs. Where another campaign deleted what a stage needs, it is computed
again first.
"""

ANALYSES = """\
An analysis is computed when the stage that it gathers has ended for every candidate: with a result,
failed, or skipped. It costs nothing. What it does, and with what, is told in
[analyses.md](analyses.md). `over: sweep` and `analysis: formula` are part of the language and not
built yet.
"""


SCORE_COLUMNS = "Columns that it adds (settings may ask for more):"


def language_reference() -> str:
    """Return the reference, with a table for every block and every plug-in."""
    parts = [
        INTRODUCTION,
        _section("The file", Campaign, 2, reserved=IN_CAMPAIGN),
        _section("`space`: generators", SpaceEntry, 2),
        *_plugins(registry.generators, "kind"),
        _columns("Every candidate has these columns:", BASE_COLUMNS),
        _section("`references`: what candidates compete with", References, 2),
        _section("`filters`: scores, conditions, the best N", FilterStep, 2, reserved=IN_FILTER),
        *_scores(),
        _section("`stages`: calculations", StageBlock, 2, reserved=IN_STAGE),
        PRECEDENCE,
        _section("`resources`", Resources, 3),
        _section("`checkpoint`", Checkpoint, 3),
        CHECKPOINTS,
        _section("`retention`", Retention, 3),
        RETENTION,
        _section("`defaults`", Defaults, 3, reserved=IN_DEFAULTS),
        _section("`defaults.ENGINE`", EngineDefaults, 3),
        *_engines(),
        _section("`stages`: analyses of all candidates", AnalysisBlock, 2),
        ANALYSES,
        *_analyses(),
        EXPRESSIONS,
        _section("`budget`", Budget, 2),
        _section("`export`", Export, 2),
        _section("`run`, and profiles", Profile, 2),
        _section("`run.codes.NAME`", Code, 3),
        _section("`run.paths`", Paths, 3),
        _section("`run.store.mongodb`", MongodbAddress, 3),
        _section("`run.store.documentdb`", DocumentdbAddress, 3),
        *_plugins(registry.launchers, "kind"),
    ]
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _section(
    title: str, model: type[Model], level: int, reserved: Mapping[str, str] | None = None
) -> str:
    lines = [f"{'#' * level} {title}", "", *_table(model)]
    if reserved:
        words = "; ".join(f"`{word}`" for word in reserved)
        lines += ["", f"Part of the language and not built yet: {words}."]
    return "\n".join(lines) + "\n"


def _table(model: type[Model], known: type[Model] | None = None) -> list[str]:
    """Return the rows of a block's keys, without those that another block has just so."""
    whole = schema_of(model)
    required = whole.get("required", ())
    shared = schema_of(known)["properties"] if known else {}
    keys = [key for key in keys_at(model) if whole["properties"][key] != shared.get(key)]
    if not keys:
        return ["No settings."]
    rows = ["| key | expects | default | meaning |", "| --- | --- | --- | --- |"]
    for key in keys:
        field = whole["properties"][key]
        default = "required" if key in required else _default(field)
        cells = (f"`{key}`", expectation(model, (key,)), default, field.get("description", ""))
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return rows


def _default(field: Mapping[str, Any]) -> str:
    value = field.get("default")
    if value is None or isinstance(value, dict | list):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _shipped(plugins: Any) -> Iterable[tuple[str, Any]]:
    """Yield the plug-ins of this distribution; others document themselves."""
    for name in plugins.names():
        plugin = plugins.get(name)
        if type(plugin).__module__.partition(".")[0] in OWN_PACKAGES:
            yield name, plugin


def _plugins(plugins: Any, key: str) -> Iterable[str]:
    for name, plugin in _shipped(plugins):
        yield _section(f"`{key}: {name}`", plugin.params, 3)
        for part, block in _blocks(plugin.params):
            yield _section(f"`{part}` of `{key}: {name}`", block, 4)


def _scores() -> Iterable[str]:
    for name, plugin in _shipped(registry.scores):
        yield _section(f"`score: {name}`", plugin.params, 3)
        examples = (plugin.params.model_config.get("json_schema_extra") or {}).get("examples", [{}])
        yield _columns(SCORE_COLUMNS, plugin.columns(plugin.params.model_validate(examples[0])))


def _analyses() -> Iterable[str]:
    for name, plugin in _shipped(registry.analyses):
        yield _section(f"`analysis: {name}`", plugin.params, 3)
        yield _columns("Columns of a row:", plugin.columns(plugin.params()))


def _engines() -> Iterable[str]:
    written: list[tuple[str, Any]] = []
    for name, plugin in _shipped(registry.engines):
        alike = [one for one in written if issubclass(plugin.params, one[1].params)]
        written.append((name, plugin))
        if alike:
            yield _like_another(name, plugin, *alike[0])
            continue
        yield _section(f"`engine: {name}`", plugin.params, 3)
        for key, block in _blocks(plugin.params):
            yield _section(f"`{key}` of `engine: {name}`", block, 4)
        protocols = ", ".join(f"`{protocol}`" for protocol in plugin.protocols()) or "none"
        yield f"Protocols: {protocols}.\n"
        for task in plugin.tasks():
            uses = ", ".join(f"`{role.name}`" for role in plugin.roles(task)) or "nothing"
            gives = ", ".join(f"`{role}`" for role in plugin.provides(task)) or "nothing"
            yield f"Task `{task}` uses {uses} and provides {gives}.\n"
        yield from _columns_of_tasks(plugin)


def _columns_of_tasks(plugin: Any) -> Iterable[str]:
    """Yield the columns that the results of all tasks have, then those of single tasks."""
    by_task = {task: plugin.columns(task) for task in plugin.tasks()}
    common = [one for one in by_task[plugin.tasks()[0]] if all(one in c for c in by_task.values())]
    yield _columns("Columns of a result:", common)
    for task, columns in by_task.items():
        own = [one for one in columns if one not in common]
        if own:
            yield _columns(f"And of the task `{task}`:", own)


def _like_another(name: str, plugin: Any, model_name: str, model: Any) -> str:
    """Return the section of an engine that takes another's params: only what differs."""
    tasks = "tasks"
    if plugin.tasks() != model.tasks():
        tasks += f" {', '.join(f'`{task}`' for task in plugin.tasks())}"
    same = f"All that `engine: {model_name}` takes, with its {tasks}, protocols and columns, and:"
    lines = (f"### `engine: {name}`", "", same, "", *_table(plugin.params, model.params))
    return "\n".join(lines) + "\n"


def _blocks(params: type[Model]) -> Iterable[tuple[str, type[Model]]]:
    """Yield key -> block for the params that are blocks, or lists of them."""
    for key, field in params.model_fields.items():
        inside = [field.annotation]
        while inside:
            one = inside.pop()
            if isinstance(one, type) and issubclass(one, Model):
                yield key, one
            inside.extend(get_args(one))


def _columns(title: str, columns: Iterable[Column]) -> str:
    rows = [title, "", "| column | type | unit | meaning |", "| --- | --- | --- | --- |"]
    rows += [f"| `{c.name}` | {c.type} | {c.unit or ''} | {c.description} |" for c in columns]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(language_reference())
