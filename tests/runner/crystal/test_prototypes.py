from collections.abc import Mapping
from itertools import combinations_with_replacement
from math import dist

import pytest

from runner.crystal.elements import SYMBOLS, element
from runner.crystal.prototypes import PROTOTYPES, Prototype, estimated_lattice_ang
from runner.crystal.prototypes.symmetry import CENTRES, SPACE_GROUPS, orbit
from schemas.structure import Structure

AVOGADRO_PER_MOL = 6.02214076e23
ANG3_PER_CM3 = 1e24

DENSITIES_G_PER_CM3: Mapping[str, float] = {
    "a15": 6.46,
    "alb2": 3.17,
    "anatase": 3.89,
    "antifluorite": 2.01,
    "argyrodite": 1.86,
    "bcc": 19.25,
    "bismuth-telluride": 7.86,
    "caal2si2": 2.36,
    "cadmium-chloride": 4.05,
    "cadmium-iodide": 5.67,
    "calcite": 2.71,
    "cesium-chloride": 3.99,
    "chalcopyrite": 4.18,
    "corundum": 3.99,
    "cuprite": 6.10,
    "delafossite": 5.10,
    "diamond": 3.515,
    "double-perovskite": 7.20,
    "fcc": 8.96,
    "fluorite": 3.18,
    "garnet": 3.58,
    "half-heusler": 7.17,
    "hcp": 1.738,
    "heusler": 6.6,
    "ilmenite": 4.79,
    "kesterite": 4.56,
    "l1-0": 14.98,
    "l1-2": 12.2,
    "laves-cubic": 5.75,
    "layered-o3": 5.06,
    "layered-p2": 5.0,
    "lithium-niobate": 4.64,
    "matlockite": 7.12,
    "max-phase": 5.23,
    "molybdenite": 5.00,
    "nasicon": 3.2,
    "nickel-arsenide": 7.78,
    "olivine": 3.6,
    "perovskite-cubic": 5.12,
    "perovskite-hexagonal": 6.14,
    "perovskite-orthorhombic": 7.5,
    "perovskite-rhombohedral": 6.52,
    "perovskite-tetragonal": 7.95,
    "perovskite-tetragonal-tilted": 5.14,
    "pyrite": 5.01,
    "pyrochlore": 4.98,
    "rocksalt": 2.165,
    "ruddlesden-popper": 7.1,
    "rutile": 4.25,
    "scheelite": 6.12,
    "skutterudite": 6.82,
    "spinel": 3.58,
    "stannite": 4.47,
    "thcr2si2": 7.5,
    "tinisi": 5.65,
    "vacancy-ordered-perovskite": 3.50,
    "wurtzite": 4.09,
    "zincblende": 4.09,
    "zircon": 4.65,
    "zrcusias": 6.6,
}
"""Of the compounds that give the types their cells: handbooks' values, or X-ray densities."""

BONDS_ANG: Mapping[str, tuple[str, str, float]] = {
    "anatase": ("A", "X", 1.93),
    "argyrodite": ("T", "X", 2.05),
    "bismuth-telluride": ("A", "X", 3.07),
    "cadmium-iodide": ("A", "X", 2.99),
    "calcite": ("T", "X", 1.28),
    "chalcopyrite": ("A", "X", 2.30),
    "corundum": ("A", "X", 1.86),
    "cuprite": ("A", "X", 1.85),
    "delafossite": ("A", "X", 1.86),
    "double-perovskite": ("B2", "X", 1.92),
    "garnet": ("T", "X", 1.63),
    "half-heusler": ("B", "C", 2.57),
    "ilmenite": ("B", "X", 1.87),
    "kesterite": ("C", "X", 2.41),
    "layered-o3": ("M", "X", 1.92),
    "layered-p2": ("M", "X", 1.91),
    "lithium-niobate": ("B", "X", 1.88),
    "matlockite": ("A", "Y", 2.54),
    "max-phase": ("M", "X", 1.97),
    "molybdenite": ("A", "X", 2.38),
    "nasicon": ("T", "X", 1.53),
    "olivine": ("T", "X", 1.52),
    "perovskite-hexagonal": ("B", "X", 1.88),
    "perovskite-orthorhombic": ("B", "X", 2.00),
    "perovskite-rhombohedral": ("B", "X", 1.90),
    "perovskite-tetragonal": ("B", "X", 1.77),
    "perovskite-tetragonal-tilted": ("B", "X", 1.95),
    "pyrite": ("X", "X", 2.16),
    "pyrochlore": ("A", "Y", 2.19),
    "ruddlesden-popper": ("B", "X", 1.89),
    "rutile": ("A", "X", 1.95),
    "scheelite": ("T", "X", 1.78),
    "skutterudite": ("A", "X", 2.33),
    "spinel": ("A", "X", 1.92),
    "stannite": ("B", "X", 2.35),
    "thcr2si2": ("B", "X", 2.41),
    "vacancy-ordered-perovskite": ("B", "X", 2.32),
    "wurtzite": ("A", "X", 2.34),
    "zircon": ("T", "X", 1.62),
}
"""The shortest bond between two labels, as it was measured."""
SHORTEST_ANG = 1.2
"""No atoms of these compounds are nearer; C-O in calcite is 1.28."""

