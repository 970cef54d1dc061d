from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from runner.crystal.elements import SYMBOLS
from runner.crystal.prototypes import PROTOTYPES
from runner.space.prototype import PrototypeParams, plugin
from schemas.candidate import Candidate
from schemas.errors import UserError
from schemas.protocols import Surroundings

HERE = Surroundings(folder=Path(), seed=0)

lists = st.lists(st.sampled_from(SYMBOLS[:83]), min_size=1, max_size=4, unique=True)


@st.composite
def any_params(draw: st.DrawFn) -> PrototypeParams:
    name = draw(st.sampled_from(sorted(PROTOTYPES)))
    labels = draw(st.permutations(PROTOTYPES[name].labels))
    return PrototypeParams(
        prototype=name,
        species={label: tuple(draw(lists)) for label in labels},
        lattice_ang=draw(st.none() | st.floats(2.0, 9.0)),
    )


def made(**params: object) -> list[Candidate]:
    return list(plugin.candidates(PrototypeParams.model_validate(params), HERE))


def only(prototype: str, **elements: str) -> Candidate:
    species = {label: [symbol] for label, symbol in elements.items()}
    (candidate,) = made(prototype=prototype, species=species)
    return candidate


@settings(max_examples=40, deadline=None)
@given(any_params())
def test_count_is_the_length_of_the_sequence_and_the_sequence_repeats(
    params: PrototypeParams,
) -> None:
    first = [candidate.row() for candidate in plugin.candidates(params, HERE)]

    assert plugin.count(params, HERE) == len(first)
    assert first == [candidate.row() for candidate in plugin.candidates(params, HERE)]


@settings(max_examples=40, deadline=None)
@given(any_params())
def test_a_row_says_of_the_cell_what_the_cell_says_of_itself(params: PrototypeParams) -> None:
    for candidate in islice(plugin.candidates(params, HERE), 4):
        structure = candidate.structure
        assert candidate.formula == structure.formula
        assert sorted(candidate.composition) == list(structure.elements)
        assert sum(candidate.composition.values()) == structure.n_atoms
        for symbol, count in candidate.composition.items():
            assert structure.species.count(symbol) == count


def test_combinations_come_in_the_order_of_the_file_and_the_last_label_changes_fastest() -> None:
    candidates = made(
        prototype="perovskite-cubic",
        species={"B": ["Ti", "Sn"], "A": ["Sr"], "X": ["S", "O"]},
    )

    assert [c.formula for c in candidates] == ["SrTiS3", "SrTiO3", "SrSnS3", "SrSnO3"]
    assert candidates[0].sites == {"A": "Sr", "B": "Ti", "X": "S"}


def test_nothing_is_built_before_it_is_asked_for() -> None:
    everything = SYMBOLS[:100]
    params = PrototypeParams(
        prototype="perovskite-cubic",
        species={"A": everything, "B": everything, "X": everything},
    )

    assert plugin.count(params, HERE) == 1_000_000
    assert len(list(islice(plugin.candidates(params, HERE), 10))) == 10


