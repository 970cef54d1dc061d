from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError
from pymatgen.apps.battery.analyzer import BatteryAnalyzer
from pymatgen.core import Composition, Lattice
from pymatgen.core import Structure as PymatgenStructure

from runner.crystal.cells import to_arrow
from runner.filters.capacity import CapacityParams, plugin
from schemas.protocols import Surroundings
from schemas.structure import Structure

HERE = Surroundings(folder=Path(), seed=0)


def scored(*formulas: str, more: Mapping[str, Any] | None = None, **params: object) -> list[Any]:
    made = [Composition(formula).as_dict() for formula in formulas]
    batch = pa.record_batch(
        {
            "elements": [sorted(one) for one in made],
            "amounts": [[float(one[symbol]) for symbol in sorted(one)] for one in made],
            **(more or {}),
        }
    )
    chosen = CapacityParams.model_validate(params)
    rows: list[Any] = plugin.scorer(chosen, HERE)(batch.select(plugin.requires(chosen))).to_pylist()
    return rows


@pytest.mark.parametrize(
    ("formula", "capacity_mah_per_g", "redox_state"),
    [
        # The capacities that the literature on these cathodes calls theoretical.
        ("LiCoO2", 273.8, 3.0),
        ("LiFePO4", 169.9, 2.0),
        ("LiMn2O4", 148.2, 3.5),
        ("LiVPO4F", 156.0, 3.0),
        ("Li3V2(PO4)3", 197.3, 3.0),
        ("LiTiS2", 225.3, 3.0),
        ("FePO4", 0.0, 3.0),
    ],
)
def test_capacities_of_known_cathodes(
    formula: str, capacity_mah_per_g: float, redox_state: float
) -> None:
    (row,) = scored(formula)

    assert row["capacity_mah_per_g"] == pytest.approx(capacity_mah_per_g, abs=0.06)
    assert row["redox_state"] == pytest.approx(redox_state)
    assert (row["note"], row["error"]) == (None, None)


def test_insertion_is_counted_only_when_asked_for() -> None:
    (out,) = scored("LiCoO2")
    (both,) = scored("LiCoO2", direction="both")
    (into,) = scored("FePO4", direction="insertion")

    assert out["exchanged_ions"] == 1.0
    assert both["capacity_mah_per_g"] == pytest.approx(511.4, abs=0.1)
    # By the mass of LiFePO4: the ions that come in are weighed.
    assert into["capacity_mah_per_g"] == pytest.approx(169.9, abs=0.1)


def test_limits_of_states_can_be_set() -> None:
    (all_known,) = scored("Li2FeSiO4")
    (to_three,) = scored("Li2FeSiO4", highest_states={"Fe": 3})
    (down_to_three,) = scored("LiTi2O4", direction="insertion", lowest_states={"Ti": 3})

    assert all_known["exchanged_ions"] == 2.0
    assert to_three["exchanged_ions"] == 1.0
    assert down_to_three["exchanged_ions"] == 1.0


def test_a_supercell_has_the_same_values() -> None:
    cell, supercell = scored("LiFePO4", "Li4Fe4P4O16")

    assert supercell == pytest.approx(cell)


def test_other_ions_have_their_own_charge() -> None:
    (magnesium,) = scored("MgMn2O4", ion="Mg")

    assert magnesium["exchanged_ions"] == 1.0
    assert magnesium["redox_state"] == 3.0
    assert magnesium["capacity_mah_per_g"] == pytest.approx(2 * 26801.481 / 198.18, abs=0.1)


def test_what_cannot_be_known_is_null_with_a_note_and_no_redox_means_no_capacity() -> None:
    argon, unbalanced, chloride = scored("LiArO2", "LiFeO9", "LiCl")

    assert argon["capacity_mah_per_g"] is None
    assert argon["note"] == "no common oxidation states of Ar"
    assert unbalanced["capacity_mah_per_g"] is None
    assert unbalanced["note"] == "no oxidation states make it neutral"
    assert chloride["capacity_mah_per_g"] == 0.0
    assert chloride["note"] == "no redox-active element"


def test_capacity_by_volume_and_energies_follow_from_density_and_voltage() -> None:
    (given,) = scored(
        "LiFePO4", more={"density_g_per_cm3": [3.6], "v": [3.4]},
        density_from="density_g_per_cm3", voltage_column="v",
    )  # fmt: skip
    (unknown,) = scored(
        "LiFePO4", more={"d": pa.nulls(1, pa.float64())}, density_from="d", voltage_v=3.4
    )

    assert given["capacity_mah_per_cm3"] == pytest.approx(169.89 * 3.6, abs=0.1)
    assert given["specific_energy_wh_per_kg"] == pytest.approx(169.89 * 3.4, abs=0.1)
    assert given["energy_density_wh_per_l"] == pytest.approx(169.89 * 3.6 * 3.4, abs=0.2)
    assert unknown["capacity_mah_per_cm3"] is None
    assert unknown["note"] == "no density"
    assert unknown["specific_energy_wh_per_kg"] == pytest.approx(169.89 * 3.4, abs=0.1)


def test_values_of_a_cell_are_those_of_pymatgens_battery_analyzer() -> None:
    cobaltate = PymatgenStructure.from_spacegroup(
        "R-3m", Lattice.hexagonal(2.815, 14.05), ["Co", "Li", "O"],
        [[0, 0, 0], [0, 0, 0.5], [0, 0, 0.26]],
    )  # fmt: skip
    cell = Structure(
        lattice_ang=tuple(map(tuple, cobaltate.lattice.matrix.tolist())),
        species=tuple(site.specie.symbol for site in cobaltate),
        frac_coords=tuple(map(tuple, cobaltate.frac_coords.tolist())),
    )
    formula = cobaltate.composition.formula.replace(" ", "")
    (row,) = scored(formula, more={"structure": to_arrow([cell])}, density_from="structure")

    analyzer = BatteryAnalyzer(
        cobaltate.add_oxidation_state_by_element({"Li": 1, "Co": 3, "O": -2}), "Li"
    )

    assert row["capacity_mah_per_g"] == pytest.approx(analyzer.get_max_capgrav(insert=False))
    assert row["capacity_mah_per_cm3"] == pytest.approx(analyzer.get_max_capvol(insert=False))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"voltage_v": 3.0, "voltage_column": "v"}, "give one of them"),
        ({"highest_states": {"Fee": 3}}, "'Fee' is not an element"),
        ({"redox_active": ["Mm"]}, "'Mm' is not an element"),
    ],
)
def test_params_that_contradict_each_other_are_refused(
    params: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        CapacityParams.model_validate(params)
