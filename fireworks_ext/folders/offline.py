"""Stages that were handed over as files, carried out without a database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import ValidationError

from fireworks_ext import artefacts
from fireworks_ext.artefacts import Artefacts
from fireworks_ext.folders.claims import claimed
from fireworks_ext.processes import this_process
from fireworks_ext.worker.disk import Disk, DiskAway, is_away, is_there
from fireworks_ext.worker.execution import carry_out
from fireworks_ext.worker.session import Session
from schemas.endings import Interrupted
from schemas.errors import UserError
from schemas.handover import Delivery
from schemas.stage_file import StageFile

STAGE = "stage.json"
RESULT = "result.json"
ALONE = "alone"
"""There: nothing else is to run on the machine meanwhile, as too little memory ended its job."""


def stages(folder: Path) -> list[Path]:
    """Return the folders of the stages in a folder, or the folder itself if it is one."""
    if (folder / STAGE).exists():
        return [folder]
    found = (path.parent for path in folder.glob(f"*/{STAGE}"))
    return sorted(place for place in found if not place.name.startswith("."))


def work_through(
    folder: Path, *, begin: Callable[[Session], None], leaving: Callable[[], bool]
) -> Iterator[Delivery]:
    """Carry out the stages in a folder that nobody has carried out or works on; yield their ends.

    Parameters
    ----------
    begin
        Called with every stage's session, so that signals can stop it.
    leaving
        Whether to take nothing new.

    Raises
    ------
    UserError
        For a `stage.json` that is none.
    """
    disk = Disk()
    for place in stages(folder):
        while disk.wait(leaving):
            try:
                with claimed(place, this_process()) as ours:
                    delivery = _carried_out(place, disk, begin) if ours else None
                    if delivery is not None and _is_written(place, delivery, disk, leaving):
                        yield delivery
                break
            except DiskAway:
                continue  # what was claimed is free again, and tried again when that is due
            except OSError as error:
                if is_there(folder) and not is_there(place):
                    break  # its result was taken in
                _take_note(error, place, disk)


def _carried_out(place: Path, disk: Disk, begin: Callable[[Session], None]) -> Delivery | None:
    """Return how a stage ended; None where somebody was quicker. Raises DiskAway."""
    stage = read_stage(place) if not (place / RESULT).exists() else None
    if stage is None:
        return None
    session = Session(None, stage.site, Artefacts(stage.artefacts), disk=disk)
    begin(session)
    delivery = carry_out(session, stage.briefing)
    if isinstance(delivery.ending, Interrupted) and disk.why is not None:
        raise DiskAway(disk.why)
    return delivery


def _is_written(place: Path, delivery: Delivery, disk: Disk, leaving: Callable[[], bool]) -> bool:
    """Write a result into its folder as soon as that is possible; tell whether it was.

    One that is not written is in its run directory: who is given the stage next takes it in.
    """
    while True:
        try:
            artefacts.write_record(place, RESULT, delivery.model_dump(mode="json"))
        except OSError as error:
            if is_there(place.parent) and not is_there(place):
                return False  # its stage was given to somebody else
            _take_note(error, place, disk)
        else:
            return True
        if not disk.wait(leaving):
            return False


def _take_note(error: OSError, place: Path, disk: Disk) -> None:
    """Have a disk that is full or gone waited for. Raises UserError for anything else."""
    if not is_away(error, place):
        raise UserError(
            f"{place}: cannot be written: {error.strerror or error}; `campaign worker --offline` "
            "writes its claim and its result there"
        ) from error
    disk.lost(error, place.parent)


def read_stage(place: Path) -> StageFile | None:
    """Return what was handed over in a folder, or None where that was taken in meanwhile.

    Raises UserError for what is no such file.
    """
    path = place / STAGE
    try:
        return StageFile.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise UserError(
            f"{path}: found something else than a stage of this version: {error}; `campaign "
            "hand-over` writes such files"
        ) from error


def read_result(place: Path) -> Delivery | None:
    """Return how a stage ended, or None as long as it has not."""
    path = place / RESULT
    try:
        return Delivery.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValidationError, json.JSONDecodeError) as error:
        raise UserError(f"{path}: found something else than a result: {error}") from error
