"""`campaign doctor`: what is there, what is missing, what to do about it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from launchers.local.params import usable_cores
from runner.place import Place
from schemas.errors import UserError
from schemas.location import is_embedded
from schemas.protocols import Finding
from schemas.registry import engines
from schemas.reports import Check, Diagnosis

LITTLE_SPACE_GB = 5.0
GB = 1e9


def diagnosis(place: Place) -> Diagnosis:
    """Look at everything that a campaign needs here."""
    looks: tuple[Callable[[Place], Iterator[Check]], ...] = (
        _python,
        _engines,
        _cores,
        _store,
        _disk,
    )
    return Diagnosis(checks=tuple(check for look in looks for check in look(place)))


def _python(_: Place) -> Iterator[Check]:
    yield Check(subject="Python", state="ok", message=sys.version.split()[0])


def _engines(place: Place) -> Iterator[Check]:
    for name in engines.names():
        for found in engines.get(name).examine(place.site):
            yield _check(found, f"{name}: ")


def _check(found: Finding, whose: str = "") -> Check:
    return Check(
        subject=f"{whose}{found.subject}",
        state=found.state,
        message=found.message,
        remedy=found.remedy,
    )


def _cores(place: Place) -> Iterator[Check]:
    if place.cluster is not None:
        yield from (_check(found) for found in place.cluster.scheduler.examine())
        return
    usable = len(usable_cores().numbers)
    try:
        slots = place.local.seats(usable)
    except UserError as error:
        yield Check(subject="cores", state="missing", message=str(error))
        return
    yield Check(
        subject="cores",
        state="ok",
        message=f"{usable} usable; {slots} jobs of {place.local.cores_per_job} at a time",
    )


def _store(place: Place) -> Iterator[Check]:
    from fireworks_ext.embedded.filesystem import mounts, refuse_network

    if not is_embedded(place.store):
        yield from _server(place)
        return
    path = Path(place.store)
    try:
        refuse_network(path, mounts())
    except UserError as error:
        yield Check(subject="store", state="missing", message=str(error))
        return
    there = "there" if path.exists() else "made by the first run"
    yield Check(subject="store", state="ok", message=f"{path} ({there})")


def _server(place: Place) -> Iterator[Check]:
    from fireworks_ext.database.examination import examine

    yield from (_check(found) for found in examine(place.store))


def _disk(place: Place) -> Iterator[Check]:
    for subject, folder in (("run directories", place.artefacts), ("data", place.data)):
        existing = next(one for one in (folder, *folder.parents) if one.exists())
        free_gb = shutil.disk_usage(existing).free / GB
        writable = os.access(existing, os.W_OK)
        little = free_gb < LITTLE_SPACE_GB
        remedy = "" if writable else f"choose another folder than {folder}, or make it writable"
        yield Check(
            subject=subject,
            state="missing" if not writable else "warning" if little else "ok",
            message=f"{folder}, {free_gb:.0f} GB free",
            remedy=remedy or ("make room: charge densities are large" if little else ""),
        )
