"""From where a calculation goes on: the newest state that is whole, else the last structure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from fireworks_ext import artefacts, checkpoints
from schemas.catalogue import CATALOGUE
from schemas.failure import Failure
from schemas.protocols import Continuation
from schemas.work import StageOrder


def go_on(
    continuation: Continuation, directory: Path, earlier: Sequence[Path], place: checkpoints.Place
) -> str | None:
    """Have the next run in a directory go on; return from where, or None: from the beginning.

    Parameters
    ----------
    earlier
        Run directories of the same calculation, the newest first; `directory` may be one.
    place
        Where its checkpoints are.
    """
    for source in earlier:
        if continuation.problem(source) is None:
            return continuation.restart(source, directory)
    inside = [checkpoints.LocalPlace(source / checkpoints.FOLDER) for source in earlier]
    for source in chain(place.newest(), *(one.newest() for one in inside)):
        if continuation.problem(source) is None:
            return continuation.restart(source, directory)
    for source in earlier:
        words = continuation.last_structure(source, directory)
        if words is not None:
            return words
    return None


def continuable(attempts: Sequence[Path], order: StageOrder) -> list[Path]:
    """Return the attempts, newest first, whose state serves the order.

    Those are the ones that were interrupted, or that failed for a reason that is not in the
    calculation; an older one than an attempt that failed of itself is not looked at, and one with
    other params would bring its own input along.
    """
    found: list[Path] = []
    wanted = order.model_dump(mode="json")["params"]
    for directory in attempts:
        outcome = artefacts.read_record(directory, artefacts.OUTCOME)
        started = artefacts.read_record(directory, artefacts.ORDER)
        if outcome is not None:
            failed = outcome.get("failure")
            if failed is None or not CATALOGUE[Failure.model_validate(failed).name].continues:
                break
        if started is None or started["order"]["params"] != wanted:
            break
        found.append(directory)
    return found
