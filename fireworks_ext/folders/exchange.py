"""The folder through which a controller and the jobs of its campaign speak: nothing else does.

    stages/<stage>/                 stage.json, claim-N, result.json: any pilot may take any
    done/<stage>                    empty; made once the result is durable, so that one small
                                    folder tells the controller what to look at
    jobs/<name>/pilot.json          what the pilots of the job go by
    jobs/<name>/own/<index>/<stage>/  stages that only this job (this element of it) may take
    jobs/<name>/begun-*.json        written by each pilot when it begins
    jobs/<name>/report-*.json       written by each pilot while it works and at its end
    jobs/<name>/ended-*.json        written by the job's script at its end
    jobs/<name>/out/<stage>.txt     what carrying out a stage printed, where it printed anything
    past/<name>/                    the same, once the job is over
    leave                           there: pilots end as soon as nothing runs in them
    owner                           whose it is: to others, numbers of stages mean nothing
    unreadable/                     stages of other versions
    more                            touched by the controller as long as it lives

A stage's name is `<firework>-<launch>`. Everything that is read by others is written aside and
renamed, so it is whole or absent.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError

from fireworks_ext import durable
from fireworks_ext.folders.offline import RESULT
from fireworks_ext.processes import Process
from schemas.errors import UserError
from schemas.handover import Delivery
from schemas.model import JsonValue, Model
from schemas.queue import Allocation

NO_SCHEDULER = "none"
ORDER_FILE = "pilot.json"
BEGUN, REPORT, ENDED = "begun-", "report-", "ended-"
LEAVE, MORE = "leave", "more"
OWNER_FILE = "owner"
LAST_WORDS_BYTES = 500


class PilotOrder(Model):
    """What the pilots of a job go by; their controller writes it before it asks for the job."""

    launcher: dict[str, JsonValue] = Field(
        default={"kind": NO_SCHEDULER},
        description="`kind` and that launcher's own settings; it tells what the job has. "
        "none: `allocation` does.",
    )
    allocation: Allocation | None = Field(
        default=None, description="For `kind: none`. Default: all that the process may use."
    )
    own_only: bool = Field(
        default=False,
        description="Take the job's own stages and no others, and leave once they are done.",
    )
    whole_s: float | None = Field(
        default=None,
        gt=0,
        description="How long the longest job of the campaign may run: a stage that takes longer "
        "starts in a fresh one only. Default: what this job had when its pilot began.",
    )
    idle_s: float = Field(default=60.0, gt=0, description="So long it waits for something to do.")
    stop_before_s: float = Field(
        default=120.0, gt=0, description="Before the end of the job, what still runs is stopped."
    )
    pinned: bool = Field(
        default=True,
        description="Bind stages to cores of their own. Off: where others use this machine, too.",
    )
    locks: str | None = Field(
        default=None,
        description="Folder of the cores' locks, on a disk of the machine that computes. Default: "
        "in its folder for temporary files, the same for all programs of this user.",
    )


class Begun(Model):
    """A pilot that began."""

    allocation: Allocation
    process: Process
    host: str
    began_at: float = Field(description="Unix time, s.")


class Report(Model):
    """What a pilot has done so far; the last one is written at its end."""

    job: str
    restarts: int = 0
    host: str
    at: float = Field(description="Unix time, s.")
    cores: int
    seconds: float = Field(description="Since it began.")
    busy_core_s: float = Field(description="Core-seconds that stages held.")
    program_cpu_s: float = Field(description="CPU time of all programs that ended.")
    stages: int = Field(description="Those that ended.")
    running: int = 0
    died: int = Field(default=0, description="Processes that died while they carried one out.")
    too_large: tuple[str, ...] = Field(
        default=(),
        description="Stages that need more memory, cores or GPUs than there are here; the first.",
    )
    left: str | None = Field(default=None, description="Why it ended; None: it has not.")


class Ended(Model):
    """How a job's script ended."""

    job: str
    restarts: int
    exit: int
    at: float = Field(description="Unix time, s.")


Record = TypeVar("Record", bound=Model)


