from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest
from pydantic import ValidationError

from runner.load import load
from runner.space.strain import StrainParams
from runner.space.strain import plugin as strain
from runner.space.supercells import SupercellsParams, plugin
from schemas.candidate import BASE_COLUMNS, Candidate
from schemas.errors import InvalidFile, UserError
from schemas.protocols import Surroundings

HERE = Surroundings(folder=Path(), seed=7)
SALTS = {"kind": "prototype", "prototype": "rocksalt", "species": {"A": ["Li", "Na"], "X": ["F"]}}
CAESIUM = {
    "kind": "prototype",
    "prototype": "cesium-chloride",
    "species": {"A": ["Li", "Na"], "X": ["F"]},
}


def params(of: object, **others: object) -> SupercellsParams:
    return SupercellsParams.model_validate({"of": of, "matrix": (2, 1, 1), **others})


def made(of: object, **others: object) -> list[Candidate]:
    return list(plugin.candidates(params(of, **others), HERE))


def test_every_candidate_of_an_entry_is_transformed_and_its_choice_and_columns_stay() -> None:
    first, second = made(SALTS)

    assert (first.formula, second.formula) == ("LiF", "NaF")
    assert first.choice == {
        "of": {"A": "Li", "X": "F"},
        "matrix": [[2, 0, 0], [0, 1, 0], [0, 0, 1]],
    }
    assert first.extra["prototype"] == "rocksalt"
    assert first.extra["parent_formula"] == "LiF"
    assert first.sites == {"A": "Li", "X": "F"}
    assert first.structure.n_atoms == 4


def test_several_entries_follow_each_other_and_choices_tell_them_apart() -> None:
    candidates = made([SALTS, CAESIUM])

    assert [c.extra["prototype"] for c in candidates] == ["rocksalt"] * 2 + ["cesium-chloride"] * 2
    assert [c.choice["entry"] for c in candidates] == [0, 0, 1, 1]
    assert len({str(c.row()["choice"]) for c in candidates}) == 4
    assert plugin.count(params([SALTS, CAESIUM]), HERE) == 4


def test_generators_that_transform_may_stand_in_each_other() -> None:
    twice = {"kind": "supercells", "of": SALTS, "matrix": [1, 2, 1]}

    candidates = made({"kind": "strain", "of": twice, "volumetric": [-0.1, 0.1]})

    assert len(candidates) == plugin.count(
        params({"kind": "strain", "of": twice, "volumetric": [-0.1, 0.1]}), HERE
    )
    assert candidates[0].structure.n_atoms == 8
    assert candidates[0].extra["strain"] == "volumetric -0.1"
    assert candidates[0].choice["of"]["of"]["of"] == {"A": "Li", "X": "F"}  # type: ignore[index,call-overload]
    # The outer one's column of the same name stands.
    assert candidates[0].extra["supercell"] == "[[2,0,0],[0,1,0],[0,0,1]]"


def test_columns_are_those_of_all_entries_each_once_and_no_base_column() -> None:
    files = {"kind": "structures", "files": "*.cif"}

    names = [column.name for column in plugin.columns(params([SALTS, files]))]

    assert {"prototype", "file", "parent_formula", "supercell_size"} <= set(names)
    assert len(set(names)) == len(names)
    assert not {column.name for column in BASE_COLUMNS} & set(names)


def test_params_are_written_as_they_were_given() -> None:
    given = params([SALTS, CAESIUM])

    assert given.model_dump(mode="json")["of"] == [SALTS, CAESIUM]
    assert SupercellsParams.model_validate_json(given.model_dump_json()) == given


def test_what_cannot_be_built_stays_a_candidate_that_says_why() -> None:
    noble = {"kind": "prototype", "prototype": "rocksalt", "species": {"A": ["Li"], "X": ["Og"]}}

    fixed, longer = made(noble)[0], made(noble, matrix=None, min_length_ang=9.0)[0]

    assert fixed.formula == longer.formula == "LiOg"
    for candidate in (fixed, longer):
        with pytest.raises(UserError, match="no radii to estimate its lattice from"):
            _ = candidate.structure


def test_files_that_are_not_there_are_told_with_their_entry(tmp_path: Path) -> None:
    files = {"kind": "structures", "files": "cifs/*.cif"}
    here = Surroundings(folder=tmp_path, seed=0)

    with pytest.raises(UserError, match=r"^of\[1\]: no file matches"):
        plugin.count(params([SALTS, files]), here)
    with pytest.raises(UserError, match=r"^of: no file matches"):
        strain.count(StrainParams.model_validate({"of": files, "volumetric": (0.1,)}), here)


@pytest.mark.parametrize(
    ("of", "message"),
    [
        ({"kind": "protoype"}, "no generator 'protoype'; did you mean 'prototype'"),
        ({**SALTS, "prototype": "rock-salt"}, "did you mean 'rocksalt'"),
        ({"prototype": "rocksalt"}, "kind"),
        ([], "expected|an entry like those of `space`"),
        ("cifs/*.cif", "mapping"),
        ([SALTS, {**SALTS, "spezies": {}}], "unknown key; did you mean 'species'"),
    ],
)
def test_mistakes_in_an_entry_are_named(of: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        params(of)


def mistakes(tmp_path: Path, space: str) -> list[str]:
    path = tmp_path / "spec.yaml"
    path.write_text(
        dedent("""\
        version: 1
        campaign: nested
        space:
        """)
        + dedent(space)
        + dedent("""\
        stages:
          scf: {engine: toy, task: scf}
        """)
    )
    with pytest.raises(InvalidFile) as raised:
        load(path)
    return [line.removeprefix(f"{path}:") for line in raised.value.lines]


def test_a_mistake_deep_inside_is_reported_at_its_own_line(tmp_path: Path) -> None:
    lines = mistakes(
        tmp_path,
        """\
          - kind: strain
            volumetric: [-0.05, 0.05]
            of:
              - kind: supercells
                matrix: [2, 2, two]
                of:
                  kind: prototype
                  prototype: rocksalt
                  species: {A: [Li], X: [Fx]}
              - kind: prototype
                prototyp: fluorite
        """,
    )

    text = "\n".join(lines)
    assert "space[0].of[0].of.species: site X: 'Fx' is not an element" in text
    assert "12: space[0].of[0].of.species" in text
    assert "8: space[0].of[0].matrix: expected three whole numbers" in text
    assert "14: space[0].of[1].prototyp: unknown key; did you mean 'prototype'?" in text
    assert "13: space[0].of[1].species: missing, expected a mapping" in text


def test_the_list_of_a_plain_mapping_needs_no_dash(tmp_path: Path) -> None:
    lines = mistakes(
        tmp_path,
        """\
          - kind: supercells
            of: {kind: prototype, prototype: rocksalt}
        """,
    )

    assert any("space[0].of.species: missing" in line for line in lines)


def test_columns_of_two_kinds_under_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from schemas import registry
    from schemas.columns import Column

    prototype = registry.generators.get("prototype")

    def columns(given: Mapping[str, object]) -> tuple[Column, ...]:
        return (Column("file", "int", "A number."),)

    monkeypatch.setattr(prototype, "columns", columns, raising=False)
    files = {"kind": "structures", "files": "*.cif"}

    with pytest.raises(ValidationError, match="prototype and structures both have a column 'file'"):
        params([SALTS, files])
