"""Campaign files are loaded with engines, scores and generators made for these tests."""

# ruff: noqa: FBT003  (plug-ins have the signatures of their protocols)

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from pydantic import Field, model_validator

from runner.load import LoadedCampaign, load
from schemas import registry
from schemas.columns import Column
from schemas.errors import InvalidFile, UserError, suggestion
from schemas.model import JsonValue, Model
from schemas.protocols import Role, Surroundings
from schemas.registry import UnknownPlugin
from schemas.resources import Resources


class ListParams(Model):
    formulas: tuple[str, ...] = Field(min_length=1)
    file: str | None = None


class ListGenerator:
    params = ListParams

    def columns(self, params: ListParams) -> tuple[Column, ...]:
        return (Column("family", "text", "Where it comes from."),)

    def count(self, params: ListParams, surroundings: Surroundings) -> int:
        if params.file and not (surroundings.folder / params.file).exists():
            raise UserError(f"no file {params.file}")
        return len(params.formulas)

    def candidates(self, params: ListParams, surroundings: Surroundings) -> Iterator[Any]:
        yield from ()


class NoParams(Model):
    pass


class ToleranceScore:
    params = NoParams

    def columns(self, params: NoParams) -> tuple[Column, ...]:
        return (Column("tolerance_factor", "float", "t"),)

    def requires(self, params: NoParams) -> tuple[str, ...]:
        return ("sites",)


class ModelParams(Model):
    model: str
    steps: int = Field(default=10, ge=1, le=100)


class HullScore:
    params = ModelParams

    def columns(self, params: ModelParams) -> tuple[Column, ...]:
        return (Column("above_hull_ev_per_atom", "float", "e"),)

    def requires(self, params: ModelParams) -> tuple[str, ...]:
        return ("structure", "tolerance_factor")


class PairScore(HullScore):
    params = NoParams

    def columns(self, params: Any) -> tuple[Column, ...]:
        return (Column("first", "float", "1"), Column("second", "text", "2"))

    def requires(self, params: Any) -> tuple[str, ...]:
        return ()


class CodeParams(Model):
    family: str
    cutoff_ry: float = Field(default=30.0, gt=0, le=500)
    kspacing_per_ang: float = Field(default=0.3, gt=0)
    u_ev: dict[str, float] = Field(default_factory=dict)
    mode: str = "a"
    raw_cutoff: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _once(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and {"cutoff_ry", "raw_cutoff"} <= data.keys():
            raise ValueError("cutoff_ry and raw_cutoff say the same quantity")
        return data

    @classmethod
    def uncovered(
        cls, lower: Mapping[str, JsonValue], upper: Mapping[str, JsonValue]
    ) -> dict[str, JsonValue]:
        same = {"cutoff_ry": "raw_cutoff", "raw_cutoff": "cutoff_ry"}
        covered = {same[key] for key in upper if key in same}
        return {key: value for key, value in lower.items() if key not in covered}


class CodeEngine:
    params = CodeParams
    physics_version = 1

    def tasks(self) -> tuple[str, ...]:
        return ("scf", "relax", "bands")

    def protocols(self) -> tuple[str, ...]:
        return ("fast", "balanced")

    def protocol(self, name: str) -> Mapping[str, JsonValue]:
        return {"fast": {"cutoff_ry": 20, "mode": "f"}, "balanced": {"cutoff_ry": 40}}[name]

    def roles(self, task: str) -> tuple[Role, ...]:
        structure = Role("structure", False, "The cell.")
        density = Role("charge_density", True, "The density.")
        return (structure, density) if task == "bands" else (structure,)

    def provides(self, task: str) -> tuple[str, ...]:
        provided = {"relax": ("structure", "charge_density"), "scf": ("charge_density",)}
        return provided.get(task, ())

    def columns(self, task: str) -> tuple[Column, ...]:
        return (
            Column("energy_ev", "float", "E", "eV"),
            Column("band_gap_ev", "float", "gap", "eV"),
            Column("converged", "bool", "ok"),
        )


class OneTaskEngine(CodeEngine):
    params = NoParams

    def tasks(self) -> tuple[str, ...]:
        return ("relax",)

    def protocols(self) -> tuple[str, ...]:
        return ()


class LocalParams(Model):
    slots: int | None = Field(default=None, ge=1)


class Launcher:
    params = LocalParams


class Plugins:
    def __init__(self, kind: str, plugins: Mapping[str, object]) -> None:
        self.kind = kind
        self._plugins = plugins

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._plugins))

    def get(self, name: str) -> object:
        if name == "broken":
            raise ImportError("No module named 'torch'")
        if name not in self._plugins:
            raise UnknownPlugin(f"no {self.kind} '{name}'{suggestion(name, self.names())}")
        return self._plugins[name]


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = {"tolerance": ToleranceScore(), "hull": HullScore(), "pair": PairScore()}
    engines = {"code": CodeEngine(), "potential": OneTaskEngine()}
    monkeypatch.setattr(registry, "generators", Plugins("generator", {"list": ListGenerator()}))
    monkeypatch.setattr(registry, "scores", Plugins("score", scores))
    monkeypatch.setattr(registry, "engines", Plugins("engine", engines))
    monkeypatch.setattr(registry, "launchers", Plugins("launcher", {"local": Launcher()}))