prototypes = pytest.mark.parametrize("name", sorted(PROTOTYPES))


def measured(prototype: Prototype) -> Structure:
    a, b, c = prototype.lengths_ang
    return prototype.structure(prototype.compound, {"a": a, "b": b, "c": c})


def shortest_ang(structure: Structure, labels: list[str]) -> dict[tuple[str, str], float]:
    """Return the shortest distance for each pair of labels, images included."""
    shifts = [(i, j, k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)]
    images = [cartesian(structure, shift) for shift in shifts]
    found: dict[tuple[str, str], float] = {}
    for one, other in combinations_with_replacement(range(len(labels)), 2):
        first, second = sorted((labels[one], labels[other]))
        for image in images:
            length = dist(images[13][one], image[other])
            if length > 1e-3:
                found[first, second] = min(found.get((first, second), length), length)
    return found


def cartesian(structure: Structure, shift: tuple[int, ...]) -> list[tuple[float, ...]]:
    return [
        tuple(
            sum((position[i] + shift[i]) * structure.lattice_ang[i][k] for i in range(3))
            for k in range(3)
        )
        for position in structure.frac_coords
    ]


@prototypes
def test_a_type_has_its_space_group_and_its_cell_is_primitive(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spglib import error, get_symmetry_dataset

    # Its former way of reporting errors warns whenever it is used.
    monkeypatch.setattr(error, "OLD_ERROR_HANDLING", False)
    prototype = PROTOTYPES[name]
    structure = measured(prototype)
    numbers = [SYMBOLS.index(symbol) for symbol in structure.species]
    dataset = get_symmetry_dataset((structure.lattice_ang, structure.frac_coords, numbers), 1e-4)

    assert dataset is not None
    assert str(dataset.number) == prototype.space_group.partition(":")[0]
    assert len(set(dataset.mapping_to_primitive)) == structure.n_atoms


@prototypes
def test_its_positions_make_as_many_sites_as_their_wyckoff_symbols_say(name: str) -> None:
    prototype = PROTOTYPES[name]
    centres = CENTRES[SPACE_GROUPS[prototype.space_group].centring]

    for _, wyckoff, position in prototype.positions:
        assert len(orbit(prototype.space_group, position)) * centres == int(wyckoff[:-1])
    labels = [label for label, _ in prototype.sites]
    assert {label: labels.count(label) for label in prototype.labels} == prototype.multiplicity


@prototypes
def test_its_compound_has_the_density_that_was_measured(name: str) -> None:
    structure = measured(PROTOTYPES[name])
    mass_g = sum(element(one).mass_g_per_mol for one in structure.species) / AVOGADRO_PER_MOL

    density = mass_g * ANG3_PER_CM3 / structure.volume_ang3

    # Handbooks and cells agree that well; a site too many or too few is more than that.
    assert density == pytest.approx(DENSITIES_G_PER_CM3[name], rel=0.01)


@prototypes
def test_its_compound_has_the_bonds_that_were_measured_and_no_atoms_overlap(name: str) -> None:
    prototype = PROTOTYPES[name]
    found = shortest_ang(measured(prototype), [label for label, _ in prototype.sites])

    assert min(found.values()) > SHORTEST_ANG
    if name in BONDS_ANG:
        one, other, length_ang = BONDS_ANG[name]
        first, second = sorted((one, other))
        assert found[first, second] == pytest.approx(length_ang, abs=0.04)


@prototypes
def test_it_says_where_it_is_from_and_gives_every_label_a_coordination(name: str) -> None:
    prototype = PROTOTYPES[name]

    assert prototype.source
    assert set(prototype.coordination) == set(prototype.compound) == set(prototype.labels)
    a, b, c = prototype.lengths_ang
    assert a == b or "b" in prototype.axes
    assert a == c or "c" in prototype.axes


@prototypes
def test_the_lattice_of_its_own_compound_is_estimated_well(name: str) -> None:
    prototype = PROTOTYPES[name]
    exact = not prototype.contacts

    estimate = estimated_lattice_ang(prototype, prototype.compound)

    assert estimate == pytest.approx(prototype.lengths_ang[0], rel=1e-9 if exact else 0.05)


@pytest.mark.parametrize(
    ("name", "elements", "measured_ang"),
    [
        ("hcp", {"A": "Zr"}, 3.232),
        ("heusler", {"A": "Co", "B": "Mn", "C": "Si"}, 5.645),
        ("half-heusler", {"A": "Zr", "B": "Ni", "C": "Sn"}, 6.113),
        ("thcr2si2", {"A": "Ba", "B": "Fe", "X": "As"}, 3.963),
        ("skutterudite", {"A": "Co", "X": "Sb"}, 9.039),
        ("wurtzite", {"A": "Ga", "X": "N"}, 3.189),
        ("rutile", {"A": "Sn", "X": "O"}, 4.738),
        ("corundum", {"A": "Fe", "X": "O"}, 5.035),
        ("pyrite", {"A": "Mn", "X": "S"}, 6.104),
        ("spinel", {"A": "Zn", "B": "Fe", "X": "O"}, 8.441),
        ("garnet", {"A": "Ca", "B": "Fe", "T": "Si", "X": "O"}, 12.063),
        ("pyrochlore", {"A": "La", "B": "Zr", "X": "O", "Y": "O"}, 10.805),
        ("layered-o3", {"A": "Na", "M": "Cr", "X": "S"}, 3.556),
        ("layered-o3", {"A": "Li", "M": "Ni", "X": "O"}, 2.88),
        ("perovskite-orthorhombic", {"A": "Ca", "B": "Ti", "X": "O"}, 5.442),
        ("double-perovskite", {"A": "Sr", "B1": "Fe", "B2": "Mo", "X": "O"}, 7.89),
        ("vacancy-ordered-perovskite", {"A": "Cs", "B": "Sn", "X": "I"}, 11.652),
        ("ruddlesden-popper", {"A": "Sr", "B": "Ti", "X": "O"}, 3.884),
        ("olivine", {"A": "Na", "M": "Mn", "T": "P", "X": "O"}, 10.54),
        ("olivine", {"A": "Li", "M": "Ni", "T": "P", "X": "O"}, 10.03),
        ("nasicon", {"A": "Li", "M": "Ti", "T": "P", "X": "O"}, 8.513),
        ("zircon", {"A": "Y", "T": "V", "X": "O"}, 7.118),
        ("calcite", {"A": "Mg", "T": "C", "X": "O"}, 4.633),
        ("kesterite", {"A": "Cu", "B": "Zn", "C": "Sn", "X": "Se"}, 5.68),
        ("argyrodite", {"A": "Li", "T": "P", "X": "Se", "Y": "Cl"}, 10.3),
    ],
)
def test_other_compounds_are_estimated_within_a_tenth(
    name: str, elements: Mapping[str, str], measured_ang: float
) -> None:
    assert estimated_lattice_ang(PROTOTYPES[name], elements) == pytest.approx(measured_ang, rel=0.1)


def test_axes_that_are_not_given_keep_their_ratio_to_a() -> None:
    rutile = PROTOTYPES["rutile"]

    half = rutile.structure(rutile.compound, 4.5937 / 2)
    given = rutile.structure(rutile.compound, {"a": 4.0, "c": 3.0})

    assert half.volume_ang3 == pytest.approx(measured(rutile).volume_ang3 / 8)
    assert given.volume_ang3 == pytest.approx(48.0)


def test_orbits_in_rhombohedral_and_centred_groups_are_those_of_the_conventional_cell() -> None:
    # Corundum's oxygen: the sites of the tables at one lattice point.
    assert sorted(orbit("167", (0.3, 0.0, 0.25)))[:2] == [
        pytest.approx((0.05, 0.75, 0.45)),
        pytest.approx((0.25, 0.55, 0.95)),
    ]
    assert orbit("225", (0.25, 0.25, 0.25)) == [(0.25, 0.25, 0.25), (0.75, 0.75, 0.75)]
