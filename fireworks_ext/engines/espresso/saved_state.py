"""What pw.x left to go on from, and which of it is whole.

What a run needs was measured with pw.x 6.7: the table is in docs/continuation.md. In short: without
the XML file nothing can be continued; a damaged charge density, minimiser's history, wavefunction
or mixing file ends the next run, while a missing one only costs time.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from fireworks_ext.engines.espresso.output import XML_FILE
from fireworks_ext.engines.espresso.printed_structure import to_fractions
from fireworks_ext.engines.espresso.program import INPUT
from fireworks_ext.engines.espresso.pw_input import PwInput
from fireworks_ext.engines.espresso.saved_files import (
    Rows,
    band_counts,
    density_problem,
    read_history,
    same_positions,
    stopped_iteration,
    stopped_kpoint,
    text_of,
    wavefunctions_are_whole,
)
from fireworks_ext.engines.espresso.spectrum_plan import read_plan
from fireworks_ext.engines.espresso.spectrum_steps import read_ground_state
from fireworks_ext.engines.espresso.tasks import WITHOUT_SCF
from fireworks_ext.engines.espresso.units import BOHR_ANG, RYDBERG_PER_HARTREE
from schemas.errors import UserError

RELAXATIONS = ("relax", "vc-relax")
SAME_LENGTH_ANG = 1e-3
SAME_CUTOFF = 1e-6
MIXING_NDIM_DEFAULT = 8  # INPUT_PW


@dataclass(frozen=True)
class SavedState:
    """The parts of a state that are whole; the words say what is wrong with the others."""

    relaxing: bool
    ionic_step: int
    """The one to be computed; the first is 1."""
    density: str | None
    history: str | None
    iteration: int | None
    """The iteration of the scf cycle to be computed, where the run stopped within one."""
    kpoint: int | None
    """The k-point to be computed, where a run that keeps its density stopped on its way."""
    wavefunctions: bool
    ranks: int
    pools: int


def read_state(source: Path) -> SavedState | str:
    """Return what can be continued of a run directory, or why nothing can."""
    try:
        deck = PwInput.read(source / INPUT)
        root = ET.parse(source / XML_FILE).getroot()  # noqa: S314  (written by pw.x)
    except UserError as error:
        return str(error)
    except OSError as error:
        return f"nothing was saved: {XML_FILE}: {error.strerror}"
    except ET.ParseError as error:
        return f"{XML_FILE} is cut off or damaged: {error}"
    try:
        return _other_calculation(source, root, deck) or _state(source, root, deck)
    except (LookupError, ValueError, AttributeError) as error:
        return f"{XML_FILE} lacks what pw.x always writes: {error}"


def _state(source: Path, root: ET.Element, deck: PwInput) -> SavedState | str:
    relaxing = deck.calculation in RELAXATIONS
    before, now = _positions(root, "input"), _positions(root, "output")
    moved = relaxing and not same_positions(_flat(before), now)
    density = density_problem(source, root)
    if density is not None and not moved:
        return f"nothing to go on from: {density}"
    seen, history = _history(source, deck, now) if relaxing else (0, None)
    same_bands = deck.get("nbnd") in (None, *band_counts(root))
    wavefunctions = same_bands and wavefunctions_are_whole(source, root)
    iteration = kpoint = None
    if deck.calculation in WITHOUT_SCF:
        kpoint = stopped_kpoint(source, root) if same_bands and _task(root) in WITHOUT_SCF else None
    elif wavefunctions and density is None:
        mixing_ndim = _integer(deck, "mixing_ndim", MIXING_NDIM_DEFAULT)
        iteration = stopped_iteration(source, root, mixing_ndim)
    return SavedState(
        relaxing=relaxing,
        ionic_step=1 + max(seen, len(root.findall("step"))),
        density=density,
        history=history,
        iteration=iteration,
        kpoint=kpoint,
        wavefunctions=wavefunctions,
        ranks=int(text_of(root, "parallel_info/nprocs")),
        pools=int(text_of(root, "parallel_info/npool")),
    )


def _history(source: Path, deck: PwInput, now: Rows) -> tuple[int, str | None]:
    """Return how many steps the minimiser has seen, and what is wrong with its history."""
    found = read_history(source, len(deck.labels()), _integer(deck, "bfgs_ndim", 1))
    if found is None or isinstance(found, str):
        return 0, found
    if same_positions(found.positions, now):
        # Written before the XML file: pw.x would meet a step of no length, and end.
        return found.steps - 1, "the minimiser's history is of a later step than the structure"
    return found.steps, None


def _task(root: ET.Element) -> str:
    return text_of(root, "input/control_variables/calculation")


def _other_calculation(source: Path, root: ET.Element, deck: PwInput) -> str | None:
    """Return how the XML file differs from the input beside it, if it is of another calculation."""
    task = _task(root)
    later = deck.calculation in WITHOUT_SCF
    follows = later and read_ground_state(source) is not None
    if later and not follows and read_plan(source) is not None:
        return "what its self-consistent run said is not there"
    if task != deck.calculation and not (follows and task == "scf"):
        return f"{XML_FILE} is of the task {task!r}, {INPUT} of {deck.calculation!r}"
    atoms = root.findall("input/atomic_structure/atomic_positions/atom")
    labels = tuple(atom.get("name", "").strip() for atom in atoms)
    if labels != deck.labels():
        return f"{XML_FILE} is of other atoms than {INPUT}"
    for keyword in ("ecutwfc", "ecutrho"):
        wanted = deck.get(keyword)
        said = float(text_of(root, f"input/basis/{keyword}")) * RYDBERG_PER_HARTREE
        if isinstance(wanted, (int, float)) and abs(said - wanted) > SAME_CUTOFF * said:
            return f"{XML_FILE} is of {keyword} {said:g} Ry, {INPUT} of {wanted:g} Ry"
    lattice = deck.lattice_ang()
    cell = [[BOHR_ANG * x for x in row] for row in _cell(root, "input")]
    if lattice is not None and any(
        abs(x - y) > SAME_LENGTH_ANG
        for ours, theirs in zip(lattice, cell, strict=True)
        for x, y in zip(ours, theirs, strict=True)
    ):
        return f"{XML_FILE} is of another cell than {INPUT}"
    return None


def _positions(root: ET.Element, part: str) -> Rows:
    """Return the fractional coordinates of the atoms in the XML's `input` or `output`."""
    atoms = root.findall(f"{part}/atomic_structure/atomic_positions/atom")
    return to_fractions([_floats(atom.text) for atom in atoms], _cell(root, part))


def _cell(root: ET.Element, part: str) -> Rows:
    return [_floats(text_of(root, f"{part}/atomic_structure/cell/a{i}")) for i in (1, 2, 3)]


def _flat(rows: Rows) -> list[float]:
    return [x for row in rows for x in row]


def _floats(text: str | None) -> list[float]:
    x, y, z = (float(word) for word in (text or "").split())
    return [x, y, z]


def _integer(deck: PwInput, keyword: str, default: int) -> int:
    value = deck.get(keyword)
    return value if isinstance(value, int) else default
