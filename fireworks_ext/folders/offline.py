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
from fireworks_ext.worker.execution import carry_out
from fireworks_ext.worker.session import Session
from schemas.errors import UserError
from schemas.handover import Delivery
from schemas.stage_file import StageFile

STAGE = "stage.json"
RESULT = "result.json"


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
    me = this_process()
    for place in stages(folder):
        if leaving():
            return
        if (place / RESULT).exists():
            continue
        with claimed(place, me) as ours:
            if not ours or (place / RESULT).exists():
                continue
            stage = read_stage(place)
            if stage is None:
                continue
            session = Session(None, stage.site, Artefacts(stage.artefacts))
            begin(session)
            delivery = carry_out(session, stage.briefing)
            artefacts.write_record(place, RESULT, delivery.model_dump(mode="json"))
            yield delivery


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
