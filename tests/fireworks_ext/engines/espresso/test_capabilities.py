"""Hubbard U, dispersion, constraints, spinors: the decks, and what pw.x 6.7 makes of them.

Each has a golden deck for pw.x 6.7, which is what runs here; decks for newer versions are compared
with their golden texts only (`tests/golden/decks/README.md`).
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fireworks_ext.engines.espresso import plugin
from fireworks_ext.engines.espresso.deck import SAVE_DIRECTORY, Deck, deck_text, make_deck
from fireworks_ext.engines.espresso.hubbard import GONE_WITH_CARD
from fireworks_ext.engines.espresso.params import EspressoParams
from fireworks_ext.engines.espresso.recipes import ESPRESSO_DATA
from fireworks_ext.engines.espresso.units import RYDBERG_EV
from fireworks_ext.engines.espresso.version import Version, parse_version
from schemas.errors import UserError
from schemas.profile import Code, Site
from schemas.protocols import Calculation
from schemas.resources import Resources
from schemas.result import Result
from schemas.structure import Structure, Vector

DECKS = Path(__file__).parents[3] / "golden" / "decks"
FILES = {
    "H": "H.pz-vbc.UPF",
    "C": "C.pbe-n-kjpaw_psl.0.1.UPF",
    "Al": "Al.pz-vbc.UPF",
    "Ni": "Ni.rel-pbe-nd-rrkjus.UPF",
    "Fe": "Fe.pbe-spn-rrkjus_psl.0.2.1.UPF",
    "O": "O.pbe-kjpaw.UPF",
}
VALENCES = {"H": 1.0, "C": 4.0, "Al": 3.0, "Ni": 10.0, "Fe": 16.0, "O": 6.0}


@dataclass(frozen=True)
class Capability:
    """One calculation: its task, its structure, and what a campaign says about it."""

    task: str
    structure: Structure
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def given(self) -> dict[str, Any]:
        """The settings with those that all share."""
        return {
            "pseudopotentials": "debian-pbe",
            "ecutwfc_ry": 20.0,
            "ecutrho_ry": 160.0,
            "kmesh": (2, 2, 2),
            "conv_thr_ry_per_atom": 1e-7,
            **self.settings,
        }

    def value(self, version: Version) -> Deck:
        """Return the deck for a version of pw.x."""
        params = EspressoParams.model_validate({**self.given, "valences": VALENCES})
        files = {element: FILES[element] for element in self.structure.elements}
        return make_deck(self.task, self.structure, params, files=files, version=version)

    def deck(self, version: Version) -> str:
        """Return the text of the deck for a version of pw.x."""
        return deck_text(self.value(version))


def fcc(a_ang: float, *sites: tuple[str, Vector]) -> Structure:
    """Return a face-centred cubic primitive cell."""
    half = a_ang / 2
    return Structure(
        lattice_ang=((0.0, half, half), (half, 0.0, half), (half, half, 0.0)),
        species=tuple(element for element, _ in sites),
        frac_coords=tuple(position for _, position in sites),
    )


CARBON = fcc(3.57, ("C", (0.0, 0.0, 0.0)), ("C", (0.25, 0.25, 0.26)))
HYDROGEN = Structure(
    lattice_ang=((3.0, 0.0, 0.0), (0.0, 3.0, 0.0), (0.0, 0.0, 3.0)),
    species=("H",),
    frac_coords=((0.0, 0.0, 0.0),),
)
ALUMINIUM = Structure(
    lattice_ang=((4.0, 0.0, 0.0), (0.0, 4.0, 0.0), (0.0, 0.0, 4.15)),
    species=("Al",) * 4,
    frac_coords=((0.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (0.0, 0.5, 0.5)),
)
NICKEL = fcc(3.52, ("Ni", (0.0, 0.0, 0.0)))
IRON_OXIDE = Structure(
    lattice_ang=((0.0, 2.1, 2.1), (2.1, 0.0, 2.1), (4.2, 4.2, 0.0)),
    species=("Fe", "Fe", "O", "O"),
    frac_coords=((0.0, 0.0, 0.0), (0.0, 0.0, 0.5), (0.5, 0.5, 0.25), (0.5, 0.5, 0.75)),
    moments_bohr=(4.0, -4.0, 0.0, 0.0),
)

RUN_HERE = {
    "hubbard": Capability(
        "scf", CARBON, {"hubbard_u_ev": {"C-2p": 2.0}, "hubbard_projectors": "ortho-atomic"}
    ),
    # The three-body term of D3 takes 8 s of CPU time even for two atoms.
    "dispersion": Capability(
        "scf", CARBON, {"dispersion": "d3-bj", "params": {"dftd3_threebody": False}}
    ),
    "fixed-atoms": Capability(
        "relax",
        CARBON,
        {"fixed_atoms": [{"sites": [1]}, {"sites": [2], "axes": "xy"}], "kmesh": (1, 1, 1)},
    ),
    "cell": Capability(
        "vc-relax",
        ALUMINIUM,
        {
            "cell": "z",
            "pseudopotentials": "debian-lda",
            "ecutwfc_ry": 12.0,
            "ecutrho_ry": 48.0,
            "degauss_ry": 0.05,
            "fmax_ev_per_ang": 0.05,
            "pressure_tolerance_gpa": 2.0,
        },
    ),
    "non-collinear": Capability(
        "scf",
        HYDROGEN,
        {
            "pseudopotentials": "debian-lda",
            "spin": "noncollinear",
            "moments_bohr": {"H": [0.6, 0.0, 0.8]},
            "kmesh": (1, 1, 1),
        },
    ),
    "spin-orbit": Capability(
        "scf",
        NICKEL,
        {
            "pseudopotentials": "relativistic",
            "spin": "noncollinear",
            "spin_orbit": True,
            "moments_bohr": {"Ni": [1.0, 0.0, 0.0]},
            "ecutwfc_ry": 25.0,
            "ecutrho_ry": 150.0,
            "degauss_ry": 0.03,
        },
    ),
}
ANTIFERROMAGNET = {"spin": "collinear", "hubbard_u_ev": {"Fe": 4.3, "O": 1.0}}
NOT_RUN_HERE = {
    ("7.1", "hubbard-atomic"): Capability("relax", IRON_OXIDE, ANTIFERROMAGNET),
    ("7.1", "hubbard-other-shell"): Capability(
        "scf",
        IRON_OXIDE,
        {
            "spin": "collinear",
            "hubbard_u_ev": {"Fe-4s": 1.0},
            "hubbard_projectors": "ortho-atomic",
        },
    ),
    ("7.3", "hubbard-non-collinear"): Capability(
        "scf", IRON_OXIDE, {"spin": "noncollinear", "hubbard_u_ev": {"Fe": 4.3}}
    ),
    ("7.5", "dispersion"): Capability("scf", CARBON, {"dispersion": "d3"}),
    ("7.5", "fixed-atoms-and-cell"): Capability(
        "vc-relax", ALUMINIUM, {"cell": "2Dxy", "fixed_atoms": [{"between_frac": [0.4, 0.6]}]}
    ),
}
"""(version, name): the decks of versions that are not installed where the tests run."""

real = pytest.mark.skipif(
    shutil.which("pw.x") is None or not ESPRESSO_DATA.is_dir(), reason="pw.x is not installed"
)


@pytest.fixture
def relativistic(tmp_path: Path) -> Site:
    """A site with a family of fully relativistic pseudopotentials."""
    folder = tmp_path / "families" / "relativistic"
    folder.mkdir(parents=True)
    lines = ["name: relativistic", "functional: pbe", "source: Debian", "elements:"]
    for element, name in {
        "Ni": FILES["Ni"],
        "Pt": "Pt.rel-pbe-n-rrkjus.UPF",
        "Si": "Si.rel-pbe-rrkj.UPF",
    }.items():
        shutil.copyfile(ESPRESSO_DATA / name, folder / name)
        md5 = hashlib.md5((folder / name).read_bytes(), usedforsecurity=False).hexdigest()
        lines.append(f"  {element}: {{file: {name}, md5: {md5}}}")
    (folder / "family.yaml").write_text("\n".join(lines) + "\n")
    return Site(pseudopotentials=(folder.parent,))


def compute(
    directory: Path, asked: Capability, site: Site, *, cores: int = 1, **more: Any
) -> Result:
    """Run a calculation; return its result."""
    params = plugin.params.model_validate({**asked.given, **more})
    calculation = Calculation(
        task=asked.task,
        structure=asked.structure,
        params=plugin.resolve(asked.structure, asked.task, params, site),
        resources=Resources(cores=cores),
    )
    directory.mkdir()
    plugin.inputs(calculation, directory, site)
    command = plugin.command(calculation, site)
    with (directory / command.stdout).open("w") as out, (directory / command.stderr).open("w") as e:
        environment = {**os.environ, **command.environment}
        subprocess.run(
            command.argv, cwd=directory, stdout=out, stderr=e, env=environment, check=False
        )
    outcome = plugin.parse(asked.task, directory)
    assert isinstance(outcome, Result), outcome
    return outcome


def golden(directory: Path, name: str) -> None:
    assert (directory / "pw.in").read_text() == (DECKS / "6.7" / f"{name}.in").read_text()


@pytest.mark.parametrize("name", RUN_HERE)
def test_the_deck_for_the_tested_version_is_the_golden_one(name: str) -> None:
    assert RUN_HERE[name].deck(Version(6, 7)) == (DECKS / "6.7" / f"{name}.in").read_text()


@pytest.mark.parametrize(("version", "name"), NOT_RUN_HERE)
def test_the_deck_for_a_version_that_is_not_here_is_the_golden_one(version: str, name: str) -> None:
    of = parse_version(version)
    assert of is not None
    text = NOT_RUN_HERE[version, name].deck(of)
    assert text == (DECKS / version / f"{name}.in").read_text()
    words = {word.split("(")[0] for word in re.findall(r"^  (\S+) = ", text, re.MULTILINE)}
    assert not words & GONE_WITH_CARD


@pytest.mark.parametrize("version", [Version(6, 7), Version(7, 3)])
def test_decks_survive_their_stored_form(version: Version) -> None:
    for asked in RUN_HERE.values():
        deck = asked.value(version)
        again = Deck.model_validate_json(deck.model_dump_json())
        assert again == deck
        assert deck_text(again) == deck_text(deck)


def test_every_golden_deck_has_its_test() -> None:
    found = {(path.parent.name, path.stem) for path in DECKS.glob("*/*.in")}
    assert found == {*NOT_RUN_HERE, *(("6.7", name) for name in RUN_HERE)}


def test_decks_without_hubbard_parameters_do_not_depend_on_the_version() -> None:
    for name, asked in RUN_HERE.items():
        if name != "hubbard":
            assert asked.deck(Version(6, 7)) == asked.deck(Version(7, 5))


@real
@pytest.mark.pw
def test_hubbard_u_costs_energy_and_depends_on_its_projectors(tmp_path: Path) -> None:
    asked = RUN_HERE["hubbard"]
    ortho = compute(tmp_path / "ortho", asked, Site())
    golden(tmp_path / "ortho", "hubbard")
    atomic = compute(tmp_path / "atomic", asked, Site(), hubbard_projectors="atomic")
    plain = compute(tmp_path / "plain", asked, Site(), hubbard_u_ev={})
    energies = [float(str(one.values["energy_ev"])) for one in (plain, ortho, atomic)]
    # E_U = U/2 Tr n(1-n) is never negative; orthogonalised orbitals share no electrons
    assert energies[0] < energies[1] - 1.0
    assert abs(energies[1] - energies[2]) > 0.1
    assert ortho.values["stress_gpa"]


@real
@pytest.mark.pw
def test_d3_adds_the_dispersion_energy_that_pw_prints(tmp_path: Path) -> None:
    asked = RUN_HERE["dispersion"]
    with_d3 = compute(tmp_path / "d3", asked, Site())
    golden(tmp_path / "d3", "dispersion")
    without = compute(tmp_path / "none", asked, Site(), dispersion="none", params={})
    printed = re.findall(r"DFT-D3 Dispersion += +(\S+) Ry", (tmp_path / "d3/pw.out").read_text())
    difference = float(str(with_d3.values["energy_ev"])) - float(str(without.values["energy_ev"]))
    assert difference == pytest.approx(float(printed[-1]) * RYDBERG_EV, abs=1e-5)
    assert difference < -0.1


@real
@pytest.mark.pw
def test_a_fixed_atom_stays_and_another_moves_along_its_free_axis(tmp_path: Path) -> None:
    relaxed = compute(tmp_path / "run", RUN_HERE["fixed-atoms"], Site())
    golden(tmp_path / "run", "fixed-atoms")
    assert relaxed.structure is not None
    moved = [_shift_ang(CARBON, relaxed.structure, site) for site in range(2)]
    assert moved[0] == pytest.approx((0, 0, 0), abs=1e-8)
    assert moved[1][:2] == pytest.approx((0, 0), abs=1e-7)
    assert abs(moved[1][2]) > 1e-4
    forces = json.loads(str(relaxed.values["forces_ev_per_ang"]))
    assert forces[0] == [0, 0, 0]  # pw.x leaves out what cannot act: it does not hold up the end


def _shift_ang(before: Structure, after: Structure, site: int) -> list[float]:
    apart = [x - y for x, y in zip(after.frac_coords[site], before.frac_coords[site], strict=True)]
    return [sum(apart[i] * before.lattice_ang[i][j] for i in range(3)) for j in range(3)]


@real
@pytest.mark.pw
def test_the_axes_that_are_not_free_keep_their_length(tmp_path: Path) -> None:
    values = compute(tmp_path / "run", RUN_HERE["cell"], Site()).values
    golden(tmp_path / "run", "cell")
    assert (values["a_ang"], values["b_ang"]) == pytest.approx((4.0, 4.0), abs=1e-9)
    assert abs(float(str(values["c_ang"])) - 4.15) > 0.1


@real
@pytest.mark.pw
def test_a_non_collinear_moment_points_where_it_started(tmp_path: Path) -> None:
    asked = RUN_HERE["non-collinear"]
    spinors = compute(tmp_path / "spinors", asked, Site()).values
    golden(tmp_path / "spinors", "non-collinear")
    collinear = compute(
        tmp_path / "collinear", asked, Site(), spin="collinear", moments_bohr={"H": 1.0}
    ).values
    # No direction is better than another without spin-orbit coupling.
    assert spinors["energy_ev"] == pytest.approx(collinear["energy_ev"], abs=1e-6)
    moment = float(str(collinear["total_magnetisation_bohr"]))
    assert spinors["total_magnetisation_bohr"] == pytest.approx(moment, abs=0.02)
    vector = json.loads(str(spinors["magnetisation_vector_bohr"]))
    assert vector == pytest.approx([0.6 * moment, 0.0, 0.8 * moment], abs=0.02)
    assert collinear["magnetisation_vector_bohr"] is None
    assert spinors["band_gap_ev"] == pytest.approx(collinear["band_gap_ev"], abs=0.01)


@real
@pytest.mark.pw
def test_spin_orbit_coupling_is_computed_with_relativistic_files(
    tmp_path: Path, relativistic: Site
) -> None:
    values = compute(tmp_path / "run", RUN_HERE["spin-orbit"], relativistic).values
    golden(tmp_path / "run", "spin-orbit")
    assert "Noncollinear calculation with spin-orbit" in (tmp_path / "run/pw.out").read_text()
    x, y, z = json.loads(str(values["magnetisation_vector_bohr"]))
    assert x > 0.3
    assert (y, z) == pytest.approx((0, 0), abs=0.05)
    assert values["is_metal"] is True


@real
@pytest.mark.pw
def test_an_insulator_with_spin_orbit_coupling_keeps_its_gap(
    tmp_path: Path, relativistic: Site
) -> None:
    silicon = fcc(5.43, ("Si", (0.0, 0.0, 0.0)), ("Si", (0.25, 0.25, 0.25)))
    asked = Capability("scf", silicon, {"pseudopotentials": "relativistic", "smearing": "none"})
    plain = compute(tmp_path / "plain", asked, relativistic).values
    coupled = compute(tmp_path / "coupled", asked, relativistic, spin_orbit=True).values
    assert coupled["n_bands"] == 2 * int(str(plain["n_bands"]))
    gap_ev = float(str(plain["band_gap_ev"]))
    # a third of the split-off energy of silicon, 44 meV, is the shift of the valence band's top
    assert coupled["band_gap_ev"] == pytest.approx(gap_ev - 0.044 / 3, abs=0.01)
    assert coupled["total_magnetisation_bohr"] is None


@real
@pytest.mark.pw
@pytest.mark.slow
def test_spins_are_pools_of_their_own_and_two_ranks_give_the_energy_of_one(tmp_path: Path) -> None:
    asked = Capability(
        "scf",
        HYDROGEN,
        {
            "pseudopotentials": "debian-lda",
            "spin": "collinear",
            "moments_bohr": {"H": 1.0},
            "kmesh": (1, 1, 1),
        },
    )
    one = compute(tmp_path / "one", asked, Site())
    two = compute(tmp_path / "two", asked, Site(), cores=2)
    printed = (tmp_path / "two/pw.out").read_text()
    assert re.search(r"K-points division: +npool += +2", printed)
    assert two.values["energy_ev"] == pytest.approx(one.values["energy_ev"], abs=1e-6)
    assert (tmp_path / "two" / SAVE_DIRECTORY).is_dir()


@real
def test_spin_orbit_without_relativistic_files_is_refused_with_the_elements() -> None:
    params = plugin.params.model_validate({**RUN_HERE["hubbard"].given, "spin_orbit": True})
    with pytest.raises(UserError, match="of C in the family 'debian-pbe' is not fully relativ"):
        plugin.resolve(CARBON, "scf", params, Site())


@real
def test_relativistic_ultrasoft_files_are_refused_without_spin_orbit(relativistic: Site) -> None:
    given = {**RUN_HERE["spin-orbit"].given, "spin_orbit": False}
    with pytest.raises(UserError, match="with spin_orbit: true only"):
        plugin.resolve(NICKEL, "scf", plugin.params.model_validate(given), relativistic)


@real
def test_moments_that_are_all_zero_leave_spin_orbit_without_magnetism(relativistic: Site) -> None:
    given = {**RUN_HERE["spin-orbit"].given, "moments_bohr": {"Fe": [0, 0, 3]}}
    params = plugin.resolve(NICKEL, "scf", plugin.params.model_validate(given), relativistic)
    assert (params.spin, params.spin_orbit, params.moments_bohr) == ("none", True, None)


@real
def test_hubbard_u_on_a_shell_that_the_file_lacks_is_refused() -> None:
    given = {**RUN_HERE["hubbard"].given, "hubbard_u_ev": {"C-3d": 2.0}}
    with pytest.raises(
        UserError, match=re.escape("no atomic orbital of C-3d") + ".*orbitals: p, s"
    ):
        plugin.resolve(CARBON, "scf", plugin.params.model_validate(given), Site())


@real
def test_a_newer_program_gets_the_card_and_an_older_one_keywords(tmp_path: Path) -> None:
    for version, card in (("7.2", True), ("7.0", False)):
        program = tmp_path / f"pw-{version}"
        program.write_text(f"#!/bin/sh\necho '     Program PWSCF v.{version} starts on 1Jan2026'\n")
        program.chmod(0o755)
        site = Site(codes={"pw": Code(command=str(program))})
        asked = RUN_HERE["hubbard"]
        params = plugin.resolve(CARBON, "scf", plugin.params.model_validate(asked.given), site)
        directory = tmp_path / version
        directory.mkdir()
        plugin.inputs(Calculation("scf", CARBON, params, Resources()), directory, site)
        text = (directory / "pw.in").read_text()
        assert ("HUBBARD (ortho-atomic)\n  U C-2p 2.0\n" in text) is card
        assert ("lda_plus_u" in text) is not card


def test_old_keywords_are_refused_for_a_program_that_has_them_no_more() -> None:
    raw = {"spin": "collinear", "params": {"lda_plus_u": True, "hubbard_u(1)": 4.0}}
    asked = Capability("scf", IRON_OXIDE, raw)
    assert "hubbard_u(1) = 4.0" in asked.deck(Version(6, 8))
    with pytest.raises(UserError, match=r"7\.1 has no keyword hubbard_u, lda_plus_u any more"):
        asked.deck(Version(7, 1))


def test_hubbard_u_with_spinors_needs_a_program_that_can() -> None:
    with pytest.raises(UserError, match=r"6\.7 has no U for non-collinear spin; 7\.3 or newer"):
        NOT_RUN_HERE["7.3", "hubbard-non-collinear"].deck(Version(6, 7))
