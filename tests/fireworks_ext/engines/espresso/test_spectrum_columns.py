"""Columns from made-up bands and densities: what they say, and how much of it they hold."""

from __future__ import annotations

import json
from math import cos, pi
from pathlib import Path
from typing import Any

import pytest

from fireworks_ext.engines.espresso import band_structure, density_of_states
from fireworks_ext.engines.espresso.band_structure import MOST_NUMBERS
from fireworks_ext.engines.espresso.dos_program import DosTable, dos_command, dos_text, read_table
from fireworks_ext.engines.espresso.eigenvalues import Eigenvalues
from fireworks_ext.engines.espresso.kpath import BandPath, Tick
from fireworks_ext.engines.espresso.spectrum_steps import GroundState
from schemas.model import JsonValue
from schemas.profile import Code, Site

FERMI_EV = 5.0


def path(points: int) -> BandPath:
    last = points - 1
    return BandPath(
        lattice="CUB",
        kpoints_frac=tuple((0.0, at / last, 0.0) for at in range(points)),
        distances_per_ang=tuple(at / last for at in range(points)),
        ticks=(Tick(at=0, label="Γ"), Tick(at=last, label="X")),
    )


def bands(points: int, number: int, gap_ev: float = 1.0, filled: int = 2) -> Eigenvalues:
    """Return bands 1 eV wide, 1 eV apart but for the gap above the filled ones."""
    energies = [
        [
            2.0 * n + (gap_ev - 1 if n >= filled else 0.0) + cos(pi * at / (points - 1)) / 2
            for n in range(number)
        ]
        for at in range(points)
    ]
    return Eigenvalues([energies], [float(filled)], None)


def ground(**values: JsonValue) -> GroundState:
    return GroundState(values=values, program="PWSCF 6.7MaX")


