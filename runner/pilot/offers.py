"""The stages that lie in an exchange folder, as one pilot knows them.

A look costs one operation on the file system where nothing has changed, and every stage is read
once.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from fireworks_ext.folders.offline import ALONE, RESULT, read_stage
from runner.pilot.choice import Offer
from runner.pilot.warmth import warm_up
from schemas.errors import UserError
from schemas.registry import engines
from schemas.stage_file import Forecast, StageFile

logger = logging.getLogger(__name__)

UNKNOWN = Forecast(expected_s=60.0, high_s=600.0, basis="nothing is known of it")
"""Not the stage's walltime: a day by default, for which no job would ever have the time."""
AGAIN_S, LONGEST_AGAIN_S = 20.0, 300.0
"""Between two tries to claim a stage that somebody else has: twice as long each time."""
LIST_S = 2.0
"""Between two listings of a folder whose time has not changed: some file systems count seconds."""
REFRESH_S = 1.0
"""Between two looks past the cache of an NFS client; whose cores are all busy takes none."""
YOUNG_S = 5.0
"""A stage's folder that is empty for longer stays so for some time."""
MOST_AT_ONCE = 200
"""New stages that are read in one look: those that run are attended to in between."""


@dataclass
class _Entry:
    place: Path
    offer: Offer
    passed_over_at: float | None = None
    again_at: float = 0.0
    again_s: float = AGAIN_S
    claim: int = 0
    """The number of the claim that somebody else had when it was last tried."""
    mine: bool = False


@dataclass
class _Listing:
    folder: Path
    own: bool
    changed_ns: int = -1
    listed_at: float = -1e9
    entries: dict[str, _Entry | None] = field(default_factory=dict)
    """None: nothing that could be carried out here."""
    awaited: dict[str, float] = field(default_factory=dict)
    """Folders that were seen before what is to be in them, and since when."""
    more: bool = False


class Offers:
    """What there is to do.

    Parameters
    ----------
    shared
        Stages that any pilot may take; None: none of those.
    own
        Stages that only pilots of this job may take; the folder need not be there.
    """

    def __init__(self, shared: Path | None, own: Path) -> None:
        self._listings = [_Listing(own, own=True)]
        if shared is not None:
            self._listings.append(_Listing(shared, own=False))
        self._refreshed_at = 0.0

    def look(self) -> None:
        """Take note of what has come and what is gone; for one who has free cores.

        Raises OSError.
        """
        now = time.monotonic()
        refresh = now - self._refreshed_at > REFRESH_S
        if refresh:
            self._refreshed_at = now
        for one in self._listings:
            _look(one, now, refresh=refresh)

    def open(self) -> list[Offer]:
        """Return what may be tried now."""
        now = time.monotonic()
        return [
            replace(one.offer, waited_s=now - one.passed_over_at)
            if one.passed_over_at is not None
            else one.offer
            for one in self._entries()
            if not one.mine and now >= one.again_at
        ]

    def any_left(self) -> bool:
        """Tell whether there is anything that has not ended, as far as is known."""
        return any(True for _ in self._entries())

    def place(self, name: str) -> Path:
        """Return the folder of a stage."""
        return self._entry(name).place

    def take(self, name: str) -> None:
        """Take note that a stage is ours."""
        self._entry(name).mine = True

    def give_back(self, name: str, *, again_s: float = AGAIN_S) -> None:
        """Take note that a stage is not ours; it is tried again after a while."""
        with suppress(KeyError):  # it is gone
            entry = self._entry(name)
            entry.mine, entry.again_at = False, time.monotonic() + again_s

    def taken(self, name: str, claim: int) -> None:
        """Take note that somebody else has a stage, by a claim of that number."""
        with suppress(KeyError):  # it is gone
            entry = self._entry(name)
            same = claim == entry.claim
            entry.again_s = min(2 * entry.again_s, LONGEST_AGAIN_S) if same else AGAIN_S
            entry.claim = claim
            self.give_back(name, again_s=entry.again_s)

    def hurry(self) -> None:
        """Have all that somebody else had tried again now."""
        for one in self._entries():
            if one.claim:
                one.again_at = 0.0

    def isolate(self, name: str) -> None:
        """Take note that a stage is to run alone."""
        entry = self._entry(name)
        entry.offer = replace(entry.offer, alone=True)

    def drop(self, name: str) -> None:
        """Take note that a stage has ended."""
        for one in self._listings:
            if name in one.entries:
                one.entries[name] = None

    def pass_over(self, offers: Iterable[Offer]) -> None:
        """Take note of stages in whose stead others were started."""
        now = time.monotonic()
        for one in offers:
            entry = self._entry(one.name)
            entry.passed_over_at = entry.passed_over_at or now

    def _entries(self) -> Iterable[_Entry]:
        return (one for listing in self._listings for one in listing.entries.values() if one)

    def _entry(self, name: str) -> _Entry:
        for one in self._listings:
            entry = one.entries.get(name)
            if entry is not None:
                return entry
        raise KeyError(name)


