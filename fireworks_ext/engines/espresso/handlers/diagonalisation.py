"""Diagonalisations that fail, and numbers of bands that do not fit."""

from __future__ import annotations

from math import ceil

from fireworks_ext.engines.espresso.handlers.handler import EspressoHandler
from fireworks_ext.engines.espresso.handlers.remedy import ANY_PROGRAM, Change, Remedy, setting
from fireworks_ext.engines.espresso.handlers.situation import Situation
from schemas.failure import FailureName

PARO = "diagonalisation by ParO"
PARO_WORKS = (7, 0)
"""6.7 knows 'paro' and stops in it ("calbec: size mismatch")."""
LARGER_WORKSPACE = 4
SMALLEST_WORKSPACE = 2  # INPUT_PW, diago_david_ndim
CONJUGATE_GRADIENTS = "diagonalisation by conjugate gradients"
MORE_BANDS_SHARE = 0.05
MORE_BANDS = 4
_FLAGS = ("-ndiag", "-nd", "-northo", "-nproc_diag", "-nproc_ortho")
_INPUT_FLAGS = ("-in", "-i", "-inp", "-input")


def _serial(situation: Situation) -> Change | None:
    """Have one rank do the dense part, where several do."""
    argv = situation.argv
    if argv is None or situation.ranks == 1:
        return None
    wanted = with_flag(argv, _FLAGS, "1")
    return None if wanted == argv else Change(argv=wanted)


def with_flag(argv: tuple[str, ...], names: tuple[str, ...], value: str) -> tuple[str, ...]:
    """Return a command with a flag of the program: replaced where it stands, else before `-in`."""
    for at, word in enumerate(argv[:-1]):
        if word in names:
            return (*argv[: at + 1], value, *argv[at + 2 :])
    before = next((n for n, word in enumerate(argv) if word in _INPUT_FLAGS), len(argv))
    return (*argv[:before], names[0], value, *argv[before:])


def _smallest_workspace(situation: Situation) -> Change | None:
    large = situation.number("diago_david_ndim") > SMALLEST_WORKSPACE
    return Change({"diago_david_ndim": SMALLEST_WORKSPACE}) if large else None


def _workspace(situation: Situation) -> Change | None:
    davidson = situation.get("diagonalization") == "david"
    small = situation.number("diago_david_ndim") < LARGER_WORKSPACE
    return Change({"diago_david_ndim": LARGER_WORKSPACE}) if davidson and small else None


def _paro(situation: Situation) -> Change | None:
    known = situation.version >= PARO_WORKS
    if not known or situation.get("diagonalization") in {"paro", "cg"}:
        return None
    return Change({"diagonalization": "paro"})


def _davidson(situation: Situation) -> Change | None:
    """Leave the method that was asked for, unless it is one of the remedies."""
    if situation.get("diagonalization") == "david":
        return None
    if situation.count(PARO) or situation.count(CONJUGATE_GRADIENTS):
        return None
    return Change({"diagonalization": "david"})


LADDER = (
    Remedy(
        "dense diagonalisation on one rank",
        "parallel Cholesky decompositions fail where serial ones do not",
        1,
        _serial,
    ),
    Remedy(
        "diagonalisation by Davidson",
        "it ran with another method, and that failed",
        1,
        _davidson,
        ("diagonalization",),
    ),
    Remedy(
        "a larger Davidson workspace",
        "a basis of four times the bands is less often linearly dependent",
        1,
        _workspace,
        ("diago_david_ndim",),
    ),
    Remedy(PARO, "from version 7 on", 1, _paro, ("diagonalization",)),
    Remedy(
        CONJUGATE_GRADIENTS,
        "slower and more robust (INPUT_PW, diagonalization)",
        1,
        setting("diagonalization", "cg"),
        ("diagonalization",),
        ANY_PROGRAM,
    ),
    Remedy(
        "random first wavefunctions",
        "superposed atomic ones are linearly dependent in dense or compressed cells",
        1,
        setting("startingwfc", "random"),
        ("startingwfc",),
    ),
)
"""Cheapest first; each begins with a new density, because the old one may be the reason."""


class CholeskyFailed(EspressoHandler):
    """Treats `cholesky_failed`."""

    failure = FailureName.CHOLESKY_FAILED
    ladder = LADDER


class BandsNotConverged(EspressoHandler):
    """Treats `bands_not_converged`."""

    failure = FailureName.BANDS_NOT_CONVERGED
    ladder = LADDER


class SMatrixNotPositive(EspressoHandler):
    """Treats `s_matrix_not_positive`."""

    failure = FailureName.S_MATRIX_NOT_POSITIVE
    ladder = LADDER


class ZhegvdFailed(EspressoHandler):
    """Treats `zhegvd_failed`, of the projected preconditioned conjugate gradients."""

    failure = FailureName.ZHEGVD_FAILED
    ladder = LADDER


class QrFailed(EspressoHandler):
    """Treats `qr_failed`."""

    failure = FailureName.QR_FAILED
    ladder = LADDER


class EigenvectorsNotConverged(EspressoHandler):
    """Treats `eigenvectors_not_converged`."""

    failure = FailureName.EIGENVECTORS_NOT_CONVERGED
    ladder = LADDER


def _own_bands(situation: Situation) -> Change | None:
    return Change({"nbnd": None}) if situation.deck.get("nbnd") is not None else None


def _more_bands(situation: Situation) -> Change | None:
    now = situation.n_bands or int(situation.number("nbnd"))
    if not now:
        return None
    more = max(MORE_BANDS, ceil(MORE_BANDS_SHARE * now))
    return Change({"nbnd": now + more}, "density")


_OWN_BANDS = Remedy(
    "as many bands as the program takes by itself",
    "`nbnd` was set by hand; other physics",
    1,
    _own_bands,
    ("nbnd",),
)


class TooFewBands(EspressoHandler):
    """Treats `too_few_bands`."""

    failure = FailureName.TOO_FEW_BANDS
    ladder = (_OWN_BANDS,)


class TooManyBands(EspressoHandler):
    """Treats `too_many_bands`."""

    failure = FailureName.TOO_MANY_BANDS
    ladder = (
        Remedy(
            "the smallest Davidson workspace",
            "it holds `diago_david_ndim` times the bands, and no more than there are plane waves",
            1,
            _smallest_workspace,
            ("diago_david_ndim",),
        ),
        Remedy(
            CONJUGATE_GRADIENTS,
            "they need no workspace beside the bands",
            1,
            setting("diagonalization", "cg"),
            ("diagonalization",),
        ),
        _OWN_BANDS,
    )


class HighestBandOccupied(EspressoHandler):
    """Treats `highest_band_occupied`."""

    failure = FailureName.HIGHEST_BAND_OCCUPIED
    ladder = (
        Remedy(
            "more bands",
            "5% more, 4 at least, until the highest is empty; other physics",
            4,
            _more_bands,
            ("nbnd",),
        ),
    )


HANDLERS: tuple[type[EspressoHandler], ...] = (
    CholeskyFailed,
    BandsNotConverged,
    SMatrixNotPositive,
    ZhegvdFailed,
    QrFailed,
    EigenvectorsNotConverged,
    TooFewBands,
    TooManyBands,
    HighestBandOccupied,
)
