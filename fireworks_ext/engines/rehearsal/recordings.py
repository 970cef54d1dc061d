"""The recorded runs of pw.x that can be replayed, and the failures that they are of.

How recordings are made and laid out is told in `recordings/README.md`.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

from fireworks_ext.engines.rehearsal.accidents import ACCIDENTS
from schemas.failure import FailureName
from schemas.model import JsonValue, Model

FOLDER = Path(__file__).with_name("recordings")
ANY_TASK = "scf"
"""A failure that ended a self-consistency can be met by every task: each begins with one."""


class Recording(Model):
    """What is known of one recorded run, or of a pair of one that failed and one that worked."""

    name: str
    failure: FailureName | None = Field(description="None: a clean run.")
    repairable: bool
    task: str
    exit_code: int = Field(description="Of the run that failed, as Popen says it.")
    remedies: tuple[dict[str, JsonValue], ...] = ()
    works: bool = Field(description="There is a run that worked.")
    argv: tuple[str, ...] = Field(default=(), description="What made it fail, where it is special.")


@cache
def recordings() -> Mapping[str, Recording]:
    """Return all recordings by name, in the order of their names."""
    found = {}
    for path in sorted(FOLDER.glob("*/recording.json")):
        said: dict[str, Any] = json.loads(path.read_bytes())
        known = {key: value for key, value in said.items() if key in Recording.model_fields}
        known["works"] = (path.parent / "cured").is_dir()
        known["argv"] = (said.get("how") or {}).get("argv") or ()
        found[path.parent.name] = Recording.model_validate(known)
    return found


def _can_meet(task: str, one: Recording) -> bool:
    return one.task == task or (one.task == ANY_TASK and one.exit_code != 0)


def of_failure(name: str, task: str) -> tuple[Recording, ...]:
    """Return the recordings of a failure that a task can meet: its own, else those of any task."""
    alike = [one for one in recordings().values() if one.failure == name and _can_meet(task, one)]
    return tuple(one for one in alike if one.task == task) or tuple(alike)


def clean(task: str) -> Recording:
    """Return a run of a task that works; a clean one where there is one.

    Raises
    ------
    LookupError
        When there is none.
    """
    working = [one for one in recordings().values() if one.task == task and one.works]
    first = sorted(working, key=lambda one: (one.failure is not None, one.name))
    if not first:
        raise LookupError(f"no recording of {task} works")
    return first[0]


@cache
def gap_can_be_told(name: str) -> bool:
    """Tell whether the run that worked fills all its bands in pairs, so that a gap can be moved."""
    path = FOLDER / name / "cured" / "data-file-schema.xml.gz"
    try:
        xml = gzip.decompress(path.read_bytes()).decode()
    except (OSError, EOFError):
        return False
    electrons = re.search(r"<nelec>([^<]+)</nelec>", xml)
    return electrons is not None and float(electrons[1]) % 2 == 0 and "<lsda>false" in xml


def names(task: str | None = None, *, repairable: bool | None = None) -> tuple[str, ...]:
    """Return the failures that can be rehearsed, sorted.

    Parameters
    ----------
    task
        Only those that this task can meet.
    repairable
        Only those that recovery can repair, or only those that it cannot.
    """
    found: dict[str, bool] = {}
    for one in recordings().values():
        if one.failure and (task is None or _can_meet(task, one)):
            found[one.failure.value] = one.repairable or found.get(one.failure.value, False)
    found |= {name.value: True for name in ACCIDENTS}
    return tuple(sorted(name for name, can in found.items() if repairable in {None, can}))