@dataclass(frozen=True)
class Exchange:
    """The exchange folder of one campaign."""

    root: Path

    @property
    def stages(self) -> Path:
        """The stages that any job may take."""
        return self.root / "stages"

    @property
    def done(self) -> Path:
        """One empty file for each stage that has a result."""
        return self.root / "done"

    @property
    def jobs(self) -> Path:
        """One folder for each job."""
        return self.root / "jobs"

    @property
    def past(self) -> Path:
        """The folders of jobs that are over."""
        return self.root / "past"

    def job(self, name: str) -> Path:
        """Return the folder of a job."""
        return self.jobs / name

    def own(self, name: str, index: int | None = None) -> Path:
        """Return the folder of the stages that only this job, or this element of it, may take."""
        return self.job(name) / "own" / str(index or 0)

    def owned(self, name: str) -> dict[int, Path]:
        """Return the folders of a job's own stages, by element; 0 where it is no array."""
        folder = self.job(name) / "own"
        return {int(one): folder / one for one in names(folder)}

    def output(self, name: str, stage: str) -> Path:
        """Return where goes what carrying out a stage prints."""
        return self.job(name) / "out" / f"{stage}.txt"

    def make(self) -> None:
        """Make the folders that are always there."""
        for folder in (self.stages, self.done, self.jobs):
            folder.mkdir(parents=True, exist_ok=True)

    def is_there(self) -> bool:
        """Tell whether the folder can be seen: its file system may be away for a moment."""
        return self.stages.is_dir()

    def claim_for(self, owner: str) -> str:
        """Make the folder this owner's, if it is nobody's yet; return whose it is."""
        self.root.mkdir(parents=True, exist_ok=True)
        path = self.root / OWNER_FILE
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(owner)
        except FileExistsError:
            return path.read_text(encoding="utf-8") or owner
        return owner

    # Stages

    def set_aside(self, place: Path) -> None:
        """Put a stage's folder away that nobody can read."""
        unreadable = self.root / "unreadable"
        unreadable.mkdir(exist_ok=True)
        place.rename(unreadable / f"{place.name}-{time.time_ns()}")

    def finish(self, place: Path, delivery: Delivery) -> None:
        """Write down how a stage ended, and then that it did.

        Raises OSError where that cannot be written, or the stage is not there any more.
        """
        durable.write(place / RESULT, json.dumps(delivery.model_dump(mode="json"), sort_keys=True))
        self.mark(place.name)

    def mark(self, stage: str) -> None:
        """Let the controller know that a stage has a result."""
        (self.done / stage).touch()

    def done_names(self) -> set[str]:
        """Return the names of the stages that have a result."""
        return set(names(self.done))

    def forget(self, stage: str) -> None:
        """Remove the mark of a stage whose result was taken in."""
        (self.done / stage).unlink(missing_ok=True)

    # Jobs

    def give_order(self, name: str, order: PilotOrder) -> None:
        """Write down what the pilots of a job go by."""
        self.job(name).mkdir(parents=True, exist_ok=True)
        durable.write(self.job(name) / ORDER_FILE, order.model_dump_json())

    def order(self, name: str) -> PilotOrder:
        """Return what the pilots of a job go by. Raises UserError where there is nothing."""
        path = self.job(name) / ORDER_FILE
        try:
            return PilotOrder.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise UserError(
                f"{path}: no such file; pilots are started by the jobs that `campaign run` asks "
                "for, and this is no exchange folder of a campaign, or its job is over"
            ) from error
        except ValidationError as error:
            raise UserError(
                f"{path}: found something else than a pilot's order of this version: {error}"
            ) from error

    def begin(self, name: str, begun: Begun) -> None:
        """Write down that a pilot begins."""
        one = begun.allocation
        self._write(name, f"{BEGUN}{_of(one.job, one.restarts, begun.host)}", begun)

    def begun(self, name: str) -> list[Begun]:
        """Return the pilots of a job that began."""
        return _read_all(self.job(name), BEGUN, Begun)

    def report(self, name: str, report: Report) -> None:
        """Write down what a pilot has done so far."""
        self._write(name, f"{REPORT}{_of(report.job, report.restarts, report.host)}", report)

    def reports(self, name: str) -> list[Report]:
        """Return the last report of each pilot of a job."""
        return _read_all(self.job(name), REPORT, Report)

    def reports_before(self) -> list[Report]:
        """Return the last reports of all pilots whose job is over."""
        jobs = names(self.past)
        return [one for job in jobs for one in _read_all(self.past / job, REPORT, Report)]

    def ended(self, name: str) -> list[Ended]:
        """Return how the scripts of a job ended: of each of its elements and restarts."""
        found = []
        for file in names(self.job(name)):
            job, _, restarts = file.removesuffix(".json").removeprefix(ENDED).rpartition("-")
            if not (file.startswith(ENDED) and file.endswith(".json") and restarts.isdigit()):
                continue
            with suppress(OSError, ValueError, TypeError, KeyError):  # half written: next time
                said = json.loads((self.job(name) / file).read_text(encoding="utf-8"))
                found.append(
                    Ended(job=job, restarts=int(restarts), exit=said["exit"], at=said["at"])
                )
        return found

    def last_words(self, name: str) -> str:
        """Return the end of what a job's script printed; empty where there is nothing."""
        outputs = sorted(self.job(name).glob("out-*.txt"), key=lambda one: one.stat().st_mtime)
        if not outputs:
            return ""
        text = outputs[-1].read_bytes()[-LAST_WORDS_BYTES:].decode("utf-8", "replace")
        return text.strip()

    def _write(self, name: str, file: str, record: Model) -> None:
        durable.write(self.job(name) / file, record.model_dump_json(), durable=False)

    # What all pilots are told

    def ask_to_leave(self) -> None:
        """Have all pilots end as soon as nothing runs in them."""
        (self.root / LEAVE).touch()

    def let_stay(self) -> None:
        """Have pilots work again."""
        (self.root / LEAVE).unlink(missing_ok=True)

    def is_leaving(self) -> bool:
        """Tell whether pilots are to take nothing new."""
        return (self.root / LEAVE).exists()

    def show_life(self) -> None:
        """Let everybody see that the controller lives."""
        said = json.dumps({"at": time.time()})
        durable.write(self.root / MORE, said, durable=False)


def names(folder: Path) -> list[str]:
    """Return the names in a folder, without those of files that are only just written."""
    try:
        return [one for one in os.listdir(folder) if not one.startswith(".")]  # noqa: PTH208  (names are enough)
    except FileNotFoundError:
        return []


def _of(job: str, restarts: int, host: str) -> str:
    return f"{job}-{restarts}-{host.replace(os.sep, '_')}.json"


def _read_all(folder: Path, prefix: str, model: type[Record]) -> list[Record]:
    """Return the records in a folder whose names begin so; those of other versions are left out."""
    found = []
    for name in sorted(names(folder)):
        if name.startswith(prefix) and name.endswith(".json"):
            with suppress(OSError, ValidationError):
                found.append(model.model_validate_json((folder / name).read_bytes()))
    return found
