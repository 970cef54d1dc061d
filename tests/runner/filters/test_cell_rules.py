"""The scores that read the cell and nothing else: density, shortest distance, space group."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pymatgen.core import Lattice
from pymatgen.core import Structure as PymatgenStructure

from runner.crystal.cells import cell_type, to_arrow
from runner.filters.density import plugin as density
from runner.filters.fingerprint import plugin as fingerprint
from runner.filters.min_distance import plugin as min_distance
from runner.filters.space_group import plugin as space_group
from schemas.protocols import Score, Surroundings
from schemas.structure import Structure

HERE = Surroundings(folder=Path(), seed=0)


def cell(structure: PymatgenStructure) -> Structure:
    return Structure(
        lattice_ang=tuple(map(tuple, structure.lattice.matrix.tolist())),
        species=tuple(site.specie.symbol for site in structure),
        frac_coords=tuple(map(tuple, structure.frac_coords.tolist())),
    )


def crystal(group: str, lattice: Lattice, sites: dict[str, list[float]]) -> Structure:
    return cell(
        PymatgenStructure.from_spacegroup(group, lattice, list(sites), list(sites.values()))
    )


SALT = crystal("Fm-3m", Lattice.cubic(5.64), {"Na": [0, 0, 0], "Cl": [0.5, 0.5, 0.5]})
SILICON = crystal("Fd-3m", Lattice.cubic(5.43), {"Si": [0, 0, 0]})
ZINC = crystal("P6_3/mmc", Lattice.hexagonal(2.665, 4.947), {"Zn": [1 / 3, 2 / 3, 0.25]})
FLAT = {
    "lattice_ang": [1.0, 0, 0, 2.0, 0, 0, 0, 0, 1.0],
    "numbers": [14],
    "frac_coords": [0.0, 0.0, 0.0],
    "moments_bohr": None,
    "charge": 0.0,
}


def scored(score: Score, *structures: Structure, **params: object) -> list[Any]:
    batch = pa.record_batch({"structure": to_arrow(structures)})
    rows: list[Any] = score.scorer(score.params.model_validate(params), HERE)(batch).to_pylist()
    return rows


def test_densities_are_those_of_handbooks() -> None:
    salt, silicon, zinc = scored(density, SALT, SILICON, ZINC)

    assert salt["density_g_per_cm3"] == pytest.approx(2.16, abs=0.01)
    assert silicon["density_g_per_cm3"] == pytest.approx(2.33, abs=0.01)
    assert zinc["density_g_per_cm3"] == pytest.approx(7.14, abs=0.01)
    assert silicon["volume_ang3_per_atom"] == pytest.approx(5.43**3 / 8)


def test_shortest_distances_name_their_atoms_and_count_images() -> None:
    salt, silicon = scored(min_distance, SALT, SILICON)
    (chain,) = scored(
        min_distance,
        Structure(
            lattice_ang=((2.0, 0, 0), (0, 9, 0), (0, 0, 9)),
            species=("Si",),
            frac_coords=((0, 0, 0),),
        ),
    )

    assert salt["min_distance_ang"] == pytest.approx(2.82)
    assert salt["min_distance_pair"] == "Cl-Na"
    assert salt["min_distance_ratio"] == pytest.approx(2.82 / (1.66 + 1.02))  # Cordero: Na, Cl
    assert silicon["min_distance_ang"] == pytest.approx(5.43 * 3**0.5 / 4)
    assert chain["min_distance_ang"] == pytest.approx(2.0)
    assert chain["min_distance_ratio"] == pytest.approx(2.0 / (2 * 1.11))


def test_ionic_radii_are_those_of_the_states_that_make_it_neutral() -> None:
    (salt,) = scored(min_distance, SALT, radii="ionic")
    alloy, silicon = scored(
        min_distance,
        crystal("Pm-3m", Lattice.cubic(3.0), {"Cu": [0, 0, 0], "Au": [0.5, 0.5, 0.5]}),
        SILICON,
        radii="ionic",
    )

    assert salt["min_distance_ratio"] == pytest.approx(2.82 / (1.02 + 1.81))  # Shannon VI: Na+, Cl-
    assert alloy["min_distance_ratio"] is None
    assert alloy["min_distance_ang"] is not None
    assert alloy["note"] == "no oxidation states make it neutral"
    assert silicon["min_distance_ratio"] is None
    assert silicon["note"].startswith("no ionic radius of Si")


def test_an_element_without_a_radius_leaves_the_ratio_unknown() -> None:
    (row,) = scored(
        min_distance, crystal("Pm-3m", Lattice.cubic(4.0), {"Og": [0, 0, 0], "O": [0.5, 0.5, 0.5]})
    )

    assert row["min_distance_ang"] == pytest.approx(2 * 3**0.5)
    assert row["min_distance_ratio"] is None
    assert row["note"] == "no covalent radius of Og"


def test_space_groups_of_known_crystals() -> None:
    salt, silicon, zinc = scored(space_group, SALT, SILICON, ZINC)

    assert (salt["space_group"], salt["space_group_symbol"]) == (225, "Fm-3m")
    assert (silicon["space_group"], silicon["crystal_system"]) == (227, "cubic")
    assert (zinc["space_group"], zinc["crystal_system"]) == (194, "hexagonal")


def test_symprec_decides_on_a_small_displacement() -> None:
    moved = SALT.to_pymatgen()
    moved.translate_sites([0], [0.02, 0, 0], frac_coords=False)

    (tight,) = scored(space_group, cell(moved), symprec_ang=0.001)
    (loose,) = scored(space_group, cell(moved), symprec_ang=0.1)

    assert tight["space_group"] < 225
    assert loose["space_group"] == 225


def test_fingerprints_are_equal_for_cells_of_one_crystal_only() -> None:
    primitive = cell(SALT.to_pymatgen().get_primitive_structure())
    caesium_like = crystal("Pm-3m", Lattice.cubic(3.4), {"Na": [0, 0, 0], "Cl": [0.5, 0.5, 0.5]})

    one, same, other = scored(fingerprint, SALT, primitive, caesium_like)

    assert one["fingerprint"] == same["fingerprint"]
    assert other["fingerprint"] != one["fingerprint"]
    assert one["fingerprint"].startswith("Cl Na:")


@pytest.mark.parametrize("score", [density, min_distance, space_group, fingerprint])
def test_a_cell_that_is_none_is_an_error_of_its_row_alone(score: Score) -> None:
    good = to_arrow([SILICON]).to_pylist()[0]
    scorer = score.scorer(score.params(), HERE)

    def rows(*cells: object) -> list[Any]:
        found: list[Any] = scorer(
            pa.record_batch({"structure": pa.array(cells, cell_type())})
        ).to_pylist()
        return found

    alone, (first, broken, last) = rows(good), rows(good, FLAT, good)

    assert broken["error"]
    assert all(broken[column.name] is None for column in score.columns(score.params()))
    assert [first, last] == alone * 2
