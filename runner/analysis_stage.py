"""A stage that computes from the results of all candidates, as the campaign file says it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from runner.plugins import find
from runner.validation import at, check, found_expected, misspelt, unknown_key
from schemas import registry
from schemas.columns import NOTE, Column
from schemas.errors import Problem, YamlPath, suggestion
from schemas.model import JsonValue, Model
from schemas.protocols import Analysis
from schemas.reserved import ANALYSES, OVER_SWEEP, refusal
from schemas.stages import AnalysisBlock, StageBlock


@dataclass(frozen=True)
class AnalysisStage:
    """An analysis over all candidates of a campaign: a barrier.

    `of` is the stage whose results it gathers; `columns` are those of its rows.
    """

    name: str
    analysis: str
    plugin: Analysis
    params: Any
    of: str
    columns: tuple[Column, ...]

    @property
    def dependencies(self) -> tuple[str, ...]:
        """The stages that have to be settled before: of all candidates, not of one."""
        return (self.of,)

    @property
    def settings(self) -> dict[str, JsonValue]:
        """The params as JSON."""
        settings: dict[str, JsonValue] = self.params.model_dump(mode="json")
        return settings


def read_analysis(
    name: str, block: Mapping[str, JsonValue]
) -> tuple[AnalysisStage | None, list[Problem]]:
    """Return the analysis in a stage's block, but for whether `of` is right; and what is wrong."""
    path = ("stages", name)
    words = check(AnalysisBlock, dict(block), salvage=True)
    problems = [*at(path, words.problems), *misspelt(block, "analysis", path)]
    if block.get("over") == "sweep":
        problems.append(Problem((*path, "over"), refusal(OVER_SWEEP)))
    wanted = block.get("analysis")
    if wanted in ANALYSES:
        return None, [*problems, Problem((*path, "analysis"), refusal(f"analysis: {wanted}"))]
    looked_up = find(registry.analyses, wanted, (*path, "analysis"))
    plugin, found = looked_up
    problems += found
    if words.value is None or plugin is None:
        return None, problems
    params, found = _params(plugin.params, words.value.own, path)
    problems += found
    if params is None or words.wrong:
        return None, problems
    columns = (*plugin.columns(params), NOTE)
    return AnalysisStage(name, str(wanted), plugin, params, words.value.of, columns), problems


def _params(
    model: type[Model], own: Mapping[str, JsonValue], path: YamlPath
) -> tuple[Model | None, list[Problem]]:
    """Return the settings of an analysis, and what is wrong with its own keys."""
    problems = []
    for key in own.keys() - model.model_fields.keys():
        if key in StageBlock.model_fields:
            words = f"`{key}` is for stages with an engine; an analysis gathers all results"
            problems.append(Problem((*path, key), words, at_key=True))
        else:
            known = (*AnalysisBlock.model_fields, *model.model_fields)
            problems.append(unknown_key((*path, key), known))
    mine = {key: value for key, value in own.items() if key in model.model_fields}
    checked = check(model, mine)
    return checked.value, [*problems, *at(path, checked.problems)]


def check_of(stage: AnalysisStage, columns: Mapping[str, Collection[str] | None]) -> list[Problem]:
    """Return what is wrong with the stage that an analysis gathers.

    `columns` holds the names of the columns by stage with an engine, None where they are not known,
    and nothing for other analyses.
    """
    path = ("stages", stage.name, "of")
    names = [name for name in columns if name != stage.name]
    if stage.of == stage.name:
        return [Problem(path, found_expected(stage.of, "another stage than itself"))]
    if stage.of not in columns:
        return [Problem(path, f"no stage with an engine '{stage.of}'{suggestion(stage.of, names)}")]
    there = columns[stage.of]
    return [
        Problem(
            path,
            f"'{stage.of}' has no column '{name}', which {stage.analysis} reads"
            f"{suggestion(name, sorted(there))}",
        )
        for name in stage.plugin.requires(stage.params)
        if there is not None and name not in there
    ]
