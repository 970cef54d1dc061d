from collections.abc import Callable

import pytest
from pydantic import ValidationError

from fireworks_ext.engines.espresso.constraints import (
    FixedAtoms,
    check_cell,
    free_axes,
    resolve_fixed,
)
from fireworks_ext.engines.espresso.params import EspressoParams
from fireworks_ext.engines.espresso.physics import physics
from fireworks_ext.engines.espresso.recipes import ESPRESSO_DATA
from fireworks_ext.engines.espresso.resolution import resolve
from schemas.errors import UserError
from schemas.profile import Site
from schemas.structure import Structure

Make = Callable[..., EspressoParams]
SLAB = Structure(
    lattice_ang=((3.0, 0.0, 0.0), (0.0, 3.0, 0.0), (0.0, 0.0, 20.0)),
    species=("Si", "Si", "O", "O"),
    frac_coords=((0.0, 0.0, 0.1), (0.5, 0.5, 0.2), (0.0, 0.0, 0.3), (0.5, 0.5, 0.9999999)),
)


def _free(*rules: dict[str, object]) -> object:
    return free_axes(SLAB, tuple(FixedAtoms.model_validate(rule) for rule in rules))


def test_without_rules_everything_is_free() -> None:
    assert _free() is None


def test_rules_select_by_element_number_height_and_place() -> None:
    free, fixed = (1, 1, 1), (0, 0, 0)
    assert _free({"elements": ["O"]}) == (free, free, fixed, fixed)
    assert _free({"sites": [1, 4]}) == (fixed, free, free, fixed)
    assert _free({"between_frac": [0.0, 0.15]}) == (fixed, free, free, fixed)  # 0.9999999 wraps
    assert _free({"near_frac": [[0.0, 0.0, 0.3]]}) == (free, free, fixed, free)


def test_conditions_of_a_rule_hold_together_and_rules_add_up() -> None:
    rules = ({"elements": ["Si"], "between_frac": [0.15, 0.5], "axes": "xy"}, {"sites": [2, 3]})
    assert _free(rules[0]) == ((1, 1, 1), (0, 0, 1), (1, 1, 1), (1, 1, 1))
    assert _free(*rules) == ((1, 1, 1), (0, 0, 0), (0, 0, 0), (1, 1, 1))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"axes": "x"}, "say which: elements, sites, between_frac or near_frac"),
        ({"sites": [0, 1]}, "sites count from 1, so there is no site 0"),
        ({"between_frac": [0.5, 0.1]}, "lower, upper"),
        ({"sites": [1], "axes": "zx"}, "'xz'"),
        ({"site": [1]}, "site"),
    ],
)
def test_rules_that_select_nothing_sensible_are_refused(
    rule: dict[str, object], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        FixedAtoms.model_validate(rule)


def test_numbers_beyond_the_structure_and_empty_places_are_refused() -> None:
    with pytest.raises(UserError, match="no site 9: SiO has 4, counted from 1"):
        _free({"sites": [2, 9]})
    with pytest.raises(UserError, match=r"no atom of SiO within 0\.5 angstrom"):
        _free({"near_frac": [[0.5, 0.0, 0.5]]})


def test_resolved_rules_mean_the_same_atoms_in_any_order_of_sites() -> None:
    turned = SLAB.model_copy(
        update={"species": SLAB.species[::-1], "frac_coords": SLAB.frac_coords[::-1]}
    )
    ours = resolve_fixed(SLAB, (FixedAtoms(sites=(1, 3)),))
    theirs = resolve_fixed(turned, (FixedAtoms(sites=(4, 2)),))
    assert ours == theirs
    moved = tuple((x + 0.01, y, z + 0.005) for x, y, z in turned.frac_coords)
    relaxed = turned.model_copy(update={"frac_coords": moved})
    assert free_axes(relaxed, ours) == ((1, 1, 1), (0, 0, 0), (1, 1, 1), (0, 0, 0))


def test_resolved_rules_leave_out_elements_that_are_not_here() -> None:
    rules = (FixedAtoms(elements=("Pt", "O")), FixedAtoms(elements=("Au",)))
    assert resolve_fixed(SLAB, rules) == (FixedAtoms(elements=("O",)),)


def test_constraints_are_physics_of_relaxations_only(make_params: Make) -> None:
    rules = [{"elements": ["O"]}]
    plain, fixed = make_params(), make_params(fixed_atoms=rules, cell="z")
    assert physics("scf", fixed) == physics("scf", plain)
    assert set(physics("relax", fixed)) - set(physics("relax", plain)) == {"fixed_atoms"}
    both = physics("vc-relax", fixed)
    assert both["params"] == {"cell_dofree": "z"}
    assert physics("vc-relax", make_params(params={"cell_dofree": "z"}, fixed_atoms=rules)) == both


@pytest.mark.parametrize("cell", ["volume", "ibrav"])
def test_what_pw_does_for_other_decks_only_is_refused_with_the_reason(
    make_params: Make, cell: str
) -> None:
    with pytest.raises(ValidationError, match=f"'{cell}' cannot be had: .*cell: all"):
        make_params(cell=cell)
    with pytest.raises(ValidationError, match="cannot be had"):
        make_params(params={"cell_dofree": cell})


def test_a_free_axis_that_is_no_axis_of_the_cell_is_refused(silicon: Structure) -> None:
    check_cell(SLAB, "xyz")
    check_cell(silicon, "epitaxial_ab")
    with pytest.raises(UserError, match=r"needs the third cell vector along z.*epitaxial_ab"):
        check_cell(silicon, "2Dxy")


@pytest.mark.skipif(not ESPRESSO_DATA.is_dir(), reason="quantum-espresso-data is not installed")
def test_a_relax_with_nothing_to_relax_is_refused(silicon: Structure, make_params: Make) -> None:
    params = make_params(fixed_atoms=[{"elements": ["Si"]}])
    with pytest.raises(UserError, match="every atom of Si is fixed"):
        resolve(silicon, params, Site(), "relax")
    assert resolve(silicon, params, Site(), "vc-relax").fixed_atoms
    assert resolve(silicon, params, Site(), "scf").fixed_atoms == ()
