"""Every failure that can be rehearsed: recovery repairs it, or it ends under its own name."""

from __future__ import annotations

from typing import Any

import pytest

from fireworks_ext.engines.espresso.tasks import SINGLE_RUNS
from fireworks_ext.engines.rehearsal.recordings import names
from schemas.failure import Failure
from schemas.resources import Resources
from schemas.result import Result

REPAIRED = [(task, name) for task in SINGLE_RUNS for name in names(task, repairable=True)]
LEFT = [(task, name) for task in SINGLE_RUNS for name in names(task, repairable=False)]
CONTINUED = {"out_of_walltime"}
"""What ends an attempt well: another one goes on."""
OF_THE_PATH = {"scf_iterations", "scf_accuracy_ry", "program_walltime_s", "program_cpu_s"}


@pytest.mark.parametrize(("task", "name"), REPAIRED)
def test_a_repairable_failure_is_repaired_and_told(rehearsal: Any, task: str, name: str) -> None:
    calculation = rehearsal.calculation(task, failures={name: 1.0})
    ended = rehearsal.recovered(calculation)
    if name in CONTINUED:
        assert ended.interrupted
        assert ended.outcome.name == name
        ended = rehearsal.recovered(calculation, attempt=2)
        assert ended.continued
    else:
        assert {one.failure for one in ended.corrections} == {name}
    assert isinstance(ended.outcome, Result), ended.outcome


@pytest.mark.parametrize(("task", "name"), LEFT)
def test_an_unrepairable_failure_ends_under_its_own_name(
    rehearsal: Any, task: str, name: str
) -> None:
    ended = rehearsal.recovered(rehearsal.calculation(task, failures={name: 1.0}))
    assert isinstance(ended.outcome, Failure)
    assert ended.outcome.name == name


def test_a_second_failure_is_repaired_after_the_first(rehearsal: Any) -> None:
    calculation = rehearsal.calculation(failures={"scf_not_converged": 1.0}, again=1.0)
    ended = rehearsal.recovered(calculation)
    assert isinstance(ended.outcome, Result), ended.outcome
    assert len({one.failure for one in ended.corrections}) == 2


@pytest.mark.parametrize("task", SINGLE_RUNS)
def test_a_repaired_run_has_the_energy_and_structure_of_a_clean_one(
    rehearsal: Any, task: str
) -> None:
    clean = rehearsal.recovered(rehearsal.calculation(task), attempt=1).outcome
    (rehearsal.folder / "1").rename(rehearsal.folder / "clean")
    failing = rehearsal.calculation(task, failures={"scf_not_converged": 1.0})
    repaired = rehearsal.recovered(failing).outcome
    for column in ("energy_ev", "band_gap_ev", "volume_ang3"):
        assert repaired.values[column] == pytest.approx(clean.values[column], abs=1e-8)
    assert repaired.structure == clean.structure


def test_a_protected_keyword_is_neither_planted_nor_changed(rehearsal: Any) -> None:
    from fireworks_ext.engines.espresso.pw_input import PwInput

    calculation = rehearsal.calculation(
        failures={"scf_not_converged": 1.0},
        protected=("electron_maxstep", "mixing_beta"),
        electron_maxstep=61,
        mixing_beta=0.55,
    )
    rehearsal.recovered(calculation)
    for path in (rehearsal.folder / "1").glob("**/pw.in"):
        deck = PwInput.read(path)
        assert (deck.get("electron_maxstep"), deck.get("mixing_beta")) == (61, 0.55)


def test_with_much_more_memory_than_estimated_none_is_missing(rehearsal: Any) -> None:
    given = Resources(memory_gb=64.0)
    calculation = rehearsal.calculation(failures={"out_of_memory": 1.0}, resources=given)
    assert isinstance(rehearsal.recovered(calculation).outcome, Result)


def test_another_attempt_finds_room_on_the_disk(rehearsal: Any) -> None:
    calculation = rehearsal.calculation(failures={"disk_full": 1.0})
    assert rehearsal.recovered(calculation).outcome.name == "disk_full"
    assert isinstance(rehearsal.recovered(calculation, attempt=2).outcome, Result)
