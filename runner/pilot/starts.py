"""Programs that did not start: the fault of a machine until a second one has it, too.

On a node whose modules are broken every stage would fail, one after the other within seconds.
"""

from __future__ import annotations

from fireworks_ext import artefacts
from fireworks_ext.folders.exchange import Exchange
from fireworks_ext.processes import host_name
from runner.pilot.deaths import FILE
from schemas.endings import AnyEnding, Failed
from schemas.failure import FailureName

NEVER_STARTED = frozenset(
    {
        FailureName.PROGRAM_NOT_FOUND,
        FailureName.LIBRARY_MISSING,
        FailureName.PARALLEL_START_FAILED,
    }
)
MOST = 3
"""Tries of the same stage, where there is no second machine to try it on."""
MOST_IN_A_ROW = 2
"""Stages in one pilot, none of whose programs started: others would not, either."""
NO_PROGRAMS = "this node starts no programs"
LONGEST_WORDS = 300
KEY = "not_started"


def why_not(ending: AnyEnding) -> str | None:
    """Return what was observed where a program did not start; None: it did, or there was none."""
    if not isinstance(ending, Failed) or ending.failure.name not in NEVER_STARTED:
        return None
    return f"{ending.failure.name}: {ending.failure.message}"[:LONGEST_WORDS]


def is_final(exchange: Exchange, place_name: str, *, own: bool) -> bool:
    """Take note, under the stage's claim, that it met this; tell whether that is its end.

    Raises OSError.
    """
    if own:  # no other job may take it
        return True
    place = exchange.stages / place_name
    record = artefacts.read_record(place, FILE) or {}
    before = [str(one) for one in record.get(KEY, [])]
    hosts = [*before, host_name()]
    artefacts.write_record(place, FILE, {**record, KEY: hosts}, durable=False)
    return len(set(hosts)) > 1 or len(hosts) >= MOST
