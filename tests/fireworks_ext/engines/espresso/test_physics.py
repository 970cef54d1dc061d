"""The real pw.x: what our decks compute is what decks by other hands compute."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fireworks_ext.engines.espresso import plugin
from fireworks_ext.engines.espresso.program import pw_command
from fireworks_ext.engines.espresso.units import BOHR_ANG, RYDBERG_EV
from schemas.failure import Failure
from schemas.profile import Site
from schemas.protocols import Calculation, Command
from schemas.resources import Resources
from schemas.result import Result
from schemas.structure import Structure

pytestmark = [
    pytest.mark.pw,
    pytest.mark.skipif(shutil.which("pw.x") is None, reason="pw.x is not installed"),
]
DECKS = Path(__file__).parent / "decks"
PSEUDO = Path("/usr/share/espresso/pseudo")
ALAT_BOHR = 10.3179844


def _execute(command: Command, directory: Path) -> None:
    with (directory / command.stdout).open("w") as out, (directory / command.stderr).open("w") as e:
        subprocess.run(
            command.argv,
            cwd=directory,
            stdout=out,
            stderr=e,
            env={**os.environ, **command.environment},
            check=False,
        )


def _ours(
    directory: Path,
    task: str,
    structure: Structure,
    *,
    upstream: dict[str, Path] | None = None,
    cores: int = 1,
    **settings: Any,
) -> Result:
    """Run a calculation with our deck and parser."""
    site = Site()
    defaults = {"pseudopotentials": "debian-pbe", "ecutwfc_ry": 25, "conv_thr_ry_per_atom": 5e-11}
    params = plugin.params.model_validate({**defaults, **settings})
    calculation = Calculation(
        task=task,
        structure=structure,
        params=plugin.resolve(structure, task, params, site),
        resources=Resources(cores=cores),
        upstream=upstream or {},
    )
    directory.mkdir()
    plugin.inputs(calculation, directory, site)
    _execute(plugin.command(calculation, site), directory)
    outcome = plugin.parse(task, directory)
    assert isinstance(outcome, Result), outcome
    return outcome


def _by_hand(directory: Path, name: str) -> str:
    """Run a deck that our writer did not make; return what pw.x printed."""
    directory.mkdir()
    text = (DECKS / name).read_text().replace("PSEUDO", str(PSEUDO))
    (directory / "pw.in").write_text(text)
    command = pw_command(Site(), ranks=1)
    _execute(command, directory)
    return (directory / command.stdout).read_text()


def _energy_ev_per_atom(printed: str, n_atoms: int) -> float:
    return float(re.findall(r"^!.*= *(\S+) Ry", printed, re.MULTILINE)[-1]) * RYDBERG_EV / n_atoms


def _silicon(a_ang: float) -> Structure:
    half = a_ang / 2
    return Structure(
        # the axes of ibrav 2
        lattice_ang=((-half, 0.0, half), (0.0, half, half), (-half, half, 0.0)),
        species=("Si", "Si"),
        frac_coords=((0.0, 0.0, 0.0), (-0.25, 0.75, -0.25)),
    )


def test_a_single_point_agrees_with_a_deck_by_hand_to_a_microelectronvolt(tmp_path: Path) -> None:
    printed = _by_hand(tmp_path / "hand", "silicon-ibrav2.in")
    ours = _ours(
        tmp_path / "ours",
        "scf",
        _silicon(ALAT_BOHR * BOHR_ANG),
        kmesh=(3, 3, 3),
        params={"nbnd": 8},
    )
    # pw.x prints 1e-8 Ry, 7e-8 eV per atom; both runs converge to 1e-10 Ry
    assert ours.values["energy_ev_per_atom"] == pytest.approx(
        _energy_ev_per_atom(printed, 2), abs=1e-6
    )
    pressure_kbar = float(re.findall(r"P= *(\S+)", printed)[-1])
    assert ours.values["pressure_gpa"] == pytest.approx(pressure_kbar / 10, abs=2e-3)


def test_a_mesh_agrees_with_the_special_points_by_hand(tmp_path: Path) -> None:
    printed = _by_hand(tmp_path / "hand", "silicon-klist.in")
    ours = _ours(
        tmp_path / "ours",
        "scf",
        _silicon(ALAT_BOHR * BOHR_ANG),
        kmesh=(2, 2, 2),
        kshift=(1, 1, 1),
        smearing="none",
    )
    assert ours.values["n_kpoints"] == 2
    assert ours.values["is_metal"] is False
    assert ours.values["energy_ev_per_atom"] == pytest.approx(
        _energy_ev_per_atom(printed, 2), abs=1e-6
    )


@pytest.mark.slow
def test_a_cell_relaxation_agrees_with_a_deck_by_hand_to_a_thousandth_angstrom(
    tmp_path: Path,
) -> None:
    printed = _by_hand(tmp_path / "hand", "silicon-vc-relax.in")
    ours = _ours(
        tmp_path / "ours",
        "vc-relax",
        _silicon(5.30),
        kmesh=(2, 2, 2),
        kshift=(1, 1, 1),
        smearing="gaussian",
        degauss_ry=0.01,
        fmax_ev_per_ang=0.0026,
        pressure_tolerance_gpa=0.005,
        energy_tolerance_ev_per_atom=7e-6,
    )
    final = printed.split("Begin final coordinates")[1].split("End final")[0]
    alat = float(re.findall(r"CELL_PARAMETERS \(alat= *([\d.]+)\)", final)[0]) * BOHR_ANG
    cell = final.split("CELL_PARAMETERS")[1].splitlines()[1:4]
    lengths = [sum(float(x) ** 2 for x in row.split()) ** 0.5 * alat for row in cell]
    found = [ours.values[name] for name in ("a_ang", "b_ang", "c_ang")]
    assert found == pytest.approx(lengths, abs=1e-3)
    assert ours.values["a_ang"] == pytest.approx(5.47 / 2**0.5, rel=0.01)


def test_a_density_of_the_stage_before_is_a_start_that_needs_fewer_iterations(
    tmp_path: Path,
) -> None:
    cell = _silicon(5.43)
    settings = {"kmesh": (2, 2, 2), "ecutwfc_ry": 15}
    first = _ours(tmp_path / "first", "scf", cell, **settings)
    second = _ours(
        tmp_path / "second",
        "scf",
        cell,
        upstream={"charge_density": tmp_path / "first"},
        **settings,
    )
    assert second.values["scf_iterations"] < first.values["scf_iterations"]  # type: ignore[operator]
    assert second.values["energy_ev"] == pytest.approx(first.values["energy_ev"], abs=1e-7)
    with pytest.raises(Exception, match="of another structure"):
        _ours(
            tmp_path / "third",
            "scf",
            _silicon(5.5),
            upstream={"charge_density": tmp_path / "first"},
            **settings,
        )


def test_a_run_with_too_few_iterations_is_repaired_and_says_how(tmp_path: Path) -> None:
    settings = {"pseudopotentials": "debian-pbe", "ecutwfc_ry": 15, "kmesh": (2, 2, 2)}
    cell, site, run = _silicon(5.43), Site(), tmp_path / "run"
    expected = _ours(tmp_path / "expected", "scf", cell, **settings)
    params = plugin.params.model_validate({**settings, "electron_maxstep": 5})
    resolved = plugin.resolve(cell, "scf", params, site)
    calculation = Calculation("scf", cell, resolved, Resources())
    run.mkdir()
    plugin.inputs(calculation, run, site)
    _execute(plugin.command(calculation, site), run)
    failed = plugin.parse("scf", run)
    assert isinstance(failed, Failure)
    handlers = plugin.handlers(calculation)
    while (handler := next((one for one in handlers if one.check(str(run))), None)) is not None:
        assert handler.correct(str(run))["actions"]
        _execute(plugin.command(calculation, site), run)
    repaired = plugin.parse("scf", run)
    assert isinstance(repaired, Result)
    assert repaired.values["energy_ev"] == pytest.approx(expected.values["energy_ev"], abs=1e-6)
    first = plugin.corrections(run)[0]
    assert (first.failure, first.parameter, first.before) == (
        *("scf_not_converged", "electron_maxstep", 5),
    )
    assert isinstance(first.after, int)
    assert first.after > 5


@pytest.mark.slow
def test_two_ranks_give_the_energy_of_one(tmp_path: Path) -> None:
    settings = {"kmesh": (2, 2, 2), "ecutwfc_ry": 12}
    one = _ours(tmp_path / "one", "scf", _silicon(5.43), **settings)
    two = _ours(tmp_path / "two", "scf", _silicon(5.43), cores=2, **settings)
    assert two.values["energy_ev"] == pytest.approx(one.values["energy_ev"], abs=1e-6)


def test_iron_is_a_magnet_from_moments_by_element(tmp_path: Path) -> None:
    half = 2.83 / 2
    iron = Structure(
        lattice_ang=((-half, half, half), (half, -half, half), (half, half, -half)),
        species=("Fe",),
        frac_coords=((0.0, 0.0, 0.0),),
    )
    values = _ours(
        tmp_path / "iron",
        "scf",
        iron,
        spin="collinear",
        moments_bohr={"Fe": 3.0},
        ecutwfc_ry=40,
        kmesh=(5, 5, 5),
        degauss_ry=0.02,
        conv_thr_ry_per_atom=1e-8,
    ).values
    # 2.2 Bohr magnetons in PBE and in experiment; the mesh is coarse
    assert values["total_magnetisation_bohr"] == pytest.approx(2.2, abs=0.1)
    assert values["is_metal"] is True


def test_converted_gth_potentials_are_read_by_pw(tmp_path: Path) -> None:
    ours = _ours(
        tmp_path / "ours",
        "scf",
        _silicon(5.43),
        pseudopotentials="gth-pbe",
        ecutwfc_ry=30,
        kmesh=(2, 2, 2),
        kshift=(1, 1, 1),
    )
    assert ours.values["n_electrons"] == 8
    assert ours.values["energy_ev_per_atom"] == pytest.approx(-107.2, abs=1.5)


def test_purely_local_gth_potentials_are_read_by_pw(tmp_path: Path) -> None:
    box = Structure(
        lattice_ang=((2.5, 0.0, 0.0), (0.0, 2.5, 0.0), (0.0, 0.0, 2.5)),
        species=("H", "H"),
        frac_coords=((0.0, 0.0, 0.0), (0.3, 0.0, 0.0)),
    )
    settings = {"pseudopotentials": "gth-pbe", "ecutwfc_ry": 20, "kmesh": (1, 1, 1)}
    assert _ours(tmp_path / "run", "scf", box, **settings).values["n_electrons"] == 2


def test_the_fast_reader_agrees_with_a_validating_one(tmp_path: Path) -> None:
    qeschema = pytest.importorskip("qeschema")
    ours = _ours(tmp_path / "run", "scf", _silicon(5.43), kmesh=(2, 2, 2), ecutwfc_ry=12)
    path = tmp_path / "run" / "out/pwscf.save/data-file-schema.xml"
    output = qeschema.PwDocument(source=str(path)).to_dict()["qes:espresso"]["output"]
    assert ours.values["energy_ev"] == pytest.approx(
        output["total_energy"]["etot"] * 2 * RYDBERG_EV, rel=1e-12
    )
    forces = json.loads(str(ours.values["forces_ev_per_ang"]))
    theirs = output["forces"]["$"]
    factor = 2 * RYDBERG_EV / BOHR_ANG
    assert [x for force in forces for x in force] == pytest.approx(
        [x * factor for x in theirs], abs=1e-12
    )
    assert ours.values["n_kpoints"] == output["band_structure"]["nks"]


def test_the_machine_is_described_with_the_version_of_pw() -> None:
    findings = {one.subject: one for one in plugin.examine(Site())}
    assert re.search(r"version \d", findings["pw.x"].message)


def test_a_program_that_is_not_there_comes_with_its_package() -> None:
    from schemas.profile import Code

    site = Site(codes={"pw": Code(command="pw-that-nobody-has")})
    finding = next(one for one in plugin.examine(site) if one.subject == "pw.x")
    assert finding.state == "missing"
    assert "apt-get install quantum-espresso" in finding.remedy
