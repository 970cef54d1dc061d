"""Bands and densities of states of silicon and iron by the real programs, whole and interrupted."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sudden_death import in_child

from fireworks_ext import retention
from fireworks_ext.attempts import calculation as running
from fireworks_ext.attempts import jobs
from fireworks_ext.attempts.calculation import Ended
from fireworks_ext.checkpoints.places import open_place
from fireworks_ext.engines.espresso import plugin, spectrum_steps
from fireworks_ext.engines.espresso.dos_program import TABLE, read_table
from fireworks_ext.engines.espresso.params import EspressoParams
from fireworks_ext.engines.espresso.recipes import ESPRESSO_DATA
from fireworks_ext.worker.session import Session
from schemas.checkpoint import Checkpoint
from schemas.errors import UserError
from schemas.failure import Failure, FailureName
from schemas.model import JsonValue
from schemas.profile import Code, Site
from schemas.protocols import Calculation
from schemas.resources import Resources
from schemas.result import Result
from schemas.retention import Retention
from schemas.structure import Structure

pytestmark = [
    pytest.mark.pw,
    pytest.mark.skipif(not ESPRESSO_DATA.is_dir(), reason="quantum-espresso-data is not installed"),
]
A_ANG = 5.468
"""Lattice constant of silicon in PBE: Haas, Tran, Blaha, PRB 79, 085104 (2009)."""
PROGRAM = """#!/bin/sh
task=$(sed -n "s/.*calculation = '\\(.*\\)'.*/\\1/p" pw.in)
echo "$task" >> LOG
if [ -e DEADLY ] && [ "$task" = "$(cat DEADLY)" ]; then rm DEADLY; kill -9 $$; fi
exec pw.x "$@"
"""


@dataclass
class Bench:
    """Runs calculations in numbered attempts, with a pw.x that logs what it was asked for."""

    folder: Path
    session: Session = field(init=False)

    def __post_init__(self) -> None:
        program = self.folder / "pw-logged"
        text = PROGRAM.replace("LOG", str(self.log)).replace("DEADLY", str(self.deadly))
        program.write_text(text)
        program.chmod(0o755)
        site = Site(codes={"pw": Code(command=str(program)), "dos": Code(command="dos.x")})
        nowhere: Any = None  # one calculation needs neither store nor artefacts
        self.session = Session(database=nowhere, site=site, artefacts=nowhere)

    @property
    def log(self) -> Path:
        """A line for each run of pw.x: its `calculation`."""
        return self.folder / "runs.log"

    @property
    def deadly(self) -> Path:
        """While it is there, the run that it names is killed, once."""
        return self.folder / "deadly"

    @property
    def ran(self) -> list[str]:
        return self.log.read_text().split()

    def prepared(self, task: str, structure: Structure, **settings: object) -> Calculation:
        params = EspressoParams.model_validate(
            {"pseudopotentials": "debian-pbe", "ecutwfc_ry": 20, "kmesh": (4, 4, 4), **settings}
        )
        resolved = plugin.resolve(structure, task, params, self.session.site)
        return Calculation(task, structure, resolved, Resources(walltime_min=5))

    def run(self, calculation: Calculation, attempt: int = 1) -> Ended:
        directory = self.folder / str(attempt)
        directory.mkdir()
        return running.run(
            plugin,
            calculation,
            directory,
            self.session,
            policy=Checkpoint(),
            place=open_place(None, directory, "key"),
            earlier=[self.folder / str(n) for n in range(attempt - 1, 0, -1)],
        )


def diamond(a_ang: float = A_ANG) -> Structure:
    """Return the conventional cell: eight atoms, and not the one that the path belongs to."""
    corners = [(0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0)]
    return Structure(
        lattice_ang=((a_ang, 0.0, 0.0), (0.0, a_ang, 0.0), (0.0, 0.0, a_ang)),
        species=("Si",) * 8,
        frac_coords=tuple((x + d, y + d, z + d) for d in (0.0, 0.25) for x, y, z in corners),
    )


def primitive(a_ang: float = A_ANG) -> Structure:
    half = a_ang / 2
    return Structure(
        lattice_ang=((0.0, half, half), (half, 0.0, half), (half, half, 0.0)),
        species=("Si", "Si"),
        frac_coords=((0.0, 0.0, 0.0), (0.25, 0.25, 0.25)),
    )


def iron() -> Structure:
    half = 2.83 / 2
    return Structure(
        lattice_ang=((-half, half, half), (half, -half, half), (half, half, -half)),
        species=("Fe",),
        frac_coords=((0.0, 0.0, 0.0),),
    )


SILICON = {"smearing": "none", "path_spacing_per_ang": 0.15}
IRON = {
    "spin": "collinear",
    "moments_bohr": {"Fe": 3.0},
    "ecutwfc_ry": 25,
    "ecutrho_ry": 200,
    "path_spacing_per_ang": 0.3,
    "degauss_ry": 0.02,
}


def values(ended: Ended) -> dict[str, JsonValue]:
    assert isinstance(ended.outcome, Result), ended.outcome
    return ended.outcome.values


def loaded(values: dict[str, JsonValue], column: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(str(values[column]))
    return content


@pytest.fixture(scope="module")
def silicon(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, Ended]:
    """Bands of silicon, undisturbed; others are compared with them."""
    bench = Bench(tmp_path_factory.mktemp("silicon"))
    return bench, bench.run(bench.prepared("bands", diamond(), **SILICON))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_bands_of_silicon_are_those_of_the_literature(silicon: tuple[Bench, Ended]) -> None:
    found = values(silicon[1])
    curves = loaded(found, "band_structure")
    # PBE of Paier et al., J. Chem. Phys. 124, 154709 (2006): from the top at Gamma to the lowest
    # empty energy at Gamma, X and L. 0.06 eV: this old pseudopotential, 20 Ry and 4x4x4.
    place = {label: at for at, label in reversed(curves["ticks"])}
    empty = curves["energies_ev"][0][4]
    for label, literature_ev in (("Γ", 2.57), ("X", 0.71), ("L", 1.54)):
        assert empty[place[label]] == pytest.approx(literature_ev, abs=0.06)
    assert found["band_gap_ev"] == pytest.approx(0.6, abs=0.05)
    assert found["direct_gap_ev"] == pytest.approx(2.57, abs=0.06)
    assert (found["is_metal"], found["vbm_kpoint"], found["lattice_type"]) == (False, "Γ", "FCC")
    way, share = str(found["cbm_kpoint"]).split()
    assert way == "Γ-X"
    # The minimum lies at 0.85 of the way in experiment and theory alike; points are 0.125 apart.
    assert float(share) == pytest.approx(0.85, abs=0.07)


def test_the_curves_say_where_zero_is_and_what_they_leave_out(
    silicon: tuple[Bench, Ended],
) -> None:
    found = values(silicon[1])
    curves = loaded(found, "band_structure")
    (bands,) = curves["energies_ev"]
    assert (curves["zero"], max(bands[3])) == ("vbm", 0.0)
    assert curves["zero_ev"] == pytest.approx(found["vbm_ev"], abs=1e-4)
    assert {len(band) for band in bands} == {len(curves["distances_per_ang"])}
    assert [label for _, label in curves["ticks"]] == [*"ΓXWKΓLUWLKUX"]
    assert curves["left_out"] == {"points": 0, "bands_below": [0], "bands_above": [0]}
    # (|X|, in 1/angstrom: 2 pi / a)
    assert curves["distances_per_ang"][curves["ticks"][1][0]] == pytest.approx(1.1491, abs=1e-4)


def test_the_conventional_cell_becomes_the_primitive_one_of_the_path(
    silicon: tuple[Bench, Ended],
) -> None:
    bench, ended = silicon
    assert isinstance(ended.outcome, Result)
    assert ended.outcome.structure is not None
    assert ended.outcome.structure.n_atoms == 2
    assert values(ended)["n_electrons"] == 8
    assert bench.ran == ["scf", "bands"]


def test_the_states_of_silicon_hold_its_electrons_below_the_gap(bench: Bench) -> None:
    calculation = bench.prepared("dos", primitive(), smearing="none")
    found = values(bench.run(calculation))
    table = read_table(bench.folder / "1" / TABLE)
    middle = (float(str(found["vbm_ev"])) + float(str(found["cbm_ev"]))) / 2
    at = next(n for n, energy in enumerate(table.energies_ev) if energy > middle)
    assert table.integrated[at] == pytest.approx(8, abs=0.02)
    curve = loaded(found, "density_of_states")
    to_the_gap = int((0.3 - curve["start_ev"]) / curve["step_ev"])
    # A sum of rectangles of 0.05 eV.
    held = curve["step_ev"] * sum(curve["states_per_ev"][0][:to_the_gap])
    assert held == pytest.approx(8, abs=0.05)
    assert (curve["zero"], curve["n_atoms"], found["is_metal"]) == ("vbm", 2, False)
    assert found["dos_at_fermi_states_per_ev"] == 0
    assert bench.ran == ["scf", "nscf"]
    retention.apply(bench.folder / "1", plugin.artefacts, Retention(outputs="compress"))
    again = plugin.parse("dos", bench.folder / "1")
    assert isinstance(again, Result)
    assert again.values == found


def test_a_magnet_has_two_kinds_of_bands_and_states_at_the_fermi_energy(bench: Bench) -> None:
    found = values(bench.run(bench.prepared("bands", iron(), **IRON)))
    curves = loaded(found, "band_structure")
    up, down = curves["energies_ev"]
    assert (found["is_metal"], found["band_gap_ev"], curves["zero"]) == (True, 0, "fermi")
    assert (found["lattice_type"], found["vbm_kpoint"]) == ("BCC", None)
    # The exchange splitting of iron is about 2 eV, at every point.
    assert down[3][0] - up[3][0] > 1
    assert found["total_magnetisation_bohr"] == pytest.approx(2.2, abs=0.5)
    (bench.folder / "other").mkdir()
    other = Bench(bench.folder / "other")
    states = values(other.run(other.prepared("dos", iron(), **IRON, dos_broadening_ev=0.2)))
    assert len(loaded(states, "density_of_states")["states_per_ev"]) == 2
    # About 1 state per eV in all calculations.
    assert 0.3 < float(str(states["dos_at_fermi_states_per_ev"])) < 3


def test_a_run_of_bands_that_is_killed_is_repeated_without_its_self_consistency(
    bench: Bench, silicon: tuple[Bench, Ended]
) -> None:
    bench.deadly.write_text("bands")
    ended = bench.run(bench.prepared("bands", diamond(), **SILICON))
    assert bench.ran == ["scf", "bands", "bands"]
    assert [one.failure for one in ended.corrections] == ["killed_by_signal"] * len(
        ended.corrections
    )
    same(values(ended), values(silicon[1]))


def same(ours: dict[str, JsonValue], theirs: dict[str, JsonValue]) -> None:
    for name in ("band_gap_ev", "vbm_ev", "energy_ev"):
        assert ours[name] == pytest.approx(theirs[name], abs=2e-4)
    mine, others = (loaded(one, "band_structure")["energies_ev"] for one in (ours, theirs))
    for band, other in zip(mine[0], others[0], strict=True):
        assert band == pytest.approx(other, abs=2e-3)


def test_a_worker_that_is_killed_between_two_runs_does_not_repeat_the_first(
    bench: Bench, silicon: tuple[Bench, Ended]
) -> None:
    calculation = bench.prepared("bands", diamond(), **SILICON)

    def die(*_arguments: object, **_more: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def at_the_end_of_scf() -> None:
        running._next_command = die  # type: ignore[assignment]

    def before_the_next_input() -> None:
        spectrum_steps.following_deck = die  # type: ignore[assignment]

    def at_the_start_of_bands() -> None:
        jobs.run_program = die  # type: ignore[assignment]

    def later(patch: Callable[[], None], attempt: int) -> Callable[[], None]:
        def act() -> None:
            patch()
            bench.run(calculation, attempt)

        return act

    assert not in_child(later(at_the_end_of_scf, 1))
    assert not in_child(later(before_the_next_input, 2))
    assert not in_child(later(at_the_start_of_bands, 3))
    ended = bench.run(calculation, attempt=4)
    assert bench.ran == ["scf", "bands"]
    assert ended.continued is not None
    same(values(ended), values(silicon[1]))


def test_bands_that_are_stopped_go_on_at_the_next_point(
    bench: Bench, silicon: tuple[Bench, Ended]
) -> None:
    calculation = bench.prepared("bands", diamond(), **SILICON)

    def stop() -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if list(bench.folder.glob("1/out/pwscf.wfc1")) and bench.ran[-1:] == ["bands"]:
                time.sleep(0.1)
                bench.session.stop()
                return
            time.sleep(0.005)

    bench.log.touch()
    thread = threading.Thread(target=stop)
    thread.start()
    first = bench.run(calculation)
    thread.join()
    assert isinstance(first.outcome, Failure)
    assert (first.outcome.name, first.interrupted) == (FailureName.STOPPED_BY_REQUEST, True)
    bench.session.stopping = False
    second = bench.run(calculation, attempt=2)
    assert str(second.continued).startswith("k-point ")
    assert bench.ran == ["scf", "bands", "bands"]
    same(values(second), values(silicon[1]))


def test_a_damaged_density_is_computed_again(bench: Bench, silicon: tuple[Bench, Ended]) -> None:
    calculation = bench.prepared("bands", diamond(), **SILICON)

    def damage_at_bands(*arguments: Any, **more: Any) -> Any:
        density = bench.folder / "1/out/pwscf.save/charge-density.dat"
        if density.exists() and not bench.deadly.exists():
            bench.deadly.write_text("nothing")
            density.write_bytes(density.read_bytes()[:1000])
        return run_program(*arguments, **more)

    run_program = jobs.run_program
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "run_program", damage_at_bands)
        ended = bench.run(calculation)
    assert bench.ran == ["scf", "bands", "scf", "bands"]
    assert "again, without the files of the last run" in [one.action for one in ended.corrections]
    same(values(ended), values(silicon[1]))


def test_numbers_of_the_cell_as_given_are_refused_where_the_path_has_another_cell(
    bench: Bench,
) -> None:
    calculation = bench.prepared("bands", diamond(), **SILICON, params={"nbnd": 20})
    with pytest.raises(UserError, match="nbnd: the path belongs to the primitive cell of 2 atoms"):
        bench.run(calculation)


def test_too_few_bands_have_their_name_and_as_many_as_are_needed_are_taken(bench: Bench) -> None:
    calculation = bench.prepared("bands", primitive(), **SILICON, params={"nbnd": 3})
    ended = bench.run(calculation)
    assert ended.corrections[0].failure == FailureName.TOO_FEW_BANDS
    assert plugin.is_physics("bands", str(ended.corrections[0].parameter))
    assert values(ended)["n_bands"] == 12


def test_diagonalisations_that_fail_are_repaired_in_the_run_of_bands(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spectrum_steps, "EIGENVALUE_THRESHOLD_RY", 1e-30)
    calculation = bench.prepared("bands", primitive(), **SILICON, params={"diago_david_ndim": 2})
    ended = bench.run(calculation)
    assert {one.failure for one in ended.corrections} == {FailureName.BANDS_NOT_CONVERGED}
    assert bench.ran[:2] == ["scf", "bands"]
    assert "scf" not in bench.ran[1:]