Load = Callable[[str], LoadedCampaign]
Refuse = Callable[[str], list[str]]


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    def from_text(text: str) -> LoadedCampaign:
        path = tmp_path / "c.yaml"
        path.write_text(text)
        return load(path)

    return from_text


@pytest.fixture
def refused(loaded: Load, tmp_path: Path) -> Refuse:
    """Return the lines of the refusal, without the folder."""

    def lines(text: str) -> list[str]:
        with pytest.raises(InvalidFile) as caught:
            loaded(text)
        assert str(caught.value) == "\n".join(caught.value.lines)
        return [line.removeprefix(f"{tmp_path}/") for line in caught.value.lines]

    return lines


HEAD = "version: 1\ncampaign: x\nspace: [{kind: list, formulas: [TiO2]}]\n"
STAGES = "defaults: {code: {family: f}}\nstages:\n"
SCF = STAGES + "  scf: {engine: code, task: scf}\n"
WHOLE = HEAD + dedent("""\
    seed: 7
    filters:
      - {score: tolerance, keep: "tolerance_factor > 0.8", control_sample: 3}
      - {score: hull, model: chgnet, as: ml_hull_ev_per_atom, keep: ml_hull_ev_per_atom < 0.1}
      - {keep: "'Ti' in elements and family is not null", unknown: keep}
      - {top: 10, by: ml_hull_ev_per_atom, order: descending}
    defaults:
      resources: {walltime_min: 60, cores: 2}
      on_unrepaired: hold
      code: {protocol: fast, family: f, kspacing_per_ang: 0.2, u_ev: {Ti: 3}}
    stages:
      bands:
        engine: code
        task: bands
        structure: relax
        charge_density: scf
        when: scf.band_gap_ev > 0.3 and ml_hull_ev_per_atom < 0.05 and other.converged
      scf: {engine: code, task: scf, structure: relax, cutoff_ry: 50, protected: [cutoff_ry]}
      relax: {engine: code, task: relax, u_ev: {Mn: 4}, on_unrepaired: drop}
      other: {engine: code, task: scf, protocol: balanced, resources: {cores: 4}, params: {mode: p}}
    budget: {core_hours: 100}
    run: {launcher: {kind: local, slots: 2}}
    """)


def test_a_campaign_is_loaded_with_its_stages_after_what_they_need(loaded: Load) -> None:
    names = [stage.name for stage in loaded(WHOLE).stages]
    assert sorted(names) == ["bands", "other", "relax", "scf"]
    assert names.index("relax") < names.index("scf") < names.index("bands")
    assert names.index("other") < names.index("bands")


def test_roles_and_names_in_when_are_dependencies(loaded: Load) -> None:
    campaign = loaded(WHOLE)
    bands = campaign.stage("bands")
    assert bands.roles == {"structure": "relax", "charge_density": "scf"}
    assert set(bands.dependencies) == {"relax", "scf", "other"}
    assert campaign.stage("relax").roles == {"structure": "candidate"}
    assert campaign.stage("relax").dependencies == ()


def test_the_later_of_protocol_defaults_stage_protocol_stage_and_params_precedes(
    loaded: Load,
) -> None:
    campaign = loaded(WHOLE)
    relax, scf, other = (campaign.stage(name).params for name in ("relax", "scf", "other"))
    assert (relax.cutoff_ry, relax.kspacing_per_ang, relax.mode) == (20, 0.2, "f")
    assert scf.cutoff_ry == 50
    assert (other.cutoff_ry, other.kspacing_per_ang, other.mode) == (40, 0.2, "p")
    assert relax.u_ev == {"Ti": 3, "Mn": 4}


