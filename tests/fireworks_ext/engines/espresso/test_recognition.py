import gzip
import json
import os
import shutil
from pathlib import Path

import pytest

from fireworks_ext.attempts import machine
from fireworks_ext.attempts.rule import Finding, Rule
from fireworks_ext.engines.espresso.recognition import RULES, diagnose, failures
from fireworks_ext.engines.espresso.recognition.diagnosis import CAUSES_FIRST, every_finding
from fireworks_ext.engines.espresso.recognition.radii import RADII_ANG
from fireworks_ext.engines.espresso.recognition.run import read_run
from schemas.failure import Failure, FailureName

ROOT = Path(__file__).parents[4]
RECORDED = ROOT / "tests" / "recorded"
ESPRESSO = RECORDED / "espresso-6.7"
CASES = json.loads((RECORDED / "cases.json").read_text())
PUBLISHED = json.loads((RECORDED / "published.json").read_text())
NAMED = [
    (name, case["case"].removeprefix("tests/")) for name, cases in CASES.items() for case in cases
]

BEHIND = {
    # case -> the cause that comes first
    "recorded/espresso-6.7/eigenvectors-ppcg-gamma": "energy_not_finite",
    "recorded/espresso-6.7/ph-killed": "killed_by_signal",
}
WITHOUT_CASE = {
    "cannot allocate|error allocating|allocation (?:failed|error)",
    "error writing|failed writing",
    "Signal Received, stopping",
    "bfgs failed after",
}
"""Patterns that are known from the programs' sources alone; README.md of the cases says why."""
WARNINGS = {
    "recorded/espresso-6.7/distance-given-near",
    "recorded/espresso-6.7/pools-idle",
    "recorded/espresso-6.7/scf-need-not-converge",
    "fireworks_ext/engines/espresso/runs/ok-spin",
    "fireworks_ext/engines/espresso/runs/ok-vc-relax",
}
ALWAYS_WARNINGS = {
    *("negative_charge_density", "charge_not_conserved", "magnetic_collapse"),
    "final_scf_above_thresholds",
}


def _place(case: str, tmp_path: Path) -> Path:
    """Return the directory of a case; a published message is framed as the programs do it."""
    name, _, key = case.partition("#")
    if not key:
        return ROOT / "tests" / name
    said = PUBLISHED[key]
    banner = f"\n     Program {said['program']} v.7.2 starts on 12Dec2023 at 17:15: 9\n"
    frame = " " + 78 * "%"
    if "text" in said:
        (tmp_path / "run.out").write_text(f"{banner}\n{said['text']}\n")
    elif said["place"] == "CRASH":
        (tmp_path / "run.out").write_text(banner)
        (tmp_path / "CRASH").write_text(
            f"\n{frame}\n     task #{0:10}\n"
            f"     from {said['routine']} : error #{said['code']:10}\n"
            f"     {said['message']}\n{frame}\n\n"
        )
    else:
        (tmp_path / "run.out").write_text(
            f"{banner}\n     Self-consistent Calculation\n\n{frame}\n"
            f"     Error in routine {said['routine']} ({said['code']}):\n"
            f"     {said['message']}\n{frame}\n\n     stopping ...\n"
        )
    return tmp_path


def _found(directory: Path) -> list[Failure]:
    """Return what is recognised; logs of schedulers alone are no run of pw.x."""
    found = diagnose(directory)
    if found is not None:
        return list(found)
    said = machine.Said(started=False, saved=False)
    return [one.failure for one in machine.findings(directory, said)]


def _findings(directory: Path) -> list[Finding]:
    run = read_run(directory)
    if run is not None:
        return every_finding(run)
    return list(machine.findings(directory, machine.Said(started=False, saved=False)))


@pytest.mark.parametrize(("name", "case"), NAMED)
def test_every_case_has_its_name_first(name: str, case: str, tmp_path: Path) -> None:
    found = _found(_place(case, tmp_path))
    assert name in [one.name for one in found], found
    failing = [one.name for one in found if one.details.get("severity") != "warning"]
    if case in WARNINGS or name in ALWAYS_WARNINGS:
        assert name not in failing
    else:
        assert failing[0] == BEHIND.get(case, name)


