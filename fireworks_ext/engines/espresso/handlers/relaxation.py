"""Relaxations that end before they are done, and cells that change too much for their tables."""

from __future__ import annotations

from fireworks_ext.engines.espresso.handlers.handler import EspressoHandler
from fireworks_ext.engines.espresso.handlers.remedy import Change, Remedy, setting
from fireworks_ext.engines.espresso.handlers.self_consistency import SAME_ACCURACY
from fireworks_ext.engines.espresso.handlers.situation import Situation
from schemas.failure import FailureName

SMALLER_TRUST = 0.1
SMALLEST_TRUST_BOHR = 1e-4
WIDER_TABLES = 2.0
WIDEST_TABLES = 8.0


def _further(situation: Situation) -> Change | None:
    return Change(start="density") if situation.last_structure else None


def _smaller_trust(situation: Situation) -> Change | None:
    """Let BFGS take smaller steps: it starts at what was the smallest one."""
    smallest = situation.number("trust_radius_min")
    if situation.get("ion_dynamics") != "bfgs" or smallest <= SMALLEST_TRUST_BOHR:
        return None
    after = max(SMALLER_TRUST * smallest, SMALLEST_TRUST_BOHR)
    keywords = {"trust_radius_min": float(f"{after:.6g}"), "trust_radius_ini": smallest}
    return Change(keywords, "density")


def _damped(situation: Situation) -> Change | None:
    if not situation.relaxes or situation.get("ion_dynamics") == "damp":
        return None
    if situation.variable_cell:
        return Change({"ion_dynamics": "damp", "cell_dynamics": "damp-w"}, "density")
    return Change({"ion_dynamics": "damp"}, "density")


def _cell_factor(situation: Situation) -> Change | None:
    now = situation.number("cell_factor")
    if not situation.variable_cell or now >= WIDEST_TABLES:
        return None
    return Change({"cell_factor": min(WIDER_TABLES * now, WIDEST_TABLES)})


def _own_grid(situation: Situation) -> Change | None:
    given = [name for name in _GRID if situation.deck.get(name) is not None]
    return Change(dict.fromkeys(given)) if given else None


_GRID = ("nr1", "nr2", "nr3", "nr1s", "nr2s", "nr3s")

FURTHER = Remedy(
    "further from the last structure",
    "each part of the way is kept, and the minimiser starts with an empty history",
    3,
    _further,
)
_TRUST = Remedy(
    "smaller steps",
    "steps that are too large for a flat or noisy energy: trust radii down to 1e-4 bohr",
    2,
    _smaller_trust,
    ("trust_radius_min", "trust_radius_ini"),
)
_DAMPED = Remedy(
    "damped dynamics instead of BFGS",
    "it needs no consistent history of energies and forces; slower",
    1,
    _damped,
    ("ion_dynamics", "cell_dynamics"),
)
NO_SYMMETRY = Remedy(
    "without symmetry",
    "the structure is only nearly symmetric; more k-points, other physics",
    1,
    setting("nosym", value=True),
    ("nosym",),
)


class IonicStepsExhausted(EspressoHandler):
    """Treats `ionic_steps_exhausted`."""

    failure = FailureName.IONIC_STEPS_EXHAUSTED
    ladder = (FURTHER,)


class IonicNotConverged(EspressoHandler):
    """Treats `ionic_not_converged`."""

    failure = FailureName.IONIC_NOT_CONVERGED
    ladder = (FURTHER, _TRUST, _DAMPED)


class BfgsFailed(EspressoHandler):
    """Treats `bfgs_failed`: a minimiser that reset its history and still found no way down."""

    failure = FailureName.BFGS_FAILED
    ladder = (
        Remedy(FURTHER.action, FURTHER.why, 1, _further),
        SAME_ACCURACY,
        _TRUST,
        _DAMPED,
    )


class FinalScfAboveThresholds(EspressoHandler):
    """Treats `final_scf_above_thresholds`: the basis follows the cell with every new start."""

    failure = FailureName.FINAL_SCF_ABOVE_THRESHOLDS
    ladder = (FURTHER,)


class RadialFftTooSmall(EspressoHandler):
    """Treats `radial_fft_too_small`."""

    failure = FailureName.RADIAL_FFT_TOO_SMALL
    ladder = (
        Remedy(
            "from the last structure, with wider tables",
            "the cell shrank beyond what the tables of the pseudopotentials were made for",
            2,
            _cell_factor,
            ("cell_factor",),
        ),
    )


class NotOrthogonalOperation(EspressoHandler):
    """Treats `not_orthogonal_operation`."""

    failure = FailureName.NOT_ORTHOGONAL_OPERATION
    ladder = (Remedy(FURTHER.action, FURTHER.why, 1, _further), NO_SYMMETRY)


class GVectorNotReciprocal(EspressoHandler):
    """Treats `g_vector_not_reciprocal`."""

    failure = FailureName.G_VECTOR_NOT_RECIPROCAL
    ladder = (NO_SYMMETRY,)


class FftGridSymmetry(EspressoHandler):
    """Treats `fft_grid_symmetry`."""

    failure = FailureName.FFT_GRID_SYMMETRY
    ladder = (
        Remedy(
            "the program's own grid",
            "`nr1`, `nr2`, `nr3` were set by hand; other physics",
            1,
            _own_grid,
            _GRID,
        ),
        NO_SYMMETRY,
    )


HANDLERS: tuple[type[EspressoHandler], ...] = (
    IonicStepsExhausted,
    IonicNotConverged,
    BfgsFailed,
    FinalScfAboveThresholds,
    RadialFftTooSmall,
    NotOrthogonalOperation,
    GVectorNotReciprocal,
    FftGridSymmetry,
)
