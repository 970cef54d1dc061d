"""Stages whose process died while it carried them out: after some times that is their end."""

from __future__ import annotations

import signal
from pathlib import Path

from fireworks_ext import artefacts
from fireworks_ext.folders.exchange import Exchange
from fireworks_ext.folders.offline import read_stage
from fireworks_ext.worker.execution import delivery_of
from schemas.endings import Broken

FILE = "died.json"
MOST = 3
"""The same stage, over all pilots. More would keep cores busy with nothing for ever."""
LAST_WORDS_BYTES = 4096


def count(exchange: Exchange, place: Path, code: int, output: Path) -> bool:
    """Take note of a death, under the stage's claim; tell whether it was the last.

    Then the stage has ended: it is broken. Raises OSError.

    Parameters
    ----------
    code
        As `os.waitstatus_to_exitcode` says it: -9 for signal 9.
    output
        What it printed, if there is any.
    """
    record = artefacts.read_record(place, FILE) or {}
    times = int(record.get("times", 0)) + 1
    how = f"by signal {-code} ({_named(-code)})" if code < 0 else f"with exit code {code}"
    said = {**record, "times": times, "last": how}
    artefacts.write_record(place, FILE, said, durable=False)
    stage = read_stage(place) if times >= MOST else None
    if stage is None:
        return False
    trace = (
        f"the process that carried it out ended {times} times without a result, the last time "
        f"{how}: too little memory, or a mistake in a library\n{_last_words(output)}"
    )
    exchange.finish(place, delivery_of(stage.briefing, Broken(trace=trace)))
    return True


def _named(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "no name"


def _last_words(output: Path) -> str:
    try:
        return output.read_bytes()[-LAST_WORDS_BYTES:].decode("utf-8", "replace")
    except OSError:
        return ""
