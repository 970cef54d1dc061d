"""What is to be written down, kept on the disk while the database is away."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError
from pymongo.errors import PyMongoError

from fireworks_ext import artefacts, durable
from fireworks_ext.states import WorkflowBusy
from fireworks_ext.worker.delivery import deliver
from fireworks_ext.worker.session import Session
from schemas.errors import UserError
from schemas.handover import Delivery

logger = logging.getLogger(__name__)

JOURNAL = "journal"
"""Of results without a run directory, `journal-CAMPAIGN.jsonl`: campaigns share a folder."""
FAILED = "failed"
"""The folder of deliveries that cannot be written down by a mistake, for a person to look at."""
AGAIN_S = 60.0
"""Before a workflow that somebody has locked is tried again."""


@dataclass
class Outbox:
    """Deliveries of one worker, in the order in which they were made.

    `folder` takes those that could not be written down; whoever looks there later can do it, and a
    delivery that is made twice does no harm.
    """

    session: Session
    folder: Path
    _waiting: list[Delivery] = field(default_factory=list)
    _locked: list[Delivery] = field(default_factory=list)
    """Of workflows whose lock somebody holds, and when to try these again."""
    _again_at: float = 0.0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._locked)

    def add(self, *deliveries: Delivery) -> None:
        """Take deliveries in."""
        self._waiting.extend(deliveries)

    def flush(self) -> bool:
        """Write everything down and tell whether the database is there; what is left is kept."""
        if self._locked and time.monotonic() > self._again_at:
            self._waiting, self._locked = [*self._locked, *self._waiting], []
        if not self._waiting:
            return True
        journal = self._journal()
        try:
            self._deliver(self._waiting)
        except PyMongoError as error:
            logger.warning("%d results wait for the database: %s", len(self._waiting), error)
            self._keep(self._waiting)
            return False
        delivered = [one for one in self._waiting if one not in self._locked]
        self._waiting = []
        with suppress(OSError):  # a delivery that is made twice does no harm
            for one in delivered:
                (self.folder / file_name(one)).unlink(missing_ok=True)
            if journal is not None:
                journal.unlink(missing_ok=True)
        return True

    def _deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Write deliveries down, but for those that cannot be, and stand in nobody's way."""
        try:
            deliver(self.session, deliveries)
        except PyMongoError:
            raise
        except WorkflowBusy as error:
            logger.warning("%s", error)
            self._locked += [one for one in deliveries if one.fw_id in error.fw_ids]
            self._keep(self._locked)
            self._again_at = time.monotonic() + AGAIN_S
        except Exception:  # a document that somebody changed, a mistake of ours: the worker goes on
            if len(deliveries) > 1:
                for one in deliveries:
                    self._deliver([one])
                return
            logger.exception("firework %d cannot be written down", deliveries[0].fw_id)
            self._keep(deliveries, FAILED)
            self.session.release([deliveries[0].order.key])

    def _keep(self, deliveries: Sequence[Delivery], inside: str = "") -> None:
        try:
            for one in deliveries:
                keep(self.folder / inside, one)
        except OSError as error:  # this process has them still
            logger.warning("results are kept in memory only: %s", error)

    def _journal(self) -> Path | None:
        """Put on the disk what has no run directory, before the database hears of it."""
        alone = [one for one in self._waiting if any(not found.artefacts for found in one.results)]
        if not alone:
            return None
        path = self.folder / f"{JOURNAL}-{alone[0].order.campaign}.jsonl"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            durable.write(path, "".join(f"{one.model_dump_json()}\n" for one in alone))
        except OSError as error:  # the database alone has them, as soon as it can
            logger.warning("%s is not written: %s", path, error)
            return None
        return path


def file_name(delivery: Delivery) -> str:
    """Return the name of a delivery's file."""
    return f"{delivery.fw_id}-{delivery.launch_id}.json"


def keep(folder: Path, delivery: Delivery) -> None:
    """Write a delivery into a folder: whole, or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    artefacts.write_record(folder, file_name(delivery), delivery.model_dump(mode="json"))


def kept(folder: Path) -> Iterator[tuple[Path, Delivery]]:
    """Yield the deliveries in a folder, the oldest launches first.

    Raises
    ------
    UserError
        For a file that is none.
    """
    for journal in folder.glob(f"{JOURNAL}*.jsonl"):
        _unpack(journal)
    for path in sorted(folder.glob("*-*.json"), key=_launch_number):
        try:
            yield path, Delivery.model_validate_json(path.read_bytes())
        except FileNotFoundError:  # whoever wrote it has delivered it meanwhile
            continue
        except ValidationError as error:
            raise UserError(f"{path}: found something else than a delivery: {error}") from error


def _unpack(journal: Path) -> None:
    """Make files of the deliveries in a journal; a line that is not whole is none."""
    for line in journal.read_text(encoding="utf-8").splitlines():
        with suppress(ValidationError):
            keep(journal.parent, Delivery.model_validate_json(line))
    journal.unlink(missing_ok=True)


def _launch_number(path: Path) -> int:
    number = path.stem.rpartition("-")[2]
    return int(number) if number.isdigit() else 0
