"""pw.x is made to fail in every way that can be had here; each ends in repair or in its name.

`cases.json` names the cases by failure. Those of the rehearsal engine's recordings take their decks
from there, so that what is replayed is proved to be repaired for real; the others are below.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from fireworks_ext.engines.espresso import plugin
from fireworks_ext.engines.espresso.pw_input import PwInput
from fireworks_ext.engines.espresso.recognition import failures
from fireworks_ext.engines.rehearsal.recordings import FOLDER as RECORDINGS
from fireworks_ext.engines.rehearsal.recordings import recordings
from schemas.failure import FailureName
from schemas.result import Correction, Result

HERE = Path(__file__).parent
CASES: dict[str, list[dict[str, str]]] = json.loads((HERE / "cases.json").read_text())
ENERGY_TOLERANCE_EV_PER_ATOM = 1e-5
"""Ten times what the thresholds of the decks leave open."""
LARGEST_RECORDINGS_BYTES = 1_500_000
OF_A_MACHINE = re.compile(rb"/(?:usr|home|root|tmp|work|proc)/\S*|\[(?!node:)[\w.-]+:\d{3,}\]")
STARTS = ("restart_mode", "startingpot", "startingwfc", "max_seconds", "nstep")
"""Keywords of how a run goes on and how far; a reference goes from the beginning to its end."""

pytestmark = pytest.mark.pw


def mpirun(ranks: int, *flags: str, program: str = "pw.x") -> dict[str, Any]:
    argv = ("mpirun", "-n", str(ranks), program, *flags, "-in", "pw.in")
    return {"argv": argv, "ranks": ranks}


def alone(*argv: str) -> dict[str, Any]:
    return {"argv": (*argv, "-in", "pw.in")}


def other_words(directory: Path) -> None:
    """Put a text that is no pseudopotential in the place of one."""
    (directory / "pseudo").unlink()
    (directory / "pseudo").mkdir()
    (directory / "pseudo" / "Si.pbe-rrkj.UPF").write_text("<html>404</html>\n")


def without_library(directory: Path) -> None:
    """Copy pw.x and have it ask for a library that is not there."""
    program = Path(shutil.which("pw.x") or "pw.x").read_bytes()
    needed = b"libfftw3.so.3\0"
    if needed not in program:
        pytest.skip("this pw.x is linked in another way")
    (directory / "broken-pw.x").write_bytes(program.replace(needed, b"libfftwX.so.3\0"))
    (directory / "broken-pw.x").chmod(0o755)


RESULTS = "out/pwscf.save/data-file-schema.xml"
MIDDLE = "Forces acting on atoms#3"
ANY, RELAX = {"deck": "silicon"}, {"deck": "silicon-relax"}
UNRECORDED: dict[str, dict[str, Any]] = {
    "idle-pools": {"deck": "gamma-only"} | mpirun(4, "-nk", "4"),
    "launcher-refuses": ANY | {"argv": ("mpirun", "--no-such-flag", "pw.x", "-in", "pw.in")},
    "program-missing": ANY | alone("no-such-pw.x"),
    "program-missing-under-mpi": ANY | mpirun(2, program="no-such-pw.x"),
    "program-that-prints-nothing": ANY | alone("true"),
    "library-missing": ANY | alone("./broken-pw.x") | {"damage": without_library},
    "pseudopotential-of-other-words": ANY | {"damage": other_words},
    "disk-full-at-the-end": ANY | {"disk": "12k"},
    "file-size-limit": {"deck": "silicon-supercell"} | alone("prlimit", "--fsize=5000000", "pw.x"),
    "segmentation-fault-in-relax": RELAX | {"signal": 11, "at": MIDDLE},
    "frozen-in-relax": RELAX | {"signal": 19, "at": MIDDLE},
}
"""What is done around a deck; where nothing is, the deck bears the name of the case."""

CURES = {
    "scf-too-few-iterations": "electron_maxstep",
    "scf-too-few-iterations-in-relax": "electron_maxstep",
    "scf-oscillating-iron": "mixing_beta",
    "slab-with-short-history": "mixing_beta",
    "metal-with-fixed-occupations": "occupations",
    "aluminium-with-fixed-occupations": "occupations",
    "cholesky-fails": "diagonalization",
    "bands-not-converged": "diagonalization",
    "overlap-not-positive": "diagonalization",
    "zhegvd-fails": "diagonalization",
    "nbnd-too-small": "nbnd",
    "fermi-energy-not-found": "nbnd",
    "more-bands-than-waves": "diagonalization",
    "highest-band-occupied": "nbnd",
    "grid-without-symmetry": "nr1",
    "cell-shrinks-too-far": "cell_factor",
    "cell-is-pressed": "cell_factor",
    "damaged-density": "startingpot",
    "damaged-restart": "restart_mode",
    "damaged-results": "restart_mode",
}
"""The parameter that recovery is expected to change, where it changes one."""
WARNED = ("idle-pools", "magnetisation-vanishes", "oxygen-at-low-cutoff")
OVER_ATTEMPTS = "slab-out-of-time"
SLOW = ("slab-with-short-history",)


def listed(outcome: str, *without: str) -> list[Any]:
    return [
        pytest.param(failure, one["case"], id=one["case"], marks=_marks(one["case"]))
        for failure, found in CASES.items()
        for one in found
        if one["outcome"] == outcome and one["case"] not in without
    ]


def _marks(case: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.slow] if case in SLOW else []


@pytest.fixture
def provoke(bench: Any, case: str) -> Any:
    """Return the case by its name."""
    if case in recordings():
        return bench.recorded(case)
    if case == "damaged-results":
        return bench.case("restart-from-file", damage=bench.halved(RESULTS, after="silicon"))
    how = dict(UNRECORDED.get(case, {"deck": case}))
    needed = how.get("argv", ("pw.x",))[0]
    if needed in {"mpirun", "prlimit"} and shutil.which(needed) is None:
        pytest.skip(f"{needed} is not installed")
    return bench.case(how.pop("deck"), **how)


@pytest.mark.parametrize(("failure", "case"), listed("repaired", OVER_ATTEMPTS))
def test_a_failure_that_can_be_repaired_ends_in_a_result_with_what_was_changed(
    bench: Any, provoke: Any, failure: str, case: str
) -> None:
    ended, directory = bench.run(provoke)
    assert isinstance(ended.outcome, Result), ended.outcome
    assert ended.corrections[0].failure == failure
    if case in CURES:
        assert CURES[case] in {one.parameter for one in ended.corrections}
    expected = reference(bench, provoke, directory, ended.corrections)
    assert ended.outcome.values["energy_ev_per_atom"] == pytest.approx(
        expected, abs=ENERGY_TOLERANCE_EV_PER_ATOM
    )


def reference(
    bench: Any, provoke: Any, directory: Path, corrections: tuple[Correction, ...]
) -> float:
    """Return the energy of a run from the beginning that recovery has no part in.

    It is that of the deck that is known to work; where recovery chose other physics, or began a
    cell anew with other plane waves, of the deck that recovery ended with.
    """
    task = PwInput.read(directory / "pw.in").calculation
    changed = [one.parameter for one in corrections if one.parameter]
    same = task != "vc-relax" and not any(plugin.is_physics(task, name) for name in changed)
    deck = PwInput.read(provoke.cured if same and provoke.cured else directory / "pw.in")
    for keyword in STARTS:
        deck.unset(keyword)
    fresh = directory.with_name("reference")
    fresh.mkdir()
    deck.write(fresh / "reference.in")
    assert bench.run_directly(fresh / "reference.in", fresh) == 0
    found = plugin.parse(task, fresh)
    assert isinstance(found, Result), found
    return float(str(found.values["energy_ev_per_atom"]))


@pytest.mark.parametrize(("failure", "case"), listed("named", *WARNED))
def test_a_failure_that_cannot_be_repaired_ends_with_its_name(
    bench: Any, provoke: Any, failure: str, case: str
) -> None:
    ended, directory = bench.run(provoke)
    assert not isinstance(ended.outcome, Result)
    assert ended.outcome.name == failure
    assert ended.outcome.message
    if ended.exit is not None:
        assert failures(directory)[0].name == failure


@pytest.mark.parametrize(
    ("failure", "case"),
    [one for one in listed("named") if one.values[1] in WARNED],
)
def test_a_result_that_is_to_be_looked_at_bears_a_warning_by_name(
    bench: Any, provoke: Any, failure: str, case: str
) -> None:
    ended, directory = bench.run(provoke)
    assert isinstance(ended.outcome, Result), ended.outcome
    assert not ended.corrections
    found = plugin.diagnose(directory) or ()
    assert [(one.name.value, one.details["severity"]) for one in found] == [(failure, "warning")]


def test_a_calculation_that_was_out_of_time_goes_on_in_its_next_attempt(bench: Any) -> None:
    first, directory = bench.run(bench.case("slab-of-eight", walltime_min=3 / 60))
    assert not isinstance(first.outcome, Result)
    assert first.outcome.name is FailureName.OUT_OF_WALLTIME
    assert first.interrupted
    second, _ = bench.run(bench.case("slab-of-eight"), earlier=directory)
    assert second.continued
    assert isinstance(second.outcome, Result)
    whole, _ = bench.run(bench.case("slab-of-eight"))
    assert isinstance(whole.outcome, Result)
    assert second.outcome.values["program_cpu_s"] < whole.outcome.values["program_cpu_s"]
    assert second.outcome.values["energy_ev_per_atom"] == pytest.approx(
        whole.outcome.values["energy_ev_per_atom"], abs=ENERGY_TOLERANCE_EV_PER_ATOM
    )


def test_every_recorded_failure_is_provoked_for_real() -> None:
    cases = {one["case"] for found in CASES.values() for one in found}
    failed = {name for name, one in recordings().items() if one.failure}
    assert failed - cases == {"out-of-time"}  # it is OVER_ATTEMPTS here: its clock is the worker's


def test_recordings_are_small_and_hold_nothing_of_the_machine_they_were_made_on() -> None:
    files = [path for path in RECORDINGS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < LARGEST_RECORDINGS_BYTES
    for path in files:
        content = path.read_bytes()
        text = gzip.decompress(content) if path.suffix == ".gz" else content
        found = OF_A_MACHINE.search(text)
        assert found is None, f"{path}: {found[0]!r}"


def test_every_case_is_of_a_failure_of_the_catalogue() -> None:
    assert set(CASES) <= set(FailureName)
    assert {one["outcome"] for found in CASES.values() for one in found} == {"repaired", "named"}