def test_balanced_is_the_protocol_where_none_is_named(loaded: Load) -> None:
    stage = loaded(HEAD + SCF).stage("scf")
    assert (stage.protocol, stage.params.cutoff_ry) == ("balanced", 40)


def test_what_a_stage_says_of_resources_takes_the_place_of_defaults_and_estimate(
    loaded: Load,
) -> None:
    campaign = loaded(WHOLE)
    needs = campaign.stage("other").needs(Resources(cores=16, memory_gb=3))
    assert needs == Resources(cores=4, memory_gb=3, walltime_min=60)
    assert campaign.stage("other").on_unrepaired == "hold"
    assert campaign.stage("relax").on_unrepaired == "drop"


def test_steps_carry_scores_conditions_and_choices(loaded: Load) -> None:
    first, second, third, fourth = loaded(WHOLE).steps
    assert (first.score, first.control_sample) == ("tolerance", 3)
    assert first.keep is not None
    assert first.keep.names == {"tolerance_factor"}
    assert [column.name for column in second.columns()] == ["ml_hull_ev_per_atom"]
    assert second.as_name == "ml_hull_ev_per_atom"
    assert (third.score, third.label, third.unknown) == (None, "keep", "keep")
    assert (fourth.top, fourth.by, fourth.order) == (10, "ml_hull_ev_per_atom", "descending")


def test_the_file_is_known_by_the_hash_of_its_bytes(loaded: Load, tmp_path: Path) -> None:
    campaign = loaded(WHOLE)
    assert campaign.text == WHOLE
    assert campaign.sha256 != loaded(WHOLE + "# comment\n").sha256
    assert campaign.folder == tmp_path


def test_an_engine_with_one_task_needs_no_task(loaded: Load) -> None:
    stage = loaded(HEAD + "stages: {relax: {engine: potential}}\n").stage("relax")
    assert stage.task == "relax"


def test_all_mistakes_are_reported_at_once_by_line(refused: Refuse) -> None:
    lines = refused(
        "version: 2\ncampaign: Bad Name\nspace: [{kind: lst}]\nfilters:\n  - {score: tolerence}\n"
        "stages:\n  scf: {engine: kode}\n"
    )
    assert [line.split(":")[1] for line in lines] == ["1", "2", "3", "5", "7"]
    assert lines[0] == "c.yaml:1: version: found 2, expected 1"
    assert lines[4] == "c.yaml:7: stages.scf.engine: no engine 'kode'; did you mean 'code'?"


CASES = {
    "unknown generator": ("space: [{kind: lst}]", "3: space[0].kind: no generator 'lst'; did you"),
    "generator's params": (
        "space: [{kind: list, formulas: []}]",
        "3: space[0].formulas: found an empty list, expected a list of texts that is not empty",
    ),
    "generator's file": (
        "space: [{kind: list, formulas: [A], file: none.cif}]",
        "3: space[0]: no file none.cif",
    ),
    "generator's key": (
        "space: [{kind: list, formulas: [A], formula: 3}]",
        "3: space[0].formula: unknown key; did you mean 'formulas'?",
    ),
    "no space": ("space: []", "3: space: found an empty list, expected a list that is not empty"),
}


@pytest.mark.parametrize(("space", "expected"), CASES.values(), ids=CASES)
def test_a_mistake_in_space_is_told(refused: Refuse, space: str, expected: str) -> None:
    lines = refused(HEAD.replace("space: [{kind: list, formulas: [TiO2]}]", space) + SCF)
    assert len(lines) == 1
    assert lines[0].startswith(f"c.yaml:{expected}")


