"""From one run of a task to the next one in the same run directory.

Where a directory stands is told by the input that lies there. The values of the self-consistent
run, which the next run's results take the place of, are kept in a file, and so is its input: to
begin again where the density turns out to be damaged.
"""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree as ET

from pydantic import Field, ValidationError

from fireworks_ext.engines.espresso import dos_program
from fireworks_ext.engines.espresso.bands import edges, whole
from fireworks_ext.engines.espresso.eigenvalues import read_eigenvalues
from fireworks_ext.engines.espresso.log import STDOUT
from fireworks_ext.engines.espresso.output import parse, read_results
from fireworks_ext.engines.espresso.program import INPUT
from fireworks_ext.engines.espresso.pw_input import PwInput
from fireworks_ext.engines.espresso.recognition import failures
from fireworks_ext.engines.espresso.spectrum_plan import SpectrumPlan, read_plan
from fireworks_ext.engines.espresso.tasks import DOS_STEP, WITHOUT_SCF, steps_of
from schemas.errors import UserError
from schemas.model import JsonValue, Model
from schemas.result import Result

GROUND_STATE_FILE = "ground_state.json"
GROUND_STATE_INPUT = "scf.in"
EIGENVALUE_THRESHOLD_RY = 1e-9
"""INPUT_PW, diago_thr_init: below a hundredth of a meV, and not the tenth of conv_thr per electron
that pw.x takes, which is below what rounding leaves."""


class GroundState(Model):
    """What the self-consistent run said, beside the density that it left."""

    values: dict[str, JsonValue]
    vbm_ev: float | None = Field(default=None, description="On its mesh; None: bands tell none.")
    cbm_ev: float | None = None
    program: str


def read_ground_state(directory: Path) -> GroundState | None:
    """Return what the self-consistent run in a directory said; None as long as it did not end."""
    try:
        return GroundState.model_validate_json((directory / GROUND_STATE_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def step_of(directory: Path, plan: SpectrumPlan) -> str:
    """Return the step whose input lies in a directory.

    Raises
    ------
    UserError
        When there is no input that can be read.
    """
    if DOS_STEP in steps_of(plan.task) and (directory / dos_program.INPUT).is_file():
        return DOS_STEP
    return PwInput.read(directory / INPUT).calculation


def has_run(directory: Path, step: str) -> bool:
    """Tell whether the program of a step was started in a directory."""
    name = dos_program.STDOUT if step == DOS_STEP else STDOUT
    return any((directory / one).exists() for one in (name, f"{name}.gz"))  # results are compressed


def ended_well(directory: Path, step: str) -> bool:
    """Tell whether the last run in a directory was that of a step, and went well."""
    if not has_run(directory, step) or failures(directory):
        return False
    if step == DOS_STEP:
        return dos_program.find_table(directory) is not None
    if step not in WITHOUT_SCF:
        return isinstance(parse(step, directory), Result)
    try:
        root = read_results(directory)
    except (OSError, ET.ParseError):
        return False
    return root.findtext("input/control_variables/calculation") == step


def advance(directory: Path, plan: SpectrumPlan) -> str | None:
    """Have the next step's input written after a run; None where it failed, or was the last.

    A kill between two writes leaves a directory where the same call does the rest.
    """
    step, steps = step_of(directory, plan), steps_of(plan.task)
    if not ended_well(directory, step) or step == steps[-1]:
        return None
    following = steps[steps.index(step) + 1]
    if step not in WITHOUT_SCF:
        ground_state = ground_state_of(directory)
        if ground_state is None:
            return None
        leave_ground_state(ground_state, directory, plan)
    else:
        text = dos_program.dos_text(plan.step_ev, plan.broadening_ev)
        _write(directory / dos_program.INPUT, text)
    return following


def ground_state_of(directory: Path) -> GroundState | None:
    """Return what a self-consistent run says that ended well; None for any other."""
    plan = read_plan(directory)
    try:
        if plan is None or step_of(directory, plan) in (*WITHOUT_SCF, DOS_STEP):
            return None
    except UserError:
        return None
    outcome = parse("scf", directory)
    if not isinstance(outcome, Result) or not has_run(directory, "scf"):
        return None
    output = read_results(directory).find("output")
    found = read_eigenvalues(output) if output is not None else None
    counts = whole(found.filled) if found is not None and found.filled is not None else None
    around = edges(found.channels, counts) if found is not None and counts is not None else None
    return GroundState(
        values=outcome.values,
        vbm_ev=around.vbm_ev if around else None,
        cbm_ev=around.cbm_ev if around else None,
        program=outcome.program,
    )


def leave_ground_state(ground_state: GroundState, directory: Path, plan: SpectrumPlan) -> None:
    """Write what the self-consistent run said, and the input of the run after it."""
    deck = PwInput.read(directory / INPUT)
    _write(directory / GROUND_STATE_INPUT, deck.text)
    _write(directory / GROUND_STATE_FILE, ground_state.model_dump_json() + "\n")
    following_deck(deck, steps_of(plan.task)[1], plan).write(directory / INPUT)


def return_to_ground_state(directory: Path) -> bool:
    """Have the directory begin with self-consistency again; False where that is what it does."""
    try:
        first = PwInput.read(directory / GROUND_STATE_INPUT)
    except UserError:
        return False
    # In this order: without its ground state, nothing takes the directory for one that has it.
    (directory / GROUND_STATE_FILE).unlink(missing_ok=True)
    (directory / dos_program.INPUT).unlink(missing_ok=True)
    first.write(directory / INPUT)
    (directory / GROUND_STATE_INPUT).unlink()
    return True


def following_deck(deck: PwInput, step: str, plan: SpectrumPlan) -> PwInput:
    """Return the input of a run that keeps the density of the run before it.

    All else stays as it is, with what recovery changed.
    """
    new = PwInput(deck.text)
    new.set("calculation", step)
    for keyword in ("tprnfor", "tstress"):
        new.set(keyword, value=False)
    # One k-point at a time is in memory: there are many.
    new.set("disk_io", "medium")
    given = deck.get("nbnd")
    new.set("nbnd", max(plan.n_bands, given if isinstance(given, int) else 0))
    for keyword in ("restart_mode", "startingpot", "startingwfc"):
        new.unset(keyword)
    if new.get("diago_thr_init") is None:
        new.set("diago_thr_init", EIGENVALUE_THRESHOLD_RY)
    if plan.path is not None:
        points = [" ".join(f"{x:.10f}" for x in k) + " 1" for k in plan.path.kpoints_frac]
        new.set_kpoints("crystal", [str(len(points)), *points])
    if plan.kmesh is not None:
        new.set_kpoints("automatic", [" ".join(str(n) for n in (*plan.kmesh, 0, 0, 0))])
        if plan.broadening_ev is None:
            new.set("occupations", "tetrahedra_opt")
            for keyword in ("smearing", "degauss"):
                new.unset(keyword)
    return new


def _write(path: Path, text: str) -> None:
    """Write a file in one step."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)  # noqa: PTH105
