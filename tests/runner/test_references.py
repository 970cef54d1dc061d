from pathlib import Path
from textwrap import dedent

import pytest
import toy_energies
from toy_energies import Toy

from runner.hull.ground_states import known_elements
from runner.load import load
from schemas.errors import InvalidFile, UserError
from schemas.structure import Structure

CAMPAIGN = """\
version: 1
campaign: titanates
space:
  - {kind: prototype, prototype: perovskite-cubic, species: {A: [Sr, Ba], B: [Ti], X: [O]}}
"""
STAGES = "stages:\n  scf: {engine: rehearsal, task: scf}\n"
BINARIES = """\
references:
  elements: [Sr, Ba, Ti, O]
  space:
    - {kind: prototype, prototype: rocksalt, species: {A: [Sr, Ba], X: [O]}}
    - {kind: prototype, prototype: fluorite, species: {A: [Ti], X: [O]}}
"""
HULL = "filters:\n  - {score: hull, model: toy-1, keep: hull_distance_ev_per_atom < 0.1}\n"


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> Toy:
    return toy_energies.put_in(monkeypatch)


def write(folder: Path, *parts: str) -> Path:
    path = folder / "c.yaml"
    path.write_text("".join((CAMPAIGN, *parts, STAGES)))
    return path


def test_scores_are_given_elements_then_files_then_generated_structures(tmp_path: Path) -> None:
    (tmp_path / "tio2.json").write_text(
        Structure(
            lattice_ang=((4.6, 0, 0), (0, 4.6, 0), (0, 0, 3.0)),
            species=("Ti", "O", "O"),
            frac_coords=((0, 0, 0), (0.3, 0.3, 0), (0.7, 0.7, 0)),
        ).model_dump_json()
    )
    files = BINARIES + "  structures: tio2.json\n"

    given = load(write(tmp_path, files)).surroundings.references

    formulas = [structure.formula for structure in given]
    assert formulas == ["Sr", "Ba", "Ti", "O", "TiO2", "SrO", "BaO", "TiO2"]


def test_all_elements_are_those_that_have_a_reference_structure(tmp_path: Path) -> None:
    given = load(write(tmp_path, "references: {elements: all}\n")).surroundings.references

    assert [structure.species[0] for structure in given] == list(known_elements())


def test_a_campaign_without_references_has_none(tmp_path: Path) -> None:
    assert load(write(tmp_path)).surroundings.references == ()


def test_a_hull_with_binaries_is_accepted(tmp_path: Path) -> None:
    assert load(write(tmp_path, BINARIES, HULL)).steps[0].label == "hull"


def test_a_hull_of_elements_alone_is_refused_and_the_missing_binaries_named(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, "references: {elements: all}\n", HULL)

    with pytest.raises(InvalidFile) as caught:
        load(path)

    (line,) = caught.value.lines
    assert f"{path}:7: filters[0]: " in line
    assert "elements alone" in line
    assert "Ba-O (BaO), Sr-O (SrO), Ti-O (TiO2)" in line
    assert "{kind: prototype, prototype: rocksalt, species: {A: [Ba], X: [O]}}" in line


def test_a_hull_without_references_is_told_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match=r"references: \{elements: all"):
        load(write(tmp_path, HULL))


def test_formation_energies_need_elements_only(tmp_path: Path) -> None:
    score = "filters: [{score: formation-energy, model: toy-1}]\n"

    assert load(write(tmp_path, "references: {elements: all}\n", score)).steps
    with pytest.raises(InvalidFile, match="needs the energies of the elements"):
        load(write(tmp_path, score))


def test_novelty_against_references_that_are_not_there_is_refused(tmp_path: Path) -> None:
    score = "filters: [{score: novelty, use_references: true}]\n"

    assert load(write(tmp_path, "references: {elements: [Sr]}\n", score)).steps
    with pytest.raises(InvalidFile, match="the campaign has no references; give it"):
        load(write(tmp_path, score))


def test_a_hull_from_a_file_needs_no_references(tmp_path: Path) -> None:
    score = "filters: [{score: hull, model: toy-1, entries: e.json}]\n"

    assert load(write(tmp_path, score)).steps


def test_files_that_are_not_there_are_told_with_their_line(tmp_path: Path) -> None:
    path = write(tmp_path, "references: {structures: nowhere/*.cif}\n")

    with pytest.raises(InvalidFile, match=r":5: references\.structures: no file matches 'nowhere"):
        load(path)


def test_a_reference_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.cif").write_text("nothing")
    loaded = load(write(tmp_path, "references: {structures: bad.cif}\n"))

    with pytest.raises(UserError, match=r"references: structures: .*bad\.cif"):
        loaded.surroundings  # noqa: B018  (reads the files)


def test_a_reference_without_radii_for_its_lattice_is_told(tmp_path: Path) -> None:
    block = dedent("""\
        references:
          space: [{kind: prototype, prototype: rocksalt, species: {A: [Og], X: [O]}}]
    """)
    loaded = load(write(tmp_path, block))

    with pytest.raises(UserError, match=r"references: prototype: OgO"):
        loaded.surroundings  # noqa: B018  (builds the cells)
