"""Self-consistency that is not reached, or goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from fireworks_ext.engines.espresso.handlers.handler import EspressoHandler
from fireworks_ext.engines.espresso.handlers.remedy import Change, Remedy, setting, starting
from fireworks_ext.engines.espresso.handlers.scf_course import Course
from fireworks_ext.engines.espresso.handlers.situation import Situation
from fireworks_ext.engines.espresso.keywords import Value
from schemas.failure import FailureName

MARGIN = 1.5
"""More iterations than predicted: the slope is an average, and the history starts empty."""
WARMING_UP = 10
FIRST_TRY = 100  # INPUT_PW, electron_maxstep: what pw.x takes by itself
MOST_STEPS = 400
MIXING_BETAS = (0.3, 0.15, 0.07)
"""pw.x user's guide, "Self-consistency is slow or does not converge": 0.3 down to 0.1, or less."""
LONG_HISTORY = 20
WIDER_SMEARING = 2.0
WIDEST_DEGAUSS_RY = 0.04
FIRST_DEGAUSS_RY = 0.01
LARGER_CUTOFF = 1.5
CUTOFF_RATIO = 4.0  # INPUT_PW, ecutrho: by default 4 times ecutwfc


def during(*courses: Course) -> Callable[[Situation], bool]:
    """Return what tells whether self-consistency went in one of these ways."""
    return lambda situation: situation.course.course in courses


def _more_iterations(situation: Situation) -> Change | None:
    """Give as many iterations as the slope predicts, and some more."""
    course, now = situation.course, situation.number("electron_maxstep")
    if course.course is Course.SHORT:
        wanted = max(FIRST_TRY, ceil(MARGIN * now))
    elif course.left is None:
        return None
    else:
        continues = situation.has_density and not situation.relaxes
        needed = course.left + (0 if continues else course.iterations)
        wanted = ceil(MARGIN * needed) + WARMING_UP
    wanted = min(wanted, MOST_STEPS)
    if now >= MOST_STEPS and course.course is Course.SHORT:
        return None
    return Change({"electron_maxstep": max(wanted, int(now))}, "density")


def _slower_mixing(situation: Situation) -> Change | None:
    beta = situation.number("mixing_beta")
    slower = next((value for value in MIXING_BETAS if value < beta), None)
    return None if slower is None else Change({"mixing_beta": slower})


def _local_mixing(situation: Situation) -> Change | None:
    return Change({"mixing_mode": "local-TF"}) if situation.get("mixing_mode") == "plain" else None


def _longer_history(situation: Situation) -> Change | None:
    short = situation.number("mixing_ndim") < LONG_HISTORY
    return Change({"mixing_ndim": LONG_HISTORY}) if short else None


def _other_diagonalization(situation: Situation) -> Change | None:
    return Change({"diagonalization": "cg"}) if situation.get("diagonalization") != "cg" else None


def _same_accuracy(situation: Situation) -> Change | None:
    """Keep a relaxation from raising the accuracy beyond what it can reach."""
    bfgs = situation.relaxes and situation.get("ion_dynamics") == "bfgs"
    return Change({"upscale": 1.0}, "density") if bfgs and situation.number("upscale") > 1 else None


def _wider_smearing(situation: Situation) -> Change | None:
    degauss = situation.number("degauss")
    if situation.get("occupations") != "smearing" or not 0 < degauss < WIDEST_DEGAUSS_RY:
        return None
    return Change({"degauss": min(WIDER_SMEARING * degauss, WIDEST_DEGAUSS_RY)})


def _smearing(situation: Situation) -> Change | None:
    if situation.get("occupations") != "fixed" or situation.deck.get("tot_magnetization"):
        return None
    keywords: dict[str, Value | None] = {
        "occupations": "smearing",
        "smearing": "mv",
        "degauss": FIRST_DEGAUSS_RY,
    }
    return Change(keywords)


def _ecutrho(situation: Situation) -> float:
    return situation.number("ecutrho") or CUTOFF_RATIO * situation.number("ecutwfc")


def _larger_cutoff(situation: Situation) -> Change | None:
    now = _ecutrho(situation)
    return Change({"ecutrho": LARGER_CUTOFF * now}) if now else None


def _full_exchange(situation: Situation) -> Change | None:
    now, most = situation.number("ecutfock"), _ecutrho(situation)
    return Change({"ecutfock": most}) if 0 < now < most else None


def _new_density(situation: Situation) -> Change | None:
    """Start from atoms where the run started from a file."""
    given = "file" in {situation.get("startingpot"), situation.get("startingwfc")}
    restarted = situation.get("restart_mode") == "restart"
    return Change() if given or restarted or situation.last_structure else None


