"""The program in the place of pw.x: it fails like a recording until a remedy is in its deck."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fireworks_ext.engines.espresso.continuation import PwContinuation
from fireworks_ext.engines.espresso.pw_input import PwInput
from fireworks_ext.engines.espresso.units import BOHR_ANG, HARTREE_EV
from fireworks_ext.engines.rehearsal.engine import PROGRAM
from fireworks_ext.engines.rehearsal.program import retelling
from fireworks_ext.engines.rehearsal.program.given_deck import (
    GivenDeck,
    UnreadableDeck,
    read_deck,
)
from fireworks_ext.engines.rehearsal.program.remedies import Given, cured, is_there
from schemas.failure import Failure
from schemas.result import Result

DECK = """&CONTROL
  calculation = 'scf' ! comment with = 1
  restart_mode = 'restart'
/
&SYSTEM
  ecutwfc = 3.0d1, nbnd=8
  starting_magnetization( 1) = 0.5
/
&ELECTRONS
  mixing_beta = 0.25
  electron_maxstep = 7
/
ATOMIC_SPECIES
  Na 22.99 Na.UPF
CELL_PARAMETERS angstrom
 0.0 2.8 2.8
 2.8 0.0 2.8
 2.8 2.8 0.0
ATOMIC_POSITIONS crystal
  Na1 0.0 0.0 0.0
  Cl  0.5 0.5 0.5
K_POINTS automatic
  2 2 2 0 0 0
