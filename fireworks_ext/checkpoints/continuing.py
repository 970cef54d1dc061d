"""From where a calculation goes on: the newest state that is whole, else the last structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from fireworks_ext import artefacts
from fireworks_ext.checkpoints import places as checkpoints
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
    # What an attempt has that never started its program may be an input: the state of an older one
    # is better, as long as it was not taken over.
    for source in sorted(earlier, key=lambda one: not (one / artefacts.COMMAND).exists()):
        if continuation.problem(source) is None:
            return continuation.restart(source, directory)
    inside = [checkpoints.LocalPlace(source / checkpoints.FOLDER) for source in earlier]
    for source in chain(place.newest(), *(one.newest() for one in inside)):
        if _serves(source, directory) and continuation.problem(source) is None:
            return continuation.restart(source, directory)
    for source in earlier:
        words = continuation.last_structure(source, directory)
        if words is not None:
            return words
    return None


def _serves(checkpoint: Path, directory: Path) -> bool:
    """Tell whether a checkpoint is of the calculation in a directory, by their orders.

    It brings its input along, so one with other params, or from before a failure, would undo what
    was changed since.
    """
    wanted = artefacts.read_record(directory, artefacts.ORDER)
    if wanted is None:
        return True  # made by nobody's order: whoever names the place knows
    started = artefacts.read_record(checkpoint, artefacts.ORDER)
    return (
        started is not None
        and started["attempt_record"]["attempt"] >= wanted["since"]
        and is_same(started, wanted["order"], wanted["inherited"])
    )


def is_same(
    started: Mapping[str, Any], order: Mapping[str, Any], inherited: Mapping[str, str]
) -> bool:
    """Tell whether a record says that an attempt began as an order would: its input serves."""
    same = all(started["order"][name] == order[name] for name in ("params", "protected"))
    return same and started.get("inherited", {}) == inherited


def continuable(
    attempts: Sequence[Path], order: StageOrder, inherited: Mapping[str, str]
) -> tuple[list[Path], int]:
    """Return the attempts, newest first, whose state serves the order, and the first that may.

    Those are the ones that were interrupted, or that failed for a reason that is not in the
    calculation; an older one than an attempt that failed of itself is not looked at, and one with
    other params would bring its own input along.

    Parameters
    ----------
    inherited
        By stage, in what the results that the order reads differ from what their keys say.
    """
    found: list[Path] = []
    wanted = order.model_dump(mode="json")
    for directory in attempts:
        outcome = artefacts.read_record(directory, artefacts.OUTCOME)
        started = artefacts.read_record(directory, artefacts.ORDER)
        since = int(directory.name) + 1
        if outcome is not None:
            failed = outcome.get("failure")
            if failed is None or not CATALOGUE[Failure.model_validate(failed).name].continues:
                return found, since
        elif started is None:
            continue  # its worker was killed before anything was in it
        if started is None or not is_same(started, wanted, inherited):
            return found, since
        found.append(directory)
    return found, 0
