"""Results of the tasks of several runs: bands along a path, and densities of states."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from fireworks_ext.engines.espresso import band_structure, density_of_states, dos_program
from fireworks_ext.engines.espresso import output as single_run
from fireworks_ext.engines.espresso.columns import columns_of
from fireworks_ext.engines.espresso.eigenvalues import Eigenvalues, read_eigenvalues
from fireworks_ext.engines.espresso.output import XML_FILE, read_deck, read_results
from fireworks_ext.engines.espresso.recognition import diagnose, failures
from fireworks_ext.engines.espresso.spectrum_plan import PLAN_FILE, SpectrumPlan, read_plan
from fireworks_ext.engines.espresso.spectrum_steps import (
    GroundState,
    ended_well,
    read_ground_state,
    step_of,
)
from fireworks_ext.engines.espresso.tasks import STEPS, steps_of
from schemas.errors import UserError
from schemas.failure import Failure, FailureName
from schemas.model import JsonValue
from schemas.result import Result
from schemas.structure import Structure


def parse(task: str, directory: Path) -> Result | Failure:
    """Return the result of a run directory, or how it failed; the files alone decide.

    Only runs that ended by themselves and converged are a result, for tasks of several runs all of
    them.
    """
    if task not in STEPS:
        return single_run.parse(task, directory)
    if diagnose(directory) is None:
        return Failure(name=FailureName.OUTPUT_MISSING, message="no output of pw.x is there")
    for failure in failures(directory):
        return failure
    try:
        return _result(task, directory)
    except FileNotFoundError as error:
        return Failure(name=FailureName.XML_MISSING, message=f"{error.filename} is not there")
    except (OSError, ET.ParseError, LookupError, ValueError, AttributeError) as error:
        return Failure(
            name=FailureName.XML_UNREADABLE,
            message=f"the results cannot be read: {type(error).__name__}: {error}",
        )


def _result(task: str, directory: Path) -> Result | Failure:
    plan, ground_state = read_plan(directory), read_ground_state(directory)
    deck, last = read_deck(directory), steps_of(task)[-1]
    if plan is None or deck is None:
        return _incomplete(f"{PLAN_FILE} or the deck is not there, so this is no run of '{task}'")
    if ground_state is None or not _is_at(directory, plan, last) or not ended_well(directory, last):
        return _incomplete(f"the last run of '{task}', {last}, has not been made")
    return Result(
        values={column.name: None for column in columns_of(task)}
        | _values(plan, ground_state, deck.structure, directory),
        structure=deck.structure,
        program=ground_state.program,
        products={"structure": XML_FILE},
    )


def _is_at(directory: Path, plan: SpectrumPlan, step: str) -> bool:
    try:
        return step_of(directory, plan) == step
    except UserError:
        return False


def _incomplete(message: str) -> Failure:
    return Failure(name=FailureName.OUTPUT_INCOMPLETE, message=message)


def _values(
    plan: SpectrumPlan, ground_state: GroundState, structure: Structure, directory: Path
) -> dict[str, JsonValue]:
    """Return the values of the row: energies of the self-consistent run, bands of the last one."""
    root = read_results(directory)
    output = root.find("output")
    moment = ground_state.values.get("total_magnetisation_bohr")
    found = None
    if output is not None:
        found = read_eigenvalues(output, float(moment) if isinstance(moment, int | float) else None)
    if found is None or found.filled is None:
        raise LookupError(f"no bands in {XML_FILE}")
    values = {**ground_state.values, **_sizes(found)}
    if plan.path is not None:
        return values | band_structure.values(plan.path, found, ground_state)
    place = dos_program.find_table(directory)
    if place is None:
        raise LookupError(f"no {dos_program.TABLE}")
    table = dos_program.read_table(place)
    return values | density_of_states.values(table, found, ground_state, structure.n_atoms)


def _sizes(found: Eigenvalues) -> dict[str, JsonValue]:
    first = found.channels[0]
    return {"n_bands": len(first[0]), "n_kpoints": len(first)}