MORE_ITERATIONS = Remedy(
    "more iterations, from the density reached",
    "the accuracy still falls: as many as its slope predicts and half as many again, 400 at most",
    3,
    _more_iterations,
    ("electron_maxstep",),
    fits=during(Course.CONVERGING, Course.SHORT),
)
SLOWER_MIXING = Remedy(
    "slower mixing",
    "the accuracy goes up and down, or rises: mixing_beta 0.3, 0.15, 0.07",
    3,
    _slower_mixing,
    ("mixing_beta",),
    fits=during(Course.OSCILLATING, Course.DIVERGING),
)
SAME_ACCURACY = Remedy(
    "the same accuracy at every step",
    "self-consistency that BFGS makes tighter along the way meets its noise floor: upscale 1",
    1,
    _same_accuracy,
    ("upscale",),
    fits=lambda situation: situation.course.at_noise_floor,
)
FULL_ACCURACY = Remedy(
    "all bands as accurate as the occupied ones",
    "the accuracy stays where it is below 1e-4 Ry: it is limited by that of the bands",
    1,
    setting("diago_full_acc", value=True, start="density"),
    ("diago_full_acc",),
    fits=lambda situation: situation.course.at_noise_floor,
)
FIXED_TO_SMEARING = Remedy(
    "smearing instead of fixed occupations",
    "the last resort for what may be a metal; other physics",
    1,
    _smearing,
    ("occupations", "smearing", "degauss"),
    fits=lambda _: False,
)
LOCAL_MIXING = Remedy(
    "mixing with local screening",
    "the accuracy stays where it is: charge sloshes between dense and empty regions",
    1,
    _local_mixing,
    ("mixing_mode",),
    fits=during(Course.STAGNATING),
)
LONGER_HISTORY = Remedy(
    "mixing over more iterations",
    "the accuracy stays where it is, or goes up and down",
    1,
    _longer_history,
    ("mixing_ndim",),
    fits=during(Course.STAGNATING, Course.OSCILLATING),
)
OTHER_DIAGONALIZATION = Remedy(
    "diagonalisation by conjugate gradients",
    "slower and more robust (INPUT_PW, diagonalization)",
    1,
    _other_diagonalization,
    ("diagonalization",),
    fits=during(Course.STAGNATING),
)
NEW_DENSITY = Remedy(
    "a new density",
    "the density that it started from may be damaged, or of another geometry",
    1,
    _new_density,
)


class ScfNotConverged(EspressoHandler):
    """Treats `scf_not_converged` by how the accuracy went, told from its slope.

    Still falling: more iterations. Staying where it is: what helps against noise and sloshing.
    Going up and down, or rising: slower mixing. Then all of these in turn; at last smearing.
    """

    failure = FailureName.SCF_NOT_CONVERGED
    ladder = (
        MORE_ITERATIONS,
        SAME_ACCURACY,
        FULL_ACCURACY,
        SLOWER_MIXING,
        LOCAL_MIXING,
        LONGER_HISTORY,
        OTHER_DIAGONALIZATION,
        Remedy(
            "a wider smearing",
            "the last resort for a metal: twice as wide, 0.04 Ry at most; other physics",
            2,
            _wider_smearing,
            ("degauss",),
            fits=lambda _: False,
        ),
        FIXED_TO_SMEARING,
    )


class ChargeWrong(EspressoHandler):
    """Treats `charge_wrong`: electrons that do not fit into the bands."""

    failure = FailureName.CHARGE_WRONG
    ladder = (NEW_DENSITY, FIXED_TO_SMEARING)


class ChargeNotConserved(EspressoHandler):
    """Treats `charge_not_conserved`."""

    failure = FailureName.CHARGE_NOT_CONSERVED
    ladder = (
        NEW_DENSITY,
        Remedy(
            "a larger cutoff of the density",
            "the density does not fit into its plane waves: 1.5 times; other physics",
            1,
            _larger_cutoff,
            ("ecutrho",),
        ),
    )


class NegativeChargeDensity(EspressoHandler):
    """Treats `negative_charge_density`, where it made the run fail."""

    failure = FailureName.NEGATIVE_CHARGE_DENSITY
    ladder = ChargeNotConserved.ladder


class ExchangeNegative(EspressoHandler):
    """Treats `exchange_negative` of hybrid functionals."""

    failure = FailureName.EXCHANGE_NEGATIVE
    ladder = (
        NEW_DENSITY,
        Remedy(
            "the cutoff of the density for the exchange",
            "products of orbitals were cut off at a lower `ecutfock`; other physics",
            1,
            _full_exchange,
            ("ecutfock",),
        ),
    )


class EnergyNotFinite(EspressoHandler):
    """Treats `energy_not_finite`."""

    failure = FailureName.ENERGY_NOT_FINITE
    ladder = (NEW_DENSITY, SLOWER_MIXING, OTHER_DIAGONALIZATION)


class BroydenFailed(EspressoHandler):
    """Treats `broyden_failed`: a mixing that met a singular matrix."""

    failure = FailureName.BROYDEN_FAILED
    ladder = (
        Remedy(
            "from a new density",
            "the densities of its history were nearly the same",
            1,
            starting("anew"),
        ),
        SLOWER_MIXING,
        Remedy(
            "mixing over fewer iterations",
            "a short history is seldom linearly dependent",
            1,
            setting("mixing_ndim", 4),
            ("mixing_ndim",),
        ),
    )


HANDLERS: tuple[type[EspressoHandler], ...] = (
    ScfNotConverged,
    ChargeWrong,
    ChargeNotConserved,
    NegativeChargeDensity,
    ExchangeNegative,
    EnergyNotFinite,
    BroydenFailed,
)