def test_every_rule_has_a_case(tmp_path: Path) -> None:
    met: set[Rule] = set()
    for number, (_, case) in enumerate(NAMED):
        place = tmp_path / str(number)
        place.mkdir()
        met |= {one.rule for one in _findings(_place(case, place))}
    left = [rule for rule in RULES if rule not in met and rule.pattern not in WITHOUT_CASE]
    assert [rule.words for rule in left] == ["another Fortran run-time error"]


def test_every_failure_that_a_program_can_show_has_a_case_and_a_rule() -> None:
    never_shown = {
        FailureName.INPUT_NOT_WRITTEN,
        FailureName.UPSTREAM_LOST,
        FailureName.METHODS_MIXED,
    }
    assert set(CASES) == {rule.name.value for rule in RULES} == set(FailureName) - never_shown


def test_every_name_has_its_place_among_the_causes() -> None:
    assert sorted(CAUSES_FIRST) == sorted(FailureName)


def test_cases_say_where_they_come_from() -> None:
    for cases in CASES.values():
        for case in cases:
            assert case["origin"].strip()
            name, _, key = case["case"].partition("#")
            assert (ROOT / name).exists()
            assert not key or PUBLISHED[key]["origin"] == case["origin"]


@pytest.mark.parametrize(
    "folder", sorted(path.name for path in ESPRESSO.iterdir() if path.name.startswith("good-"))
)
def test_a_run_that_went_well_has_no_failure_and_no_warning(folder: str) -> None:
    assert diagnose(ESPRESSO / folder) == ()


def test_a_history_that_was_reset_before_it_converged_is_no_failure() -> None:
    assert failures(ESPRESSO / "history-reset-then-converged") == ()


def test_rules_say_in_words_what_they_look_for() -> None:
    texts = [rule.recognised_by for rule in RULES]
    assert all(text and "\n" not in text for text in texts)
    assert len(set(texts)) == len(texts)


def test_an_input_that_was_refused_names_the_keyword(runs: Path) -> None:
    (refused,) = failures(runs / "input-refused")
    assert refused.details["keyword"] == "ecutwfcc"
    assert refused.details["namelist"] == "system"
    (value,) = failures(ESPRESSO / "input-wrong-value")
    assert value.details["keyword"] == "occupations"
    (unknown,) = failures(ESPRESSO / "ph-namelist")
    assert unknown.details == {
        "routine": "read_namelists",
        "code": 1,
        "namelist": "inputph",
        "keyword": "nothere",
    }


def test_details_hold_what_helps_to_read_a_failure(runs: Path) -> None:
    assert failures(runs / "pseudopotential-refused")[0].details["file"].endswith("Nope.UPF")
    assert failures(ESPRESSO / "library-missing")[0].details["library"] == "libfftw9.so.3"
    assert failures(ESPRESSO / "hung")[0].details["silent_s"] == 2.5
    assert failures(ESPRESSO / "killed-9")[0].details["signal"] == 9
    assert failures(ESPRESSO / "neb-scf")[0].details["image"] == 1
    assert failures(ESPRESSO / "volume-collapse")[0].details["ratio"] == pytest.approx(
        0.23, abs=0.01
    )
    behind = failures(ESPRESSO / "ph-killed")[1]
    assert (behind.details["done"], behind.details["of"]) == (1, 3)


def test_an_unconverged_scf_says_where_it_was_and_how_far_it_came(runs: Path) -> None:
    (alone,) = failures(runs / "scf-not-converged")
    assert alone.details["where"] == "scf"
    assert alone.details["iterations"] == 3
    assert 0 < alone.details["scf_accuracy_ry"] < 1  # type: ignore[operator]  # a number
    (inside,) = failures(runs / "scf-not-converged-in-relax")
    assert inside.details["where"] == "relaxation"


def test_an_scf_after_the_relaxation_is_the_final_one(runs: Path, tmp_path: Path) -> None:
    text = (runs / "ok-vc-relax" / "pw.out").read_text()
    head, final = text.split("Final scf calculation at the relaxed structure", 1)
    missed = "convergence NOT achieved after  80 iterations: stopping"
    start, end = final.split("convergence has been achieved", 1)
    changed = f"{head}Final scf calculation at the relaxed structure{start}{missed}{end}"
    (tmp_path / "run.out").write_text(changed)
    (found,) = failures(tmp_path)
    assert (found.name, found.details["where"]) == (FailureName.SCF_NOT_CONVERGED, "final scf")


