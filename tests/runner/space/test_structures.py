import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from pymatgen.core import Lattice
from pymatgen.core import Structure as PymatgenStructure

from runner.space.structures import StructuresParams, plugin
from schemas.candidate import Candidate
from schemas.errors import UserError
from schemas.protocols import Surroundings
from schemas.registry import generators
from schemas.structure import Structure

CUBE = ((4.0, 0.0, 0.0), (0.0, 4.0, 0.0), (0.0, 0.0, 4.0))
SALT = Structure(
    lattice_ang=CUBE, species=("Na", "Cl"), frac_coords=((0.0, 0.0, 0.0), (0.5, 0.5, 0.5))
)


def made(folder: Path, *files: str, primitive: bool = False) -> list[Candidate]:
    params = StructuresParams(files=files, primitive=primitive)
    return list(plugin.candidates(params, Surroundings(folder=folder, seed=0)))


def conventional_copper() -> PymatgenStructure:
    return PymatgenStructure.from_spacegroup("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]])


@pytest.mark.parametrize("name", ["b.cif", "POSCAR", "b.vasp", "b.json"])
def test_a_cell_is_read_as_it_stands_from_every_kind_of_file(tmp_path: Path, name: str) -> None:
    copper = conventional_copper()
    texts = {"b.cif": copper.to(fmt="cif"), "b.json": copper.to(fmt="json")}
    (tmp_path / name).write_text(texts.get(name) or copper.to(fmt="poscar"))

    (candidate,) = made(tmp_path, name)

    assert candidate.structure.species == ("Cu",) * 4
    assert candidate.structure.volume_ang3 == pytest.approx(3.6**3)
    assert (candidate.formula, candidate.composition) == ("Cu", {"Cu": 4})
    assert candidate.choice == {"file": name, "index": 0}


def test_a_primitive_cell_is_made_on_request(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(conventional_copper().to(fmt="json"))

    (candidate,) = made(tmp_path, "*.json", primitive=True)

    assert candidate.structure.n_atoms == 1


def test_files_are_taken_in_the_order_of_their_paths_each_once(tmp_path: Path) -> None:
    for name in ("z/1.json", "a/2.json", "a/1.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(SALT.model_dump_json())

    candidates = made(tmp_path, "z/*.json", "*/*.json")

    names = [candidate.extra["file"] for candidate in candidates]
    assert names == ["a/1.json", "a/2.json", "z/1.json"]


def test_a_list_in_json_gives_all_its_structures_in_both_shapes(tmp_path: Path) -> None:
    theirs = conventional_copper().as_dict()
    (tmp_path / "many.json").write_text(json.dumps([SALT.model_dump(), theirs]))

    first, second = made(tmp_path, "many.json")

    assert first.structure == SALT
    assert second.formula == "Cu"
    assert [first.choice["index"], second.choice["index"]] == [0, 1]


def test_oxidation_states_are_dropped_while_charge_and_moments_stay(tmp_path: Path) -> None:
    decorated = PymatgenStructure(
        Lattice.cubic(4.0),
        ["Fe2+", "O2-"],
        [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]],
        site_properties={"magmom": [4.0, 0.0]},
    )
    plain = PymatgenStructure(Lattice.cubic(4.0), ["D"], [[0, 0, 0]])
    (tmp_path / "1.json").write_text(json.dumps(decorated.as_dict()))
    (tmp_path / "2.json").write_text(json.dumps(plain.as_dict() | {"charge": 1}))

    oxide, proton = made(tmp_path, "*.json")

    assert oxide.structure.species == ("Fe", "O")
    assert oxide.structure.charge == 0.0
    assert oxide.structure.moments_bohr == (4.0, 0.0)
    assert (proton.structure.species, proton.structure.charge) == (("H",), 1.0)


def test_partial_occupancy_is_refused_with_the_file_named(tmp_path: Path) -> None:
    mixed = PymatgenStructure(Lattice.cubic(4.0), [{"Na": 0.5, "K": 0.5}], [[0.0, 0.0, 0.0]])
    mixed.to(filename=str(tmp_path / "mixed.cif"))

    with pytest.raises(UserError, match=r"mixed\.cif: has partially occupied sites"):
        made(tmp_path, "*.cif")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.cif", "not a cif", r"x\.cif: "),
        ("x.json", "{", r"x\.json: cannot be read: Expecting property name"),
        ("x.json", '{"a": 1}', r"x\.json: cannot be read: expected a structure"),
        ("x.json", "[]", r"x\.json: holds no structure"),
        ("x.txt", "", r"x\.txt: not a known kind of structure file"),
        ("POSCAR", "c\n1\n4 0 0\n0 4 0\n0 0 4\n1\nDirect\n0 0 0\n", "write the elements' symbols"),
        (
            "x.json",
            SALT.model_copy(update={"species": ("Na", "Xx")}).model_dump_json(),
            r"x\.json: 'Xx' is not an element",
        ),
    ],
)
def test_an_unreadable_file_is_named_with_the_reason(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)

    with pytest.raises(UserError, match=message):
        made(tmp_path, name)


def test_a_glob_that_matches_nothing_is_an_error_before_anything_is_read(tmp_path: Path) -> None:
    params = StructuresParams(files=("cifs/*.cif",))

    with pytest.raises(UserError, match=r"no file matches 'cifs/\*\.cif'"):
        plugin.count(params, Surroundings(folder=tmp_path, seed=0))
    with pytest.raises(UserError, match=r"there is no file 'a\.cif'"):
        made(tmp_path, "a.cif")


def test_one_glob_may_stand_without_a_list_and_none_is_refused() -> None:
    assert StructuresParams.model_validate({"files": "*.cif"}).files == ("*.cif",)
    with pytest.raises(ValidationError, match="at least one file"):
        StructuresParams(files=())


def test_a_file_that_cannot_be_read_among_others_is_one_candidate_with_its_reason(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text(SALT.model_dump_json())
    (tmp_path / "c.json").write_text(f"[{SALT.model_dump_json()}, 7]")
    broken, salt, *rest = made(tmp_path, "*.json")
    assert "a.json: cannot be read" in str(broken.problem)
    assert broken.row()["file"] == "a.json"
    assert salt.problem is None
    assert "c.json" in str(rest[-1].problem)
    params = generators.get("supercells").params.model_validate(
        {"of": {"kind": "structures", "files": "*.json"}, "matrix": [2, 1, 1]}
    )
    nested = list(generators.get("supercells").candidates(params, Surroundings(tmp_path, 0)))
    assert [one.problem is None for one in nested] == [
        one.problem is None for one in [broken, salt, *rest]
    ]
