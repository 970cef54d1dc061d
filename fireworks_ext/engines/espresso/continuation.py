"""How runs of pw.x are stopped, and how they go on: `schemas.protocols.Continuation`.

pw.x stops at the next k-point when it finds the file `<prefix>.EXIT` in its outdir, or when
`max_seconds` are over, and then saves all that the middle of an scf cycle needs (INPUT_PW,
`max_seconds` and `restart_mode`). Ended by a signal it has saved the structure after each ionic
step, and nothing of an scf cycle. What was measured is in docs/continuation.md.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

from fireworks_ext.engines.espresso import dos_program
from fireworks_ext.engines.espresso.deck import OUT_DIRECTORY, PREFIX, SAVE_DIRECTORY
from fireworks_ext.engines.espresso.log import STDOUT
from fireworks_ext.engines.espresso.output import XML_FILE
from fireworks_ext.engines.espresso.printed_structure import Printed, printed_structures
from fireworks_ext.engines.espresso.program import INPUT
from fireworks_ext.engines.espresso.pw_input import PwInput
from fireworks_ext.engines.espresso.saved_files import (
    DENSITY,
    HISTORY_FILE,
    ITERATION_FILES,
    WAVEFUNCTION_FILES,
    density_problem,
    read_history,
    same_positions,
)
from fireworks_ext.engines.espresso.saved_state import SavedState, read_state
from fireworks_ext.engines.espresso.spectrum_plan import PLAN_FILE, read_plan
from fireworks_ext.engines.espresso.spectrum_steps import (
    GROUND_STATE_FILE,
    GROUND_STATE_INPUT,
    ground_state_of,
    leave_ground_state,
    return_to_ground_state,
)
from fireworks_ext.engines.espresso.state_files import (
    RECOVERY_FILE,
    fetch_input,
    fetch_parts,
    fetch_state,
    leave_out_damaged,
    remove,
)
from fireworks_ext.engines.espresso.tasks import WITHOUT_SCF
from schemas.errors import UserError

COMMAND_FILE = "command.json"
RUNS = "runs"

RUNNING_SHARE = 0.95
"""Of the walltime: what is left is for the last k-point, and for writing."""
SAVING_S = 20.0
"""At least so much is left, where the walltime is long enough for it."""
LEAST_SHARE = 0.5
"""Of a walltime that is hardly longer than that."""

_RANKS = ("-n", "-np", "--np", "--ntasks")
_POOLS = ("-nk", "-npool", "-npools")
_STARTS = ("startingpot", "startingwfc")


class PwContinuation:
    """Stops and continues runs of pw.x in the layout of this engine (`out/`, prefix `pwscf`)."""

    stop_file = f"{OUT_DIRECTORY}/{PREFIX}.EXIT"

    state = (
        INPUT,
        RECOVERY_FILE,
        PLAN_FILE,
        GROUND_STATE_FILE,
        GROUND_STATE_INPUT,
        XML_FILE,
        f"{DENSITY}.*",
        f"{SAVE_DIRECTORY}/*.txt",
        HISTORY_FILE,
        f"{OUT_DIRECTORY}/{PREFIX}.update",
        *ITERATION_FILES,
        WAVEFUNCTION_FILES,
    )

    def limit(self, directory: Path, seconds: float) -> None:
        """Have the next run stop by itself while there is time left to save its state.

        Files that hold one part for each rank go when the run is to have other ranks or pools.
        """
        try:
            deck = PwInput.read(directory / INPUT)
        except UserError:
            return  # pw.x itself says what is wrong with its input
        ends_s = max(min(RUNNING_SHARE * seconds, seconds - SAVING_S), LEAST_SHARE * seconds)
        deck.set("max_seconds", round(ends_s, 1))
        deck.write(directory / INPUT)
        if deck.get("restart_mode") == "restart":
            _fit_ranks(directory)

    def problem(self, source: Path) -> str | None:
        """Return why a state is not whole, or None for one that can be continued.

        A state can be continued without its lesser parts (the minimiser's history, the middle of an
        scf cycle); `restart` leaves out those that are damaged.
        """
        found = read_state(source)
        return found if isinstance(found, str) else None

    def restart(self, source: Path, directory: Path) -> str:
        """Have the next run in `directory` go on from a state that is whole; say from where.

        Raises
        ------
        UserError
            For a state that has a problem.
        """
        found = read_state(source)
        if isinstance(found, str):
            raise UserError(f"{source}: {found}")
        ended, plan = ground_state_of(source), read_plan(source)
        fetch_input(source, directory)
        if ended is not None and plan is not None:
            # Before the state is moved: it is known of the source alone that its run ended.
            leave_ground_state(ended, directory, plan)
        fetch_state(source, directory, self.state)
        leave_out_damaged(directory, found)
        (directory / self.stop_file).unlink(missing_ok=True)
        if ended is not None:
            return "the end of self-consistency" + _origin(source, directory)
        deck = PwInput.read(directory / INPUT)
        again = found.kpoint is None and deck.calculation in WITHOUT_SCF
        deck.set("restart_mode", "from_scratch" if again else "restart")
        for keyword in _STARTS:
            deck.unset(keyword)  # pw.x takes both from files when it restarts
        deck.write(directory / INPUT)
        return _words(found) + _origin(source, directory)

    def last_structure(self, source: Path, directory: Path) -> str | None:
        """Have the next run begin at the last structure that a damaged run printed, if any.

        Where the minimiser's history is whole and of the step before, it is kept; the input with
        what handlers changed in it is taken along in any case. For scf, whose structure stays, the
        run begins with the charge density where that one is whole. A task of several runs begins
        with the first one.
        """
        try:
            deck = PwInput.read(source / INPUT)
        except UserError:
            return None
        if deck.calculation in WITHOUT_SCF:
            return _first_run(source, directory)
        in_place = source.resolve() == directory.resolve()
        found = _last_printed(source, deck)
        density = found is None and deck.calculation == "scf" and _density_alone(source)
        changed = (source / RECOVERY_FILE).exists()
        if found is None and not density and not changed and not in_place:
            return None
        fetch_input(source, directory)
        history = found is not None and _history_fits(source, deck, found)
        fetch_parts(source, directory, density=density, history=history)
        if found is not None:
            last = found[-1]
            deck.set_structure(last.lattice_ang, last.labels, last.frac_coords)
        deck.set("restart_mode", "restart" if history else "from_scratch")
        for keyword in _STARTS:
            deck.unset(keyword)
        if density:
            deck.set("startingpot", "file")
        deck.write(directory / INPUT)
        what = "the beginning, with the charge density" if density else "the beginning"
        if found is not None:
            what = "the last structure printed" + (
                " and the minimiser's history" if history else ""
            )
        return what + _origin(source, directory)


def _first_run(source: Path, directory: Path) -> str | None:
    """Have a task of several runs begin with the first, with what handlers changed in it."""
    in_place = source.resolve() == directory.resolve()
    changed = (source / RECOVERY_FILE).exists() and (source / GROUND_STATE_INPUT).exists()
    if (in_place and (directory / dos_program.INPUT).exists()) or not (in_place or changed):
        return None
    fetch_input(source, directory)
    return_to_ground_state(directory)
    return "the beginning" + _origin(source, directory)


def _fit_ranks(directory: Path) -> None:
    """Remove the files of single ranks unless the next run has the same ranks and pools."""
    found = read_state(directory)
    try:
        argv = json.loads((directory / COMMAND_FILE).read_text(encoding="utf-8"))["argv"]
        ranks, pools = _number(argv, _RANKS), _number(argv, _POOLS)
    except (OSError, ValueError, LookupError, TypeError):
        return
    if not isinstance(found, str) and (found.ranks, found.pools) != (ranks, pools):
        remove(directory, *ITERATION_FILES, WAVEFUNCTION_FILES)


def _number(argv: list[str], flags: tuple[str, ...]) -> int:
    for flag, value in pairwise(part for word in argv for part in word.split("=")):
        if flag in flags:
            return int(value)
    return 1


def _last_printed(source: Path, deck: PwInput) -> list[Printed] | None:
    """Return the structures of the newest run that printed any, the last one last."""
    runs = [run for run in (source / RUNS).glob("*") if run.name.isdigit()]
    runs.sort(key=lambda run: int(run.name), reverse=True)
    for folder in (source, *runs):
        try:
            own = PwInput.read(folder / INPUT)
        except UserError:
            own = deck
        found = printed_structures(folder / STDOUT, own)
        if found and found[-1].labels == deck.labels():
            return found
    return None


def _history_fits(source: Path, deck: PwInput, found: list[Printed]) -> bool:
    """Tell whether the minimiser last saw the structure before the last printed one.

    With another cell in the input pw.x measures in another unit, and ends on the old history.
    """
    if deck.calculation != "relax":
        return False
    ndim = deck.get("bfgs_ndim")
    history = read_history(source, len(deck.labels()), ndim if isinstance(ndim, int) else 1)
    if history is None or isinstance(history, str) or len(found) < 2:  # noqa: PLR2004
        return False
    return same_positions(history.positions, found[-2].frac_coords, digits_printed=True)


def _density_alone(source: Path) -> bool:
    return density_problem(source, None) is None


def _words(found: SavedState) -> str:
    words = f"ionic step {found.ionic_step}" if found.relaxing else "the charge density"
    if found.kpoint is not None:
        return f"k-point {found.kpoint}"
    if found.iteration is not None:
        within = f"scf iteration {found.iteration}"
        words = f"{words}, {within}" if found.relaxing else within
    if found.history is not None:
        words += " (without the minimiser's history)"
    return words


def _origin(source: Path, directory: Path) -> str:
    if source.resolve() == directory.resolve():
        return ""
    sibling = source.resolve().parent == directory.resolve().parent
    return f" of {'attempt' if sibling else 'checkpoint'} {source.name}"