def _look(listing: _Listing, now: float, *, refresh: bool) -> None:
    try:
        if refresh:
            _renew_cache(listing.folder)
        changed_ns = listing.folder.stat().st_mtime_ns
        same = changed_ns == listing.changed_ns and now - listing.listed_at < LIST_S
        if same and not listing.more:
            return
        found = {one for one in os.listdir(listing.folder) if not one.startswith(".")}  # noqa: PTH208  (names are enough)
    except FileNotFoundError:
        if listing.own:
            return
        raise
    listing.changed_ns, listing.listed_at = changed_ns, now
    for gone in listing.entries.keys() - found:
        del listing.entries[gone]
    new = sorted(found - listing.entries.keys())
    listing.more = len(new) > MOST_AT_ONCE
    listing.awaited = {name: listing.awaited.get(name, now) for name in new}
    for name in new[:MOST_AT_ONCE]:
        _note(listing, name, now)


def _note(listing: _Listing, name: str, now: float) -> None:
    """Take note of a new name."""
    place = listing.folder / name
    try:
        stage = read_stage(place)
    except UserError as error:
        logger.warning("%s", error)
        listing.entries[name] = None
        return
    if stage is None:
        # Its folder is made first; what stays empty is looked at with every listing.
        listing.more |= now - listing.awaited[name] < YOUNG_S
        return
    elsewhere = stage.briefing.order.resources.nodes > 1 and not listing.own
    ended = (place / RESULT).exists()
    if elsewhere or ended:
        listing.entries[name] = None
        return
    warm_up(stage)
    offer = offer_of(stage, name)
    if listing.own:
        # The job was asked for by this stage: if it is too small or too short, all others will be.
        offer = replace(offer, memory_gb=None, high_s=0.0, gpus=0)
    elif (place / ALONE).exists():
        offer = replace(offer, alone=True)
    listing.entries[name] = _Entry(place, offer)


def _renew_cache(folder: Path) -> None:
    """Have the next listing show what others have made.

    A client of NFS shows what it listed up to a minute ago (nfs(5), acdirmax), unless the folder
    was changed through it.
    """
    probe = folder / f".look-{os.uname().nodename}-{os.getpid()}"
    probe.touch()
    probe.unlink(missing_ok=True)


def offer_of(stage: StageFile, name: str) -> Offer:
    """Return what carrying out a stage takes."""
    order, forecast = stage.briefing.order, stage.forecast or UNKNOWN
    try:
        continues = engines.get(order.engine).continuation is not None
    except UserError:  # who carries it out will say so
        continues = False
    return Offer(
        name,
        cores=order.resources.cores,
        memory_gb=forecast.memory_gb or order.resources.memory_gb,
        expected_s=forecast.expected_s,
        high_s=forecast.high_s,
        continues=continues,
        gpus=order.resources.gpus,
    )