def curves(values: dict[str, JsonValue]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(str(values["band_structure"]))
    return found


def test_an_indirect_gap_goes_from_where_the_top_is_to_where_the_bottom_is() -> None:
    found = band_structure.values(path(11), bands(11, 4), ground())
    assert found["band_gap_ev"] == pytest.approx(1.0)
    assert found["direct_gap_ev"] == pytest.approx(2.0)
    assert (found["vbm_kpoint"], found["cbm_kpoint"]) == ("Γ", "X")
    told = curves(found)
    assert (told["zero"], told["zero_ev"]) == ("vbm", 2.5)
    assert (told["vbm_at"], told["cbm_at"]) == (0, 10)
    assert told["energies_ev"][0][1][0] == 0


def test_an_edge_off_the_path_narrows_the_gap_and_has_no_name() -> None:
    wider = GroundState(values={"direct_gap_ev": 1.5}, vbm_ev=2.7, cbm_ev=3.5, program="")
    found = band_structure.values(path(11), bands(11, 4), wider)
    assert found["band_gap_ev"] == pytest.approx(0.8)
    assert (found["vbm_ev"], found["direct_gap_ev"]) == (2.7, 1.5)
    assert (found["vbm_kpoint"], found["cbm_kpoint"]) == (None, "X")


def test_bands_that_overlap_are_a_metal_with_zero_at_its_fermi_energy() -> None:
    found = band_structure.values(
        path(11), bands(11, 4, gap_ev=-0.2), ground(fermi_energy_ev=FERMI_EV)
    )
    assert (found["is_metal"], found["band_gap_ev"]) == (True, 0.0)
    assert "vbm_kpoint" not in found
    assert (curves(found)["zero"], curves(found)["zero_ev"]) == ("fermi", FERMI_EV)


def test_a_metal_of_the_mesh_is_one_although_the_path_has_a_gap() -> None:
    crossing = GroundState(values={"fermi_energy_ev": 3.0}, vbm_ev=3.6, cbm_ev=3.4, program="")
    assert band_structure.values(path(11), bands(11, 4), crossing)["is_metal"] is True


def test_large_curves_keep_their_ends_and_edges_and_say_what_is_left_out() -> None:
    large = bands(601, 80, filled=40)
    told = curves(band_structure.values(path(601), large, ground()))
    (kept,) = told["energies_ev"]
    points = len(told["distances_per_ang"])
    assert sum(len(band) for band in kept) <= MOST_NUMBERS
    assert {len(band) for band in kept} == {points}
    left = told["left_out"]
    assert left["points"] == 601 - points
    assert left["bands_below"][0] + left["bands_above"][0] + len(kept) == 80
    assert [told["distances_per_ang"][at] for at, _ in told["ticks"]] == [0.0, 1.0]
    assert max(max(band) for band in kept if max(band) <= 0) == 0
    assert len(json.dumps(told)) < 60_000


def table(step_ev: float = 0.01) -> DosTable:
    energies = [step_ev * at - 20 for at in range(int(40 / step_ev))]
    states = [2.0 if -10 <= energy < 0 or energy >= 1 else 0.0 for energy in energies]

    return DosTable(energies, [states], [0.0] * len(energies))


def test_a_density_keeps_its_integral_when_it_is_thinned_out() -> None:
    found = density_of_states.values(table(), bands(11, 8), ground(), n_atoms=2)
    told = json.loads(str(found["density_of_states"]))
    (states,) = told["states_per_ev"]
    assert (told["zero"], told["n_atoms"]) == ("vbm", 2)
    assert len(states) <= 600
    # Bands reach from -0.5 to 2.5 eV below the gap; the made-up states are 2 per eV up to 0 eV.
    below = [
        value for at, value in enumerate(states) if told["start_ev"] + at * told["step_ev"] < 0
    ]
    assert sum(below) * told["step_ev"] == pytest.approx(2 * 10 + 2 * 1.5, abs=0.1)


def test_states_above_the_highest_band_are_left_out() -> None:
    found = density_of_states.values(table(), bands(11, 4), ground(), n_atoms=2)
    told = json.loads(str(found["density_of_states"]))
    end = told["zero_ev"] + told["start_ev"] + len(told["states_per_ev"][0]) * told["step_ev"]
    assert end == pytest.approx(5.5, abs=0.1)  # the lowest place of the fourth band


def test_a_metal_has_states_at_its_fermi_energy() -> None:
    metal = bands(11, 8, filled=2)
    metal = Eigenvalues(metal.channels, [2.5], -3.0)
    found = density_of_states.values(table(), metal, ground(), n_atoms=1)
    assert (found["is_metal"], found["fermi_energy_ev"]) == (True, -3.0)
    assert found["dos_at_fermi_states_per_ev"] == 2.0


def test_the_table_of_two_spins_and_of_tiny_numbers_is_read(tmp_path: Path) -> None:
    file = tmp_path / "pwscf.dos"
    file.write_text(
        "#  E (eV)  dosup(E)   dosdw(E)  Int dos(E) EFermi =  5.1 eV\n"
        "  -5.713  0.1897E-01  0.1000E+01  0.4182E-03\n"
        "  -5.703  0.2514-101  0.2000E+01  0.6381E-03\n"
    )
    found = read_table(file)
    assert found.energies_ev == [-5.713, -5.703]
    assert found.states_per_ev == [[0.01897, 0.0], [1.0, 2.0]]


@pytest.mark.parametrize("text", ["", "1 2\n", "1 2 3\n1 2 3 4\n", "1 2 NaN\n", "1 2 ***\n"])
def test_what_is_no_table_of_dos_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "pwscf.dos"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"table|number|convert"):
        read_table(file)


def test_dos_is_looked_for_beside_pw() -> None:
    def program(**codes: Code) -> str:
        return dos_command(Site(codes=codes)).argv[0]

    assert program() == "dos.x"
    assert program(pw=Code(command="/opt/qe/bin/pw.x")) == "/opt/qe/bin/dos.x"
    assert program(pw=Code(command="pw.x"), dos=Code(command="/else/dos.x")) == "/else/dos.x"


def test_a_broadening_is_told_in_rydberg_and_tetrahedra_need_none() -> None:
    assert "degauss" not in dos_text(0.05, None)
    assert "degauss = 0.0734986" in dos_text(0.05, 1.0)
