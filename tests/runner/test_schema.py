import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import campaigns
from runner.schema import language_schema, profile_schema
from schemas.document import read_file

jsonschema = pytest.importorskip("jsonschema")

FILES = sorted(Path(campaigns.__file__).parent.glob("*.yaml"))


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = language_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def data(path: Path) -> Any:
    return read_file(path)[0].data


def mappings(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the paths of mappings whose keys are words of the language, not names of users."""
    free = {("stages",), ("run", "codes"), ("defaults",)}
    if isinstance(value, dict):
        if path not in free and "species" not in path and "lattice_ang" not in path:
            yield path
        for key, item in value.items():
            yield from mappings(item, (*path, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from mappings(item, (*path, index))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_campaigns_fit_the_schema(path: Path, validator: Any) -> None:
    assert [error.message for error in validator.iter_errors(data(path))] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_unknown_key_anywhere_is_refused_by_the_schema(path: Path, validator: Any) -> None:
    for place in mappings(data(path)):
        broken = data(path)
        here = broken
        for part in place:
            here = here[part]
        if place and place[-1] == "params":
            continue  # keywords of the program: the engine knows them
        here["unknwon"] = 1
        assert not validator.is_valid(broken), place


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"campaign": "Not A Name"},
        {"seed": "7"},
        {"space": []},
        {"space": [{"kind": "prototyp"}]},
        {"stages": {"a": {"engine": "expresso"}}},
        {"stages": {"a-b": {"engine": "espresso", "task": "scf"}}},
        {"stages": {"a": {"engine": "espresso", "task": "scf", "ecutwfc_ry": "40"}}},
        {"stages": {"a": {"engine": "espresso", "task": "scf", "ecutwfc_ry": -1}}},
        {"stages": {"a": {"engine": "espresso", "task": "scf", "ecutwfc_ev": 400}}},
        {"stages": {"a": {"engine": "espresso", "task": "scff"}}},
        {"stages": {"a": {"engine": "espresso", "task": "scf", "sweep": {"ecutwfc_ry": [1]}}}},
        {"references": {"elements": "some"}},
        {"references": {"space": [{"kind": "prototyp"}]}},
        {"rounds": {"max": 3}},
        {"stages": {"a": {"analysis": "hul", "over": "campaign", "of": "b"}}},
        {"stages": {"a": {"analysis": "hull", "over": "sweep", "of": "b"}}},
        {"stages": {"a": {"analysis": "hull", "over": "campaign"}}},
        {"stages": {"a": {"analysis": "hull", "over": "campaign", "of": "b", "when": "true"}}},
        {"stages": {"a": {"engine": "espresso", "task": "scf", "of": "b"}}},
        {"defaults": {"espresso": {"protocol": "fats"}}},
        {"defaults": {"checkpoint": 3}},
        {"filters": [{"score": "tolerence-factor"}]},
        {"filters": [{"select": {"top": 3}}]},
        {"run": {"launcher": {"kind": "local", "slot": 1}}},
        {"run": {"launcher": {"slots": 1}}},
        {"budget": {"core_hours": 0}},
    ],
    ids=json.dumps,
)
def test_a_mistake_is_refused_by_the_schema(change: dict[str, Any], validator: Any) -> None:
    assert not validator.is_valid(data(FILES[0]) | change)


def test_an_analysis_fits_the_schema(validator: Any) -> None:
    stages = data(FILES[0])["stages"]
    hull = {"analysis": "hull", "over": "campaign", "of": next(iter(stages))}
    assert validator.is_valid(data(FILES[0]) | {"stages": stages | {"hull": hull}})


def test_reserved_words_are_marked_and_described() -> None:
    schema = language_schema()
    stage = schema["properties"]["stages"]["additionalProperties"]
    for word in (schema["properties"]["rounds"], stage["properties"]["sweep"]):
        assert word["x-reserved"] is True
        assert "not built yet" in word["description"]


def test_every_key_of_the_language_has_a_description() -> None:
    schema = language_schema()
    lacking = [
        f"{name}.{key}"
        for name, definition in {"": schema, **schema["$defs"]}.items()
        for key, value in definition.get("properties", {}).items()
        if "description" not in value and "$ref" not in value
    ]
    assert lacking == []


def test_the_schema_of_a_profile_is_that_of_run() -> None:
    schema = profile_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({"launcher": {"kind": "local", "slots": 2}})
    assert not validator.is_valid({"launcher": {"kind": "local"}, "stroe": "x"})