"""


def given(text: str = DECK, argv: tuple[str, ...] = (), **more: Any) -> Given:
    deck = read_deck(text)
    return Given(deck, argv, more.pop("first", (*deck.lattice_ang, *deck.frac_coords)), **more)


def test_a_deck_is_read_as_far_as_it_is_needed() -> None:
    deck = read_deck(DECK)
    assert deck.keywords["calculation"] == "scf"
    assert deck.number("ecutwfc") == 30
    assert deck.keywords["starting_magnetization(1)"] == "0.5"
    assert deck.restarts
    assert deck.labels == ("Na1", "Cl")
    assert deck.frac_coords[1] == (0.5, 0.5, 0.5)
    assert deck.lattice_ang[0] == (0.0, 2.8, 2.8)


@pytest.mark.parametrize(
    "text", ["", "&control\n/\n", DECK.replace("angstrom", "bohr"), DECK.replace("0.5 0.5", "x y")]
)
def test_a_deck_that_cannot_be_rehearsed_is_refused(text: str) -> None:
    with pytest.raises(UnreadableDeck):
        read_deck(text)


@pytest.mark.parametrize(
    ("remedy", "there"),
    [
        ({"keyword": "mixing_beta", "at_most": 0.3}, True),
        ({"keyword": "mixing_beta", "at_most": 0.2}, False),
        ({"keyword": "electron_maxstep", "at_least": 7}, True),
        ({"keyword": "electron_maxstep", "at_least": 8}, False),
        ({"keyword": "mixing_ndim", "at_least": 8, "default": 8}, True),
        ({"keyword": "mixing_ndim", "at_least": 8}, False),
        ({"keyword": "diagonalization", "is": ["cg", "paro"], "default": "david"}, False),
        ({"keyword": "diagonalization", "is": ["cg", "david"], "default": "david"}, True),
        ({"keyword": "nbnd", "is": None}, False),
        ({"keyword": "nr1", "is": None}, True),
        ({"keyword": "nosym", "is": True, "default": False}, False),
        ({"argv": "-nk", "at_most": 2}, False),
        ({"argv": "-nk", "at_most": 4}, True),
        ({"argv": "-nb", "at_most": 1}, True),
        ({"restart": True}, True),
        ({"again": True}, False),
        ({"attempt": True}, False),
        ({"structure": "moved"}, False),
    ],
)
def test_a_remedy_is_there_or_not(remedy: dict[str, Any], *, there: bool) -> None:
    assert is_there(remedy, given(argv=("-nk", "4", "-in", "pw.in"))) is there


def test_remedies_are_alternatives_and_no_remedy_cures_nothing() -> None:
    never = {"keyword": "mixing_beta", "at_most": 0.0}
    assert cured("hung", [never, {"restart": True}], given())
    assert not cured("hung", [never], given())
    assert not cured("hung", [], given())


def test_what_went_before_and_where_the_atoms_are_can_be_remedies() -> None:
    assert is_there({"again": True}, given(met=["hung"]), "hung")
    assert not is_there({"again": True}, given(met=["crashed"]), "hung")
    assert not is_there({"attempt": True}, given(met=["hung"]), "hung")
    assert is_there({"attempt": True}, given(met_before=["hung"]), "hung")
    elsewhere = (*given().first[:-1], (0.5, 0.5, 0.50001))
    assert is_there({"structure": "moved"}, given(first=elsewhere))


def test_an_unknown_kind_of_remedy_is_not_taken_for_absent() -> None:
    with pytest.raises(ValueError, match="no such remedy"):
        is_there({"weather": "fine"}, given())


def test_the_constants_are_those_of_the_parser() -> None:
    assert retelling.BOHR_ANG == BOHR_ANG
    assert retelling.HARTREE_EV == HARTREE_EV


def test_it_fails_until_a_remedy_of_its_recording_is_in_the_deck(rehearsal: Any) -> None:
    calculation = rehearsal.calculation(failures={"too_few_bands": 1.0})
    directory = rehearsal.prepared(calculation)
    for _ in range(2):
        assert rehearsal.play(calculation, directory) == 1
        assert isinstance(rehearsal.engine.parse("scf", directory), Failure)
    deck = PwInput.read(directory / "pw.in")
    deck.set("nbnd", 20)
    deck.write(directory / "pw.in")
    assert rehearsal.play(calculation, directory) == 0
    assert isinstance(rehearsal.engine.parse("scf", directory), Result)


def test_a_signal_ends_it_in_mid_output_and_it_works_when_it_is_started_again(
    rehearsal: Any,
) -> None:
    calculation = rehearsal.calculation(failures={"killed_by_signal": 1.0})
    directory = rehearsal.prepared(calculation)
    assert rehearsal.play(calculation, directory) == -signal.SIGKILL
    printed = (directory / "pw.out").read_text()
    assert "iteration #" in printed
    assert "JOB DONE" not in printed
    assert rehearsal.play(calculation, directory) == 0


def test_a_rehearsal_that_hangs_prints_nothing_more_and_does_not_end(rehearsal: Any) -> None:
    calculation = rehearsal.calculation(failures={"hung": 1.0})
    directory = rehearsal.prepared(calculation)
    process = rehearsal.start(calculation, directory)
    try:
        deadline = time.monotonic() + 10
        while not (size := (directory / "pw.out").stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.3)
        assert process.poll() is None
        first = (directory / "pw.out").stat().st_size
        time.sleep(0.2)
        assert (directory / "pw.out").stat().st_size == first >= size > 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("task", ["scf", "relax", "vc-relax"])
def test_it_obeys_the_exit_file_and_goes_on_from_what_it_saved(rehearsal: Any, task: str) -> None:
    plain = rehearsal.calculation(task)
    straight = rehearsal.prepared(plain, attempt=9)
    rehearsal.play(plain, straight)

    calculation = rehearsal.calculation(task, time_scale=1.0)
    directory = rehearsal.prepared(calculation)
    process = rehearsal.start(calculation, directory)
    while "iteration #  2" not in (directory / "pw.out").read_text() and process.poll() is None:
        time.sleep(0.005)
    (directory / "out").mkdir(exist_ok=True)
    (directory / "out/pwscf.EXIT").touch()
    assert process.wait(20) == 2
    assert "Program stopped by user request" in (directory / "pw.out").read_text()
    assert not (directory / "out/pwscf.EXIT").exists()

    continuation = PwContinuation()
    assert continuation.problem(directory) is None
    assert "scf iteration" in continuation.restart(directory, directory)
    assert rehearsal.play(calculation, directory) == 0
    printed = (directory / "pw.out").read_text()
    assert len(re.findall("iteration # +1 ", printed)) < len(
        re.findall("iteration # +1 ", (straight / "pw.out").read_text())
    )
    ours, theirs = (rehearsal.engine.parse(task, one) for one in (directory, straight))
    assert ours.values["energy_ev"] == theirs.values["energy_ev"]
    assert ours.structure == theirs.structure


def test_it_stops_at_the_end_of_max_seconds(rehearsal: Any) -> None:
    calculation = rehearsal.calculation("vc-relax", time_scale=1.0)
    directory = rehearsal.prepared(calculation)
    PwContinuation().limit(directory, 0.4)  # max_seconds 0.2
    assert rehearsal.play(calculation, directory) == 2
    assert "Maximum CPU time exceeded" in (directory / "pw.out").read_text()
    assert PwContinuation().problem(directory) is None


def test_time_scale_stretches_a_run(rehearsal: Any) -> None:
    took = {}
    for attempt, scale in enumerate((0.0, 1.5), start=1):
        calculation = rehearsal.calculation(time_scale=scale)
        directory = rehearsal.prepared(calculation, attempt)
        began = time.monotonic()
        rehearsal.play(calculation, directory)
        took[scale] = time.monotonic() - began
    assert took[1.5] > took[0.0] + 0.4  # of 1.5 times some 0.5 s


def test_it_says_which_version_it_plays_when_it_is_asked_without_a_deck() -> None:
    argv = [sys.executable, "-I", "-S", str(PROGRAM)]
    said = subprocess.run(argv, input="", capture_output=True, text=True, check=False)
    assert "Program PWSCF v.6.7MaX starts" in said.stdout


def test_it_says_what_is_wrong_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "pw.in").write_bytes(b"\x00\xff")
    argv = [sys.executable, "-I", "-S", str(PROGRAM), "-in", "pw.in"]
    said = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert "Traceback" not in said.stderr
    assert "rehearsal:" in said.stderr


def test_it_imports_nothing_slow() -> None:
    names = "dataclasses typing pathlib enum pydantic"
    code = (
        "import sys; sys.path.append(sys.argv[1]);"
        "import fireworks_ext.engines.rehearsal.program.play;"
        f"print([name for name in '{names}'.split() if name in sys.modules and name != 'enum'])"
    )
    root = str(PROGRAM.parents[4])
    argv = [sys.executable, "-I", "-S", "-c", code, root]
    said = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_the_last_assignment_of_a_keyword_counts() -> None:
    deck = read_deck(DECK.replace("nbnd=8", "nbnd=8\n nbnd = 9"))
    assert isinstance(deck, GivenDeck)
    assert deck.number("nbnd") == 9
