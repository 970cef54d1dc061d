"""What the machine did to a run: ends in the middle, memory, damaged files, ranks without work."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from fireworks_ext.attempts.exits import read_exit
from fireworks_ext.engines.espresso.handlers.diagonalisation import with_flag
from fireworks_ext.engines.espresso.handlers.handler import EspressoHandler
from fireworks_ext.engines.espresso.handlers.remedy import (
    ANY_PROGRAM,
    Change,
    Remedy,
    setting,
    starting,
)
from fireworks_ext.engines.espresso.handlers.situation import Situation
from schemas.failure import FailureName

POOL_FLAGS = ("-nk", "-npool", "-npools")
SHORT_HISTORY = 4
SMALL_WORKSPACE = 2


def pools(argv: tuple[str, ...]) -> int | None:
    """Return the number of pools that a command asks for."""
    for word, value in pairwise(argv):
        if word in POOL_FLAGS and value.isdigit():
            return int(value)
    return None


def _with_pools(situation: Situation, most: int) -> Change | None:
    """Return a command with the largest number of pools up to `most` that divides the ranks'."""
    now = pools(situation.argv or ())
    if now is None or now == 1:
        return None
    fewer = max(n for n in range(1, now) if now % n == 0 and (n <= most or n == 1))
    return Change(argv=with_flag(situation.argv or (), POOL_FLAGS, str(fewer)))


def _pools_that_fit(situation: Situation) -> Change | None:
    return _with_pools(situation, situation.n_kpoints or 1)


def _fewer_pools(situation: Situation) -> Change | None:
    return _with_pools(situation, (pools(situation.argv or ()) or 1) // 2)


def _to_disk(situation: Situation) -> Change | None:
    return Change({"disk_io": "medium"}) if situation.get("disk_io") in {"low", "none"} else None


def _less(keyword: str, most: int) -> Remedy:
    def propose(situation: Situation) -> Change | None:
        return Change({keyword: most}) if situation.number(keyword) > most else None

    words = {
        "mixing_ndim": "fewer densities of the history in memory",
        "diago_david_ndim": "a smaller Davidson workspace",
    }
    return Remedy(words[keyword], f"{keyword} {most}", 1, propose, (keyword,))


AGAIN = Remedy(
    "again, from where it was",
    "nothing was wrong with the calculation; anew, or from the last structure, where its state "
    "is not whole",
    2,
    starting("continue"),
    programs=ANY_PROGRAM,
)
_AFRESH = Remedy(
    "again, without the files of the last run",
    "they are damaged; a relaxation goes on from the last structure that it printed",
    2,
    starting("clean"),
)


class _Interrupted(EspressoHandler):
    """Treats an end that was asked for, where nobody else does.

    Whoever keeps an `exit.json` decides himself how a calculation goes on that was out of time.
    """

    ladder = (Remedy(AGAIN.action, AGAIN.why, 3, starting("continue"), programs=ANY_PROGRAM),)

    def check(self, directory: str = "./") -> bool:
        """Tell whether it is the cause, and nobody attended the run."""
        ended = read_exit(Path(directory))
        attended = ended is not None and ended.reason != "checkpoint"
        return not attended and super().check(directory)


class OutOfWalltime(_Interrupted):
    """Treats `out_of_walltime`, for runs of any task."""

    failure = FailureName.OUT_OF_WALLTIME


class StoppedByRequest(_Interrupted):
    """Treats `stopped_by_request`."""

    failure = FailureName.STOPPED_BY_REQUEST


class KilledAtWalltime(_Interrupted):
    """Treats `killed_at_walltime`."""

    failure = FailureName.KILLED_AT_WALLTIME


class KilledBySignal(EspressoHandler):
    """Treats `killed_by_signal`."""

    failure = FailureName.KILLED_BY_SIGNAL
    ladder = (AGAIN,)


class Hung(EspressoHandler):
    """Treats `hung`."""

    failure = FailureName.HUNG
    ladder = (AGAIN,)


class Crashed(EspressoHandler):
    """Treats `crashed`: once from where it was, once without its files."""

    failure = FailureName.CRASHED
    ladder = (
        Remedy(AGAIN.action, AGAIN.why, 1, starting("continue"), programs=ANY_PROGRAM),
        Remedy(_AFRESH.action, _AFRESH.why, 1, starting("clean")),
    )


class OutputIncomplete(EspressoHandler):
    """Treats `output_incomplete`."""

    failure = FailureName.OUTPUT_INCOMPLETE
    ladder = Crashed.ladder


class OutputMissing(EspressoHandler):
    """Treats `output_missing`."""

    failure = FailureName.OUTPUT_MISSING
    ladder = (Remedy(AGAIN.action, AGAIN.why, 1, starting("continue"), programs=ANY_PROGRAM),)


class OutputEmpty(EspressoHandler):
    """Treats `output_empty`."""

    failure = FailureName.OUTPUT_EMPTY
    ladder = OutputMissing.ladder


class NodeFailed(EspressoHandler):
    """Treats `node_failed`."""

    failure = FailureName.NODE_FAILED
    ladder = (AGAIN,)


class RestartUnreadable(EspressoHandler):
    """Treats `restart_unreadable`."""

    failure = FailureName.RESTART_UNREADABLE
    ladder = (_AFRESH,)


class XmlUnreadable(EspressoHandler):
    """Treats `xml_unreadable`."""

    failure = FailureName.XML_UNREADABLE
    ladder = (Remedy(_AFRESH.action, _AFRESH.why, 1, starting("clean")),)


class XmlMissing(EspressoHandler):
    """Treats `xml_missing`."""

    failure = FailureName.XML_MISSING
    ladder = XmlUnreadable.ladder


class OutOfMemory(EspressoHandler):
    """Treats `out_of_memory` with what needs less of it, the cheapest first."""

    failure = FailureName.OUT_OF_MEMORY
    ladder = (
        Remedy(
            "fewer pools",
            "every pool holds all plane waves: half as many, so that more ranks share them",
            4,
            _fewer_pools,
        ),
        _less("diago_david_ndim", SMALL_WORKSPACE),
        _less("mixing_ndim", SHORT_HISTORY),
        Remedy(
            "wavefunctions on disk",
            "those of one k-point at a time in memory",
            1,
            _to_disk,
            ("disk_io",),
        ),
        Remedy(
            "diagonalisation by conjugate gradients",
            "it works on one band at a time",
            1,
            setting("diagonalization", "cg"),
            ("diagonalization",),
        ),
    )


class PoolsWithoutKpoints(EspressoHandler):
    """Treats `pools_without_kpoints`."""

    failure = FailureName.POOLS_WITHOUT_KPOINTS
    ladder = (
        Remedy("as many pools as k-points", "there were more", 1, _pools_that_fit),
        Remedy("one pool", "more do not work", 1, lambda one: _with_pools(one, 1)),
    )


HANDLERS: tuple[type[EspressoHandler], ...] = (
    OutOfWalltime,
    StoppedByRequest,
    KilledAtWalltime,
    KilledBySignal,
    Hung,
    Crashed,
    OutputIncomplete,
    OutputMissing,
    OutputEmpty,
    NodeFailed,
    RestartUnreadable,
    XmlUnreadable,
    XmlMissing,
    OutOfMemory,
    PoolsWithoutKpoints,
)