FILTERS = {
    "unknown score": ("{score: tolerence}", "4: filters[0].score: no score 'tolerence'; did you"),
    "score's params": (
        "{score: pair, model: 3}",
        "4: filters[0].model: unknown key; did you mean",
    ),
    "missing param": ("{score: tolerance}, {score: hull}", "4: filters[1].model: missing, expecte"),
    "bound": (
        "{score: tolerance}, {score: hull, model: m, steps: 0}",
        "4: filters[1].steps: found 0, expected a whole number of at least 1 and of at most 100",
    ),
    "missing column": (
        "{score: hull, model: m}",
        "4: filters[0].score: needs the column 'tolerance_factor'; put a score that adds it before",
    ),
    "later score": (
        "{keep: tolerance_factor > 1}, {score: tolerance}",
        "4: filters[0].keep: no column 'tolerance_factor'; known: ",
    ),
    "stage in keep": ("{keep: scf.energy_ev > 1}", "4: filters[0].keep: no stage 'scf'"),
    "type": (
        "{keep: n_atoms > 'x'}",
        "4: filters[0].keep: n_atoms is a number and 'x' is text; `>` compares two of a kind",
    ),
    "not a truth": ("{keep: n_atoms}", "4: filters[0].keep: found a number, expected a truth"),
    "syntax": ("{keep: n_atoms >}", "4: filters[0].keep: the expression ends too early (column 10"),
    "number for expression": ("{keep: 3}", "4: filters[0].keep: found 3, expected text"),
    "same column twice": (
        "{score: tolerance}, {score: tolerance}",
        "4: filters[1].score: the column 'tolerance_factor' is already there, from filters[0]",
    ),
    "as of two columns": (
        "{score: pair, as: a}",
        "4: filters[0].as: one name for several columns",
    ),
    "top by text": (
        "{score: pair}, {top: 3, by: second}",
        "4: filters[1].by: found 'second', which is no number, expected a number",
    ),
    "top by nothing": ("{top: 3, by: firts}", "4: filters[0].by: no column 'firts'"),
    "top without by": ("{top: 3}", "4: filters[0]: `top` and `by` come together"),
    "no purpose": ("{unknown: keep}", "4: filters[0]: the step does nothing"),
    "select": ("{select: {top: 3}}", "4: filters[0].select: `select` is part of the language and"),
    "train": (
        "{score: tolerance}, {score: hull, model: {train: x}}",
        "4: filters[1].model: `model.train` is part of the language",
    ),
    "extra missing": (
        "{score: broken}",
        "4: filters[0].score: the score 'broken' cannot be loaded",
    ),
}


@pytest.mark.parametrize(("steps", "expected"), FILTERS.values(), ids=FILTERS)
def test_a_mistake_in_filters_is_told(refused: Refuse, steps: str, expected: str) -> None:
    lines = refused(HEAD + f"filters: [{steps}]\n" + SCF)
    assert [line[: len(expected) + 7] for line in lines] == [f"c.yaml:{expected}"]