@pytest.mark.parametrize(
    ("prototype", "space_group", "elements"),
    [
        ("fcc", 225, {"A": "Cu"}),
        ("bcc", 229, {"A": "Fe"}),
        ("diamond", 227, {"A": "Si"}),
        ("zincblende", 216, {"A": "Ga", "X": "As"}),
        ("rocksalt", 225, {"A": "Mg", "X": "O"}),
        ("cesium-chloride", 221, {"A": "Cs", "X": "Cl"}),
        ("fluorite", 225, {"A": "Ca", "X": "F"}),
        ("perovskite-cubic", 221, {"A": "Sr", "B": "Ti", "X": "O"}),
    ],
)
def test_a_prototype_has_its_space_group_and_its_cell_is_primitive(
    prototype: str,
    space_group: int,
    elements: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from spglib import error, get_symmetry_dataset

    # Its former way of reporting errors warns whenever it is used.
    monkeypatch.setattr(error, "OLD_ERROR_HANDLING", False)
    structure = only(prototype, **elements).structure
    numbers = [SYMBOLS.index(symbol) for symbol in structure.species]
    dataset = get_symmetry_dataset((structure.lattice_ang, structure.frac_coords, numbers))

    assert dataset is not None
    assert dataset.number == space_group
    assert len(set(dataset.mapping_to_primitive)) == structure.n_atoms


@pytest.mark.parametrize(
    ("prototype", "elements", "atoms_in_cube", "measured_ang"),
    [
        ("fcc", {"A": "Cu"}, 4, 3.615),
        ("bcc", {"A": "W"}, 2, 3.165),
        ("diamond", {"A": "Si"}, 8, 5.431),
        ("zincblende", {"A": "Ga", "X": "As"}, 8, 5.653),
        ("rocksalt", {"A": "Mg", "X": "O"}, 8, 4.212),
        ("rocksalt", {"A": "Ti", "X": "C"}, 8, 4.328),
        ("cesium-chloride", {"A": "Cs", "X": "Cl"}, 2, 4.123),
        ("fluorite", {"A": "Ca", "X": "F"}, 12, 5.463),
        ("perovskite-cubic", {"A": "Sr", "B": "Ti", "X": "O"}, 5, 3.905),
    ],
)
def test_an_estimated_lattice_is_within_a_tenth_of_the_measured_one(
    prototype: str, elements: Mapping[str, str], atoms_in_cube: int, measured_ang: float
) -> None:
    structure = only(prototype, **elements).structure
    cube_ang3 = structure.volume_ang3 * atoms_in_cube / structure.n_atoms

    assert cube_ang3 ** (1 / 3) == pytest.approx(measured_ang, rel=0.1)


IDS: Mapping[str, tuple[dict[str, list[str]], dict[str, str]]] = {
    "fcc": (
        {"A": ["Cu", "Al"]},
        {
            "Cu": "be44195730d51b58",
            "Al": "4835dfaa86159b0f",
        },
    ),
    "bcc": (
        {"A": ["Fe", "W"]},
        {
            "Fe": "4e39bb0c7ba392be",
            "W": "0edd700ef553dafb",
        },
    ),
    "diamond": (
        {"A": ["C", "Si"]},
        {
            "C": "5d0eb7d8cd7e96f9",
            "Si": "5bebe11540a917ac",
        },
    ),
    "zincblende": (
        {"A": ["Ga"], "X": ["As", "N"]},
        {
            "GaAs": "8e1ec816c5eab97a",
            "GaN": "a6fc69332f125c9f",
        },
    ),
    "rocksalt": (
        {"A": ["Mg", "Ti"], "X": ["O", "C"]},
        {
            "MgO": "5ab1583e80b8a4f7",
            "MgC": "0a487507f8cbf1c3",
            "TiO": "42538b49b4915f3b",
            "TiC": "e2daafcb040405eb",
        },
    ),
    "cesium-chloride": (
        {"A": ["Cs"], "X": ["Cl", "Br"]},
        {
            "CsCl": "b43f79372cbfbe8f",
            "CsBr": "7ebbe66d6429f449",
        },
    ),
    "fluorite": (
        {"A": ["Ca", "Zr"], "X": ["F", "O"]},
        {
            "CaF2": "856a818c028f2bea",
            "CaO2": "7b6b2f550166b900",
            "ZrF2": "110df0c4552bcde7",
            "ZrO2": "da9618d8578b1bfe",
        },
    ),
    "perovskite-cubic": (
        {"A": ["Sr", "Ba"], "B": ["Ti", "Sn"], "X": ["O", "S"]},
        {
            "SrTiO3": "d9801debcc8a4b75",
            "SrTiS3": "2fabbcdb861bdd9f",
            "SrSnO3": "518c734a7856e9fd",
            "SrSnS3": "30800b1541738b11",
            "BaTiO3": "231e2795f5d91138",
            "BaTiS3": "ed5d84262e47eec6",
            "BaSnO3": "4d8cd3786afd4492",
            "BaSnS3": "8ca7b8b0ecf24f04",
        },
    ),
}
"""The beginnings of candidate ids, which are stored and never change."""


@pytest.mark.parametrize("name", IDS)
def test_ids_of_cells_with_estimated_lattices_stay_as_they_were(name: str) -> None:
    species, ids = IDS[name]

    found = {c.formula: c.id[:16] for c in made(prototype=name, species=species)}

    assert found == ids


def test_a_given_lattice_is_the_cubic_parameter_and_may_be_given_by_formula() -> None:
    silicon, carbon = made(
        prototype="diamond", species={"A": ["Si", "C"]}, lattice_ang={"Si": 5.43}
    )
    (copper,) = made(prototype="fcc", species={"A": ["Cu"]}, lattice_ang=3.6)

    assert silicon.structure.volume_ang3 == pytest.approx(5.43**3 / 4)
    assert carbon.structure.volume_ang3 == pytest.approx(3.567**3 / 4, rel=0.05)
    assert copper.structure.volume_ang3 == pytest.approx(3.6**3 / 4)


def test_lengths_may_be_given_by_axis_for_all_or_by_formula() -> None:
    species = {"A": ["Ti", "Sn"], "X": ["O"]}
    both = made(prototype="rutile", species=species, lattice_ang={"a": 4.0, "c": 3.0})
    titania, tin = made(
        prototype="rutile",
        species=species,
        lattice_ang={"SnO2": {"a": 4.738, "c": 3.187}, "TiO2": 4.5937},
    )

    assert [one.structure.volume_ang3 for one in both] == [pytest.approx(48.0)] * 2
    assert tin.structure.volume_ang3 == pytest.approx(4.738**2 * 3.187)
    assert titania.structure.volume_ang3 == pytest.approx(4.5937**2 * 2.9587)


def test_polyanions_and_ions_multiply_in_a_structure_that_is_not_cubic() -> None:
    candidates = made(
        prototype="olivine",
        species={"A": ["Li", "Na"], "M": ["Fe", "Mn"], "T": ["P", "Si", "S"], "X": ["O"]},
    )

    assert [c.formula for c in candidates[:4]] == ["LiFePO4", "LiFeSiO4", "LiFeSO4", "LiMnPO4"]
    assert len({c.id for c in candidates}) == 12
    assert {c.structure.n_atoms for c in candidates} == {28}


def test_where_there_are_no_radii_the_cell_is_refused_with_the_remedy() -> None:
    candidate = only("fcc", A="Og")

    with pytest.raises(UserError, match=r"Og in fcc: no radii .* give lattice_ang: \{Og: \.\.\.\}"):
        _ = candidate.structure


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"prototype": "rock-salt", "species": {"A": ["Na"]}}, "did you mean 'rocksalt'"),
        ({"prototype": "fcc", "species": {"A": ["Cu", "cu"]}}, "'cu' is not an element; did"),
        ({"prototype": "fcc", "species": {"A": ["Cu", "Cu"]}}, "lists Cu more than once"),
        ({"prototype": "fcc", "species": {"A": []}}, "site A has no elements"),
        ({"prototype": "rocksalt", "species": {"A": ["Na"]}}, "has the sites A, X; .* gives A"),
        (
            {"prototype": "fcc", "species": {"A": ["Cu"], "B": ["Ag"]}},
            "has the sites A; species gives A, B",
        ),
        (
            {"prototype": "fcc", "species": {"A": ["Cu"]}, "lattice_ang": {"Ag": 4.0}},
            "the species make no Ag",
        ),
        ({"prototype": "fcc", "species": {"A": ["Cu"]}, "lattice_ang": -1.0}, "greater than"),
        (
            {"prototype": "fcc", "species": {"A": ["Cu"]}, "lattice_ang": {"a": 3.6, "c": 3.6}},
            "found c, expected lengths of fcc: a",
        ),
        (
            {"prototype": "hcp", "species": {"A": ["Ti"]}, "lattice_ang": {"Ti": {"c": 4.7}}},
            "found c, expected a with them",
        ),
    ],
)
def test_mistakes_in_params_are_named(params: Mapping[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PrototypeParams.model_validate(params)
