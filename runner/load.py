"""From a campaign file to a campaign that can run; all mistakes of the file at once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from runner.analysis_stage import AnalysisStage
from runner.columns import Known
from runner.defaults import read_defaults
from runner.funnel import read_filters, read_space
from runner.plugins import check_launcher, reserved_keys
from runner.references import ReferenceSources, check_references, read_references
from runner.screening_table import Source
from runner.selection import Step
from runner.stages import AnyStage, Stage, read_stages
from runner.validation import check, value_at
from schemas.campaign import Campaign
from schemas.columns import ColumnType
from schemas.document import read_file
from schemas.errors import InvalidFile, Problem, YamlPath
from schemas.model import JsonValue
from schemas.protocols import Surroundings
from schemas.reserved import IN_CAMPAIGN, IN_FILTER, NOT_BUILT, WHOLE_STAGES


@dataclass(frozen=True)
class LoadedCampaign:
    """A campaign file with everything that its words mean."""

    campaign: Campaign
    path: Path
    text: str
    sha256: str
    generators: tuple[Source, ...]
    references: ReferenceSources
    steps: tuple[Step, ...]
    stages: tuple[AnyStage, ...]
    candidate_columns: Mapping[str, ColumnType]
    """The columns that `when` sees beside those of stages: base, generators', scores'."""

    @property
    def folder(self) -> Path:
        """The folder that relative paths of the file start at."""
        return self.path.parent

    @cached_property
    def surroundings(self) -> Surroundings:
        """What generators and scores may look at; reference structures are read for it.

        Raises
        ------
        UserError
            When a reference structure cannot be read or built.
        """
        bare = Surroundings(self.folder, self.campaign.seed)
        return replace(bare, references=self.references.structures(bare))

    @property
    def calculations(self) -> tuple[Stage, ...]:
        """The stages with an engine, each after those that it waits for."""
        return tuple(stage for stage in self.stages if isinstance(stage, Stage))

    @property
    def barriers(self) -> tuple[AnalysisStage, ...]:
        """The analyses over all candidates, each after those that it waits for."""
        return tuple(stage for stage in self.stages if isinstance(stage, AnalysisStage))

    def stage(self, name: str) -> Stage:
        """Return the stage with an engine of that name."""
        return next(stage for stage in self.calculations if stage.name == name)


def load(path: Path) -> LoadedCampaign:
    """Return the campaign in a file.

    Raises
    ------
    InvalidFile
        With every mistake of the file as `file:line: path: message`, sorted by line.
    UserError
        When the file cannot be read.
    """
    document, content = read_file(path)
    data = document.data
    problems: list[Problem] = []
    rest, found = reserved_keys(data, IN_CAMPAIGN, ())
    problems += found
    whole = check(Campaign, rest)
    problems += whole.problems
    seed = rest.get("seed")
    surroundings = Surroundings(path.absolute().parent, seed if isinstance(seed, int) else 0)
    known = Known()
    sources, found = read_space(_list(rest.get("space")), surroundings, known)
    problems += found
    references, found = read_references(_mapping(rest.get("references")), surroundings)
    problems += found
    steps, found = read_filters(_list(rest.get("filters")), known)
    problems += found
    if len(steps) == len(_list(rest.get("filters"))):  # else positions are not those of the file
        problems += check_references(steps, references, sources, surroundings)
    columns = dict(known.types)
    defaults, engines, found = read_defaults(_mapping(rest.get("defaults")))
    problems += found
    stages, found = read_stages(_mapping(rest.get("stages")), defaults, engines, known)
    problems += found
    problems += _check_good(_mapping(rest.get("screening")), known)
    problems += check_launcher(_mapping(rest.get("run")).get("launcher"), ("run", "launcher"))
    document.check(without_noise(problems, data))
    if whole.value is None:  # cannot be: without a value there is a problem
        raise InvalidFile([f"{path}:1: not a campaign"])
    return LoadedCampaign(
        campaign=whole.value,
        path=path.absolute(),
        text=content.decode("utf-8-sig"),
        sha256=hashlib.sha256(content).hexdigest(),
        generators=sources,
        references=references,
        steps=steps,
        stages=tuple(
            stage.beside(path.absolute().parent) if isinstance(stage, Stage) else stage
            for stage in stages
        ),
        candidate_columns=columns,
    )


def without_noise(problems: Sequence[Problem], data: dict[str, JsonValue]) -> list[Problem]:
    """Return the problems but for those that only follow from a reserved word."""
    refusals = {problem.path for problem in problems if problem.message.endswith(NOT_BUILT)}
    return [
        problem
        for problem in problems
        if problem.message.endswith(NOT_BUILT)
        or not (_under(problem, refusals) or _is_noise(problem, data))
    ]


def _under(problem: Problem, paths: AbstractSet[YamlPath]) -> bool:
    return any(problem.path[:n] in paths for n in range(1, len(problem.path) + 1))


def _is_noise(problem: Problem, data: dict[str, JsonValue]) -> bool:
    """Tell whether a problem is about a block that a reserved word makes something else."""
    if len(problem.path) < 2:  # noqa: PLR2004  (section and block)
        return False
    block = value_at(data, problem.path[:2])
    if not isinstance(block, dict):
        return False
    if problem.path[0] == "stages":
        return bool(WHOLE_STAGES & block.keys()) or _lacks_defaults(problem, block, data)
    whole = len(problem.path) == 2  # noqa: PLR2004  (the block itself)
    return problem.path[0] == "filters" and whole and bool(IN_FILTER.keys() & block.keys())


def _lacks_defaults(
    problem: Problem, block: Mapping[str, JsonValue], data: Mapping[str, JsonValue]
) -> bool:
    """Tell whether something is missing that may stand in defaults that cannot be read."""
    defaults, engine = data.get("defaults"), block.get("engine")
    if not problem.message.startswith("missing") or not isinstance(defaults, dict):
        return False
    return engine in defaults and not isinstance(defaults[str(engine)], dict)


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _mapping(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _check_good(screening: Mapping[str, JsonValue], known: Known) -> list[Problem]:
    """Return what is wrong with `good`, which may name what `when` may."""
    text = screening.get("good")
    return known.expression(text, ("screening", "good"))[1] if isinstance(text, str) else []