MISTAKES = {
    "unknown engine": ("a: {engine: kode, foo: 1}", "6: stages.a.engine: no engine 'kode'; did"),
    "unknown task": ("a: {engine: code, task: scff}", "6: stages.a.task: code has no task 'scff'"),
    "missing task": ("a: {engine: code}", "6: stages.a.task: missing, expected one of scf, relax"),
    "missing engine": ("a: {task: scf}", "6: stages.a.engine: missing, expected text"),
    "unknown protocol": (
        "a: {engine: code, task: scf, protocol: fats}",
        "6: stages.a.protocol: code has no protocol 'fats'; did you mean 'fast'?",
    ),
    "wrong type": (
        "a: {engine: code, task: scf, cutoff_ry: abc}",
        (
            "6: stages.a.cutoff_ry: found 'abc', expected a number greater than 0 and of at "
            "most 500, in Ry"
        ),
    ),
    "number as text": (
        "a: {engine: code, task: scf, cutoff_ry: '40'}",
        "6: stages.a.cutoff_ry: found '40', expected a number",
    ),
    "wrong unit": (
        "a: {engine: code, task: scf, cutoff_ev: 40}",
        "6: stages.a.cutoff_ev: unknown key; did you mean 'cutoff_ry'?",
    ),
    "mistake in params": (
        "a: {engine: code, task: scf, params: {cutof_ry: 40}}",
        "6: stages.a.params.cutof_ry: unknown key; did you mean 'cutoff_ry'?",
    ),
    "quantity twice": (
        "a: {engine: code, task: scf, cutoff_ry: 40, raw_cutoff: 3}",
        "6: stages.a: cutoff_ry and raw_cutoff say the same quantity",
    ),
    "dangling role": (
        "a: {engine: code, task: scf, structure: relx}\n  relax: {engine: code, task: relax}",
        "6: stages.a.structure: no stage 'relx'; did you mean 'relax'?",
    ),
    "role that is not provided": (
        "a: {engine: code, task: scf, structure: b}\n  b: {engine: code, task: scf}",
        "6: stages.a.structure: 'b' does not provide a structure; it provides charge_density",
    ),
    "role that is not used": (
        "a: {engine: code, task: scf, charge_density: b}\n  b: {engine: code, task: scf}",
        "6: stages.a.charge_density: scf uses no charge density",
    ),
    "missing role": (
        "a: {engine: code, task: bands}",
        "6: stages.a.charge_density: missing, expected the name of a stage",
    ),
    "density of another structure": (
        (
            "a: {engine: code, task: bands, structure: r, charge_density: s}\n"
            "  r: {engine: code, task: relax}\n  s: {engine: code, task: scf}"
        ),
        (
            "6: stages.a.charge_density: the charge density of 's' is of the "
            "structure of 'candidate', but this stage has the structure of 'r'"
        ),
    ),
    "density of a relaxed cell": (
        "a: {engine: code, task: bands, charge_density: r}\n  r: {engine: code, task: relax}",
        "6: stages.a.charge_density: the charge density of 'r' is of the structure of 'r', but",
    ),
    "itself": (
        "a: {engine: code, task: relax, structure: a}",
        "6: stages.a.structure: the stage 'a' cannot wait for itself",
    ),
    "cycle": (
        (
            "a: {engine: code, task: relax, structure: b}\n  b: {engine: code, task: relax, "
            "when: c.converged}\n  c: {engine: code, task: relax, structure: a}"
        ),
        "6: stages.a.structure: stages wait for each other: a -> b -> c -> a",
    ),
    "unknown stage in when": (
        "a: {engine: code, task: scf, when: bb.energy_ev > 3}\n  b: {engine: code, task: scf}",
        "6: stages.a.when: no stage 'bb'; did you mean 'b'?",
    ),
    "unknown column in when": (
        "a: {engine: code, task: scf, when: b.enrgy_ev > 3}\n  b: {engine: code, task: scf}",
        "6: stages.a.when: b has no column 'enrgy_ev'; did you mean 'energy_ev'?",
    ),
    "protected": (
        "a: {engine: code, task: scf, protected: [cutof_ry]}",
        "6: stages.a.protected[0]: code has no parameter 'cutof_ry'; did you mean 'cutoff_ry'?",
    ),
    "name": (
        "a-b: {engine: code, task: scf}",
        "6: stages.a-b: found 'a-b', expected a name of sma",
    ),
    "reserved name": (
        "candidate: {engine: code, task: scf}",
        "6: stages.candidate: 'candidate' means something else",
    ),
    "analysis of nothing": (
        "a: {analysis: hull, over: campaign, of: b}",
        "6: stages.a.of: no stage with an engine 'b'",
    ),
    "transform": ("a: {transform: {remove: Li}}", "6: stages.a.transform: `transform` is part of"),
    "sweep": (
        "a: {engine: code, task: scf, sweep: {cutoff_ry: [1, 2]}}",
        "6: stages.a.sweep: `sweep` is part of the language and not built yet in this version",
    ),
    "from": (
        "a: {engine: code, task: scf, cutoff_ry: {from: b.x}}",
        "6: stages.a.cutoff_ry: `from` is part of the language and not built yet",
    ),
    "not a mapping": ("a: 3", "6: stages.a: found 3, expected a mapping"),
    "resources": (
        "a: {engine: code, task: scf, resources: {cores: 0}}",
        "6: stages.a.resources.cores: found 0, expected a whole number of at least 1",
    ),
    "on_unrepaired": (
        "a: {engine: code, task: scf, on_unrepaired: retry}",
        "6: stages.a.on_unrepaired: found 'retry', expected one of fail, hold, drop",
    ),
    "no protocols": (
        "a: {engine: potential, protocol: fast}",
        "6: stages.a.protocol: potential has no protocol 'fast'",
    ),
}


