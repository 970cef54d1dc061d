import gzip
import json
import shutil
from pathlib import Path

import pytest

from fireworks_ext.engines.espresso.columns import COLUMNS
from fireworks_ext.engines.espresso.output import XML_FILE, final_structure, parse
from schemas.columns import arrow_schema
from schemas.failure import Failure, FailureName
from schemas.result import Result

FAILURES = [
    ("scf-not-converged", "scf", FailureName.SCF_NOT_CONVERGED, "NOT achieved after 3"),
    ("scf-not-converged-in-relax", "relax", FailureName.SCF_NOT_CONVERGED, "NOT achieved"),
    ("ionic-steps-exhausted", "relax", FailureName.IONIC_STEPS_EXHAUSTED, "maximum number"),
    ("input-refused", "scf", FailureName.INPUT_REFUSED, "ecutwfcc"),
    ("pseudopotential-refused", "scf", FailureName.PSEUDOPOTENTIAL_MISSING, "Nope.UPF"),
    ("pseudopotential-truncated", "scf", FailureName.PSEUDOPOTENTIAL_REFUSED, "End of file"),
    ("out-of-walltime", "scf", FailureName.OUT_OF_WALLTIME, "Maximum CPU time exceeded"),
    ("killed", "scf", FailureName.OUTPUT_INCOMPLETE, "without JOB DONE"),
    ("killed-under-mpi", "scf", FailureName.KILLED_BY_SIGNAL, "signal 9"),
]


@pytest.mark.parametrize(("folder", "task", "name", "words"), FAILURES)
def test_each_way_of_failing_has_its_name_and_the_programs_words(
    runs: Path, folder: str, task: str, name: FailureName, words: str
) -> None:
    outcome = parse(task, runs / folder)
    assert isinstance(outcome, Failure)
    assert outcome.name == name
    assert words in outcome.message


def test_every_recorded_run_is_looked_at_by_a_test(runs: Path) -> None:
    folders = {path.name for path in runs.iterdir() if path.is_dir()}
    assert folders == {folder for folder, *_ in FAILURES} | {"ok-scf", "ok-spin", "ok-vc-relax"}


def _ok(runs: Path, folder: str, task: str) -> Result:
    outcome = parse(task, runs / folder)
    assert isinstance(outcome, Result), outcome
    return outcome


def test_a_finished_run_gives_the_numbers_that_its_text_output_prints(runs: Path) -> None:
    values = _ok(runs, "ok-scf", "scf").values
    # "!    total energy = -15.53244637 Ry", "P= 73.19" kbar, "the Fermi energy is 6.8337 ev"
    assert values["energy_ev"] == pytest.approx(-15.53244637 * 13.605693122994, abs=2e-7)
    assert values["pressure_gpa"] == pytest.approx(7.319, abs=5e-4)
    assert values["fermi_energy_ev"] == pytest.approx(6.8337, abs=5e-5)
    assert values["scf_iterations"] == 9
    assert values["n_kpoints"] == 6
    assert values["n_electrons"] == 8
    assert values["ecutwfc_ry"] == 12
    # atom 1: -0.00527166 0.00835362 0.00835362 Ry/bohr
    forces = json.loads(str(values["forces_ev_per_ang"]))
    assert forces[0] == pytest.approx(
        [f * 25.7110430 for f in (-0.00527166, 0.00835362, 0.00835362)], abs=3e-7
    )
    accuracies = json.loads(str(values["scf_accuracy_ry"]))
    assert accuracies[0] == 0.10161633
    assert accuracies[-1] == 1.4e-10


def test_a_relaxation_gives_the_last_structure_and_the_energy_of_its_final_scf(runs: Path) -> None:
    result = _ok(runs, "ok-vc-relax", "vc-relax")
    text = (runs / "ok-vc-relax" / "pw.out").read_text()
    last = [line for line in text.splitlines() if line.startswith("!")][-1]
    printed = float(last.split("=")[1].split()[0])
    assert result.values["energy_ev"] == pytest.approx(printed * 13.605693122994, abs=2e-7)
    final = text.split("Begin final coordinates")[1].split("End final")[0].splitlines()
    position = next(line for line in final if line.startswith("Si") and "0.25" in line)
    assert result.structure is not None
    assert result.structure.frac_coords[1] == pytest.approx(
        [float(x) for x in position.split()[1:]], abs=1e-8
    )
    assert result.values["ionic_steps"] == 4


