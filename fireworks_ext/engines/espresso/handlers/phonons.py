"""Phonons (ph.x) and paths (neb.x).

Names of keywords: https://www.quantum-espresso.org/Doc/INPUT_PH.html and INPUT_NEB.html.
"""

from __future__ import annotations

from fireworks_ext.engines.espresso.handlers.handler import EspressoHandler
from fireworks_ext.engines.espresso.handlers.remedy import Change, Remedy, starting
from fireworks_ext.engines.espresso.handlers.situation import Situation
from fireworks_ext.engines.espresso.keywords import Value
from schemas.failure import FailureName

PH = ("ph",)
LONGER_HISTORY = 8
SLOWER = 0.5
SLOWEST_ALPHA = 0.1


def _recovering(**keywords: Value) -> Change:
    """Go on from the wave vectors that are done."""
    return Change({**keywords, "recover": True}, "as_is")


def _longer_history(situation: Situation) -> Change | None:
    short = situation.number("nmix_ph") < LONGER_HISTORY
    return _recovering(nmix_ph=LONGER_HISTORY) if short else None


def _slower_mixing(situation: Situation) -> Change | None:
    alpha = SLOWER * situation.number("alpha_mix(1)")
    return _recovering(**{"alpha_mix(1)": round(alpha, 6)}) if alpha >= SLOWEST_ALPHA else None


def _further(situation: Situation) -> Change:
    steps = int(situation.number("nstep_path"))
    return Change({"nstep_path": 2 * steps, "restart_mode": "restart"}, "as_is")


class PhononNotConverged(EspressoHandler):
    """Treats `phonon_not_converged`."""

    failure = FailureName.PHONON_NOT_CONVERGED
    ladder = (
        Remedy(
            "mixing over more iterations",
            "the response converges slowly: nmix_ph 8",
            1,
            _longer_history,
            ("nmix_ph", "recover"),
            PH,
        ),
        Remedy(
            "slower mixing of the response",
            "half of alpha_mix(1), 0.1 at least",
            3,
            _slower_mixing,
            ("alpha_mix(1)", "recover"),
            PH,
        ),
    )


class PhononQpointsMissing(EspressoHandler):
    """Treats `phonon_qpoints_missing`."""

    failure = FailureName.PHONON_QPOINTS_MISSING
    ladder = (
        Remedy(
            "recover",
            "the wave vectors that are done are read from disk",
            2,
            starting("continue"),
            ("recover",),
            PH,
        ),
    )


class PathStepsExhausted(EspressoHandler):
    """Treats `path_steps_exhausted`."""

    failure = FailureName.PATH_STEPS_EXHAUSTED
    ladder = (
        Remedy(
            "twice as many steps, from the path reached",
            "each part of the way is kept",
            2,
            _further,
            ("nstep_path", "restart_mode"),
            ("neb",),
        ),
    )


OF_PHONONS: tuple[type[EspressoHandler], ...] = (PhononNotConverged, PhononQpointsMissing)
OF_PATHS: tuple[type[EspressoHandler], ...] = (PathStepsExhausted,)