@pytest.mark.parametrize(("stages", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_stages_is_told(refused: Refuse, stages: str, expected: str) -> None:
    lines = refused(HEAD + STAGES + f"  {stages}\n")
    assert lines
    assert lines[0].startswith(f"c.yaml:{expected}")
    assert len(lines) == 1


ELSEWHERE = {
    "unknown section": ("filtres: []", "6: filtres: unknown key; did you mean 'filters'?"),
    "no price": (
        "run: {usd_per_core_hour: 0}",
        "6: run.usd_per_core_hour: found 0, expected a number greater than 0, in US dollars",
    ),
    "no core hours": (
        "budget: {core_hours: 0}",
        "6: budget.core_hours: found 0, expected a number greater than 0, in hours",
    ),
    "references": (
        "references: {elements: some}",
        "6: references.elements: found 'some', expected",
    ),
    "element of references": (
        "references: {elements: [Ti, Qq]}",
        "6: references.elements[1]: 'Qq' is not an element",
    ),
    "generator of references": (
        "references: {space: [{kind: lst}]}",
        "6: references.space[0].kind: no generator 'lst'",
    ),
    "rounds": ("rounds: {max: 3}", "6: rounds: `rounds` is part of the language and not built yet"),
    "launcher": ("run: {launcher: {kind: slrm}}", "6: run.launcher.kind: no launcher 'slrm'"),
    "launcher's params": (
        "run: {launcher: {kind: local, slots: 0}}",
        "6: run.launcher.slots: found 0, expected a whole number of at least 1",
    ),
    "launcher without kind": ("run: {launcher: {slots: 1}}", "6: run.launcher.kind: missing"),
    "password": (
        "run: {store: 'mongodb://u:secret@h/d'}",
        "6: run.store: expected a URI without a",
    ),
    "export": ("export: results", "6: export: found 'results', expected a mapping"),
}


@pytest.mark.parametrize(("section", "expected"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_mistake_elsewhere_is_told(refused: Refuse, section: str, expected: str) -> None:
    lines = refused(HEAD + SCF.replace("stages:\n", "stages:\n") + section + "\n")
    assert len(lines) == 1
    assert lines[0].startswith(f"c.yaml:{expected.replace('6:', '7:', 1)}")
    assert "secret" not in lines[0]


def test_a_mistake_in_defaults_is_reported_at_its_own_line_and_once(refused: Refuse) -> None:
    lines = refused(
        HEAD
        + "defaults:\n  code:\n    family: f\n    cutoff_ry: -3\n    foo: 1\n    protocol: fsat\n"
        "stages:\n  a: {engine: code, task: scf}\n  b: {engine: code, task: scf, cutoff_ry: 30}\n"
    )
    assert [line.split(": ")[0].split(":")[1] for line in lines] == ["7", "8", "9"]


def test_defaults_of_an_engine_that_no_stage_uses_are_checked(refused: Refuse) -> None:
    lines = refused(HEAD + "defaults: {code: {kspacing_per_ang: 0}, kode: {}}\n"
                    "stages: {a: {engine: potential}}\n")  # fmt: skip
    assert len(lines) == 2
    assert "defaults.code.kspacing_per_ang: found 0" in lines[0]
    assert "defaults.kode: no engine 'kode'; did you mean 'code'?" in lines[1]


def test_a_missing_param_is_reported_at_the_stage(refused: Refuse) -> None:
    lines = refused(HEAD + "stages:\n  a:\n    engine: code\n    task: scf\n")
    assert lines == ["c.yaml:5: stages.a.family: missing, expected text"]


def test_the_same_quantity_in_two_places_is_no_mistake(loaded: Load) -> None:
    params = (
        loaded(HEAD + STAGES + "  a: {engine: code, task: scf, raw_cutoff: 9}").stage("a").params
    )
    assert params.raw_cutoff == 9


def test_what_follows_from_one_mistake_is_not_reported(refused: Refuse) -> None:
    lines = refused(
        HEAD + "filters:\n  - {score: tolerence, keep: tolerance_factor > 1}\n"
        "  - {top: 3, by: tolerance_factor}\n"
        "stages:\n  a: {engine: kode, task: scf}\n"
        "  b: {engine: potential, structure: a, when: a.energy_ev > tolerance_factor}\n"
    )
    assert len(lines) == 2


def test_stages_are_required(refused: Refuse) -> None:
    assert refused(HEAD) == ["c.yaml:1: stages: missing, expected a mapping, lines of `key: value`"]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml: cannot be read: No such file"):
        load(tmp_path / "none.yaml")