@pytest.mark.parametrize("name", ["scf.out", "aiida.out", "job.log", "slurm-17.out", "pw.pwo.gz"])
def test_outputs_are_found_by_their_banner_whatever_their_name(
    runs: Path, tmp_path: Path, name: str
) -> None:
    text = (runs / "scf-not-converged" / "pw.out").read_bytes()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    assert [one.name for one in failures(tmp_path)] == [FailureName.SCF_NOT_CONVERGED]


def test_the_newest_of_several_outputs_speaks_for_a_directory(runs: Path, tmp_path: Path) -> None:
    for number, folder in enumerate(("scf-not-converged", "ok-scf")):
        shutil.copy(runs / folder / "pw.out", tmp_path / f"scf.{folder}.out")
        os.utime(tmp_path / f"scf.{folder}.out", (number, number))
    assert diagnose(tmp_path) == ()
    os.utime(tmp_path / "scf.scf-not-converged.out", (5, 5))
    assert [one.name for one in failures(tmp_path)] == [FailureName.SCF_NOT_CONVERGED]


def test_a_crash_file_of_an_earlier_run_does_not_fail_one_that_ended_well(
    runs: Path, tmp_path: Path
) -> None:
    shutil.copy(ESPRESSO / "radial-fft" / "CRASH", tmp_path / "CRASH")
    assert [one.name for one in failures(tmp_path)] == [FailureName.RADIAL_FFT_TOO_SMALL]
    shutil.copy(runs / "ok-scf" / "pw.out", tmp_path / "scf.out")
    assert diagnose(tmp_path) == ()


@pytest.mark.parametrize("files", [{}, {"notes.txt": "hello"}, {"INCAR": "ENCUT = 500\n"}])
def test_a_directory_of_other_programs_is_none(files: dict[str, str], tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert diagnose(tmp_path) is None
    assert failures(tmp_path) == ()
    assert diagnose(tmp_path / "absent") is None


@pytest.mark.parametrize("deck", ["pw.in", "deck.json"])
def test_a_deck_without_output_is_a_run_that_has_none(deck: str, tmp_path: Path) -> None:
    (tmp_path / deck).write_text("&control\n/\n")
    assert [one.name for one in failures(tmp_path)] == [FailureName.OUTPUT_MISSING]
    (tmp_path / "pw.out").touch()
    assert [one.name for one in failures(tmp_path)] == [FailureName.OUTPUT_EMPTY]


def test_a_changed_file_changes_the_answer(runs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(runs / "ok-scf", copy)
    assert failures(copy) == ()
    assert failures(copy) == ()
    xml = copy / "out/pwscf.save/data-file-schema.xml"
    xml.write_bytes(xml.read_bytes()[:1000])
    assert [one.name for one in failures(copy)] == [FailureName.XML_UNREADABLE]
    shutil.copy(runs / "killed" / "pw.out", copy / "pw.out")
    assert failures(copy)[0].name == FailureName.OUTPUT_INCOMPLETE


def test_a_known_answer_reads_no_file_again(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(runs / "scf-not-converged", copy)
    first = failures(copy)
    monkeypatch.setattr(
        "fireworks_ext.engines.espresso.recognition.diagnosis.read_run",
        lambda _: pytest.fail("it was read again"),
    )
    assert failures(copy) == first


def test_symptoms_stay_silent_where_a_cause_is_known() -> None:
    for case in ("memory-allocate", "broyden-damaged-density", "crash-segv-one-rank"):
        names = {one.name for one in failures(ESPRESSO / case)}
        assert names.isdisjoint({FailureName.OUTPUT_INCOMPLETE, FailureName.KILLED_BY_SIGNAL})


def test_a_stop_with_everything_saved_is_no_failure_of_convergence() -> None:
    for case in ("ph-walltime", "neb-walltime"):
        assert failures(ESPRESSO / case)[0].name == FailureName.OUT_OF_WALLTIME


def test_covalent_radii_are_those_of_the_published_table() -> None:
    from pymatgen.analysis.molecule_structure_comparator import CovalentRadius

    # There: carbon as sp2; manganese, iron, cobalt of the high spin.
    other = {"C", "Mn", "Fe", "Co"}
    known = {element for element in RADII_ANG if element in CovalentRadius.radius} - other
    assert len(known) > 85
    assert {element: RADII_ANG[element] for element in known} == {
        element: CovalentRadius.radius[element] for element in known
    }