def test_a_spin_polarised_run_tells_its_magnetisation(runs: Path) -> None:
    values = _ok(runs, "ok-spin", "scf").values
    assert values["total_magnetisation_bohr"] == pytest.approx(0.0, abs=1e-3)
    assert values["absolute_magnetisation_bohr"] == pytest.approx(0.0, abs=1e-2)
    assert _ok(runs, "ok-scf", "scf").values["total_magnetisation_bohr"] is None


def test_the_program_says_its_version(runs: Path) -> None:
    assert _ok(runs, "ok-scf", "scf").program == "PWSCF 6.7MaX"


def test_the_density_is_a_product_only_where_its_file_is_there(runs: Path, tmp_path: Path) -> None:
    assert set(_ok(runs, "ok-scf", "scf").products) == {"structure"}
    copy = tmp_path / "run"
    shutil.copytree(runs / "ok-scf", copy)
    (copy / "out/pwscf.save/charge-density.dat").write_bytes(b"density")
    products = _ok(tmp_path, "run", "scf").products
    assert (copy / products["charge_density"]).is_file()


def test_values_are_exactly_the_columns_and_fit_their_types(runs: Path) -> None:
    import pyarrow as pa

    for folder, task in (("ok-scf", "scf"), ("ok-spin", "scf"), ("ok-vc-relax", "vc-relax")):
        values = _ok(runs, folder, task).values
        assert list(values) == [column.name for column in COLUMNS]
        pa.Table.from_pylist([values], schema=arrow_schema(COLUMNS))


def test_a_run_of_another_task_is_not_taken(runs: Path) -> None:
    outcome = parse("relax", runs / "ok-scf")
    assert isinstance(outcome, Failure)
    assert outcome.name == FailureName.OUTPUT_INCOMPLETE


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9, 0.999])
def test_a_result_that_was_cut_off_while_it_was_written_is_none(
    runs: Path, tmp_path: Path, cut: float
) -> None:
    for name in ("pw.out", "out/pwscf.save/data-file-schema.xml"):
        copy = tmp_path / name.replace("/", "-")
        shutil.copytree(runs / "ok-scf", copy)
        content = (copy / name).read_bytes().rstrip()
        (copy / name).write_bytes(content[: int(cut * len(content)) - 80])
        assert isinstance(parse("scf", copy), Failure)


def test_compressed_files_give_the_same_result_and_structure(runs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(runs / "ok-vc-relax", copy)
    for name in ("pw.out", XML_FILE):
        plain = copy / name
        (copy / f"{name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    assert _ok(tmp_path, "run", "vc-relax") == _ok(runs, "ok-vc-relax", "vc-relax")
    assert final_structure(copy) == final_structure(runs / "ok-vc-relax")


def test_a_finished_run_without_its_file_of_results_says_that(runs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(runs / "ok-scf", copy)
    (copy / XML_FILE).unlink()
    outcome = parse("scf", copy)
    assert isinstance(outcome, Failure)
    assert outcome.name == FailureName.XML_MISSING


def test_an_empty_directory_is_a_failure_and_not_an_exception(tmp_path: Path) -> None:
    assert isinstance(parse("scf", tmp_path), Failure)
    assert isinstance(parse("scf", tmp_path / "absent"), Failure)


def test_a_full_disk_is_told_from_other_errors(runs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(runs / "killed", copy)
    (copy / "pw.err").write_text("Fortran runtime error: No space left on device\n")
    outcome = parse("scf", copy)
    assert isinstance(outcome, Failure)
    assert outcome.name == FailureName.DISK_FULL
