"""Stages that cannot travel: they use files of earlier ones, and those were deleted.

Files are made anew under the lease of the key that they belong to, so whoever does it needs the
database. Such a stage is READY again, for workers that have it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fireworks_ext import leases
from fireworks_ext.worker.delivery import deliver
from fireworks_ext.worker.execution import delivery_of
from fireworks_ext.worker.session import Session
from fireworks_ext.worker.upstream import REMAKES, lost
from schemas.endings import Interrupted
from schemas.handover import Briefing

logger = logging.getLogger(__name__)


@dataclass
class Stays:
    """Stages that were taken and stay; they are kept until others were taken in their place."""

    session: Session
    owner: str
    """Whose leases they are under."""
    _found: list[tuple[Briefing, str]] = field(default_factory=list)

    def sort_out(self, briefings: Iterable[Briefing]) -> Iterator[Briefing]:
        """Yield those that can travel, and remember the others."""
        for one in briefings:
            why = lost(one)
            if why is None:
                yield one
            else:
                self._found.append((one, why))

    def give_back(self) -> None:
        """Make what stays READY again, and say in the log why it did."""
        if not self._found:
            return
        keys = [one.order.key for one, _ in self._found]
        leases.release_many(self.session.store, keys, self.owner)
        ended = [delivery_of(one, Interrupted(reason=why)) for one, why in self._found]
        deliver(self.session, ended)
        number, why = len(self._found), self._found[0][1]
        logger.warning("%d READY stages cannot travel: %s; %s", number, why, REMAKES)
        self._found = []
