"""The engine is espresso's in all but the program, and says everywhere that it rehearses."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from fireworks_ext.engines.espresso import plugin as espresso
from fireworks_ext.engines.espresso.elements import SYMBOLS
from fireworks_ext.engines.rehearsal.family import valence
from schemas import registry
from schemas.protocols import Calculation
from schemas.resources import Resources
from schemas.result import Result


def test_it_is_found_by_its_name_and_needs_python_alone(rehearsal: Any) -> None:
    assert registry.engines.get("rehearsal") is rehearsal.engine
    assert rehearsal.engine.programs(rehearsal.site) == (sys.executable,)
    assert [one.state for one in rehearsal.engine.examine(rehearsal.site)] == ["ok"]


def test_any_family_is_replaced_by_one_that_has_every_element(rehearsal: Any) -> None:
    for n, element in enumerate(SYMBOLS):
        cell = rehearsal.cell(element, SYMBOLS[n - 1])
        calculation = rehearsal.calculation(structure=cell, pseudopotentials="nobody-has-it")
        assert set(rehearsal.engine.files(cell, calculation.params, rehearsal.site)) == set(
            cell.elements
        )
        assert calculation.params.valences[element] == valence(element) > 0


def test_the_deck_is_that_of_espresso(rehearsal: Any) -> None:
    from fireworks_ext.engines.rehearsal.engine import stage

    calculation = rehearsal.calculation("vc-relax")
    ours = rehearsal.prepared(calculation)
    theirs = rehearsal.folder / "espresso"
    theirs.mkdir()
    espresso.inputs(calculation, theirs, stage(rehearsal.site))
    assert (ours / "pw.in").read_text() == (theirs / "pw.in").read_text()


def test_its_handlers_are_those_of_espresso(rehearsal: Any) -> None:
    calculation = rehearsal.calculation()
    ours, theirs = (one.handlers(calculation) for one in (rehearsal.engine, espresso))
    assert [type(one) for one in ours] == [type(one) for one in theirs]


def test_a_result_and_its_directory_say_that_it_was_a_rehearsal(rehearsal: Any) -> None:
    calculation = rehearsal.calculation()
    directory = rehearsal.prepared(calculation)
    rehearsal.play(calculation, directory)
    outcome = rehearsal.engine.parse("scf", directory)
    assert isinstance(outcome, Result)
    assert outcome.program == "rehearsal (PWSCF 6.7MaX recorded)"
    assert "nothing is computed" in json.loads((directory / "rehearsal.json").read_text())["about"]


def test_a_directory_of_a_real_run_is_not_its_own(rehearsal: Any, tmp_path: Path) -> None:
    (tmp_path / "pw.out").write_text("     Program PWSCF v.6.7MaX starts on\n")
    assert rehearsal.engine.diagnose(tmp_path) is None
    directory = rehearsal.prepared(rehearsal.calculation(failures={"atoms_overlap": 1.0}))
    rehearsal.play(rehearsal.calculation(failures={"atoms_overlap": 1.0}), directory)
    assert [one.name for one in rehearsal.engine.diagnose(directory)] == ["atoms_overlap"]


def test_ranks_are_asked_for_with_the_flags_of_pw_and_without_mpi(rehearsal: Any) -> None:
    given = rehearsal.calculation(resources=Resources(cores=2))
    argv = rehearsal.engine.command(given, rehearsal.site).argv
    assert argv[0] == sys.executable
    assert "-nk" in argv
    assert argv[-2:] == ("-in", "pw.in")


def test_a_later_stage_starts_from_the_charge_density_of_a_rehearsal(rehearsal: Any) -> None:
    first = rehearsal.calculation("vc-relax")
    upstream = rehearsal.prepared(first)
    rehearsal.play(first, upstream)
    cell = rehearsal.engine.parse("vc-relax", upstream).structure
    plain = rehearsal.calculation("scf", structure=cell)
    second = Calculation(
        "scf", cell, plain.params, Resources(), upstream={"charge_density": upstream}
    )
    directory = rehearsal.prepared(second, attempt=2)
    assert rehearsal.play(second, directory) == 0
    assert rehearsal.engine.parse("scf", directory).structure == cell


def test_a_slow_rehearsal_is_not_taken_for_one_that_hangs(rehearsal: Any) -> None:
    from fireworks_ext.engines.rehearsal.recordings import FOLDER

    scale = 50.0
    calculation = rehearsal.calculation(time_scale=scale)
    recorded_s = [
        seconds
        for path in FOLDER.glob("*/recording.json")
        for name, seconds in json.loads(path.read_text()).items()
        if name.endswith("_seconds")
    ]
    silence_s = rehearsal.engine.command(calculation, rehearsal.site).silence_s
    assert silence_s > scale * max(recorded_s)
