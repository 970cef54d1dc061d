"""What all viewers see: each campaign is asked about by one poller, however many look at it.

Nobody looks: nothing is asked. The share of time that questions take is bounded, so that a slow
store is asked less often.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from pymongo.errors import PyMongoError

from fireworks_ext.store import Store
from runner.dashboard.questions import Questions, Snapshot, names
from schemas.errors import UserError

TICK_S = 1.0
AT_REST_S = 15.0
"""Between two looks at a campaign in which nothing moves."""
SHARE = 0.1
"""Of the time, at most, that questions about one campaign take."""
FRESH_S = 5.0
"""A page that is opened shows nothing older than this of a campaign that moves."""
FORGOTTEN_S = 60.0
"""So long after its last viewer a campaign is not asked about any more."""


@dataclass
class _Entry:
    questions: Questions
    snapshot: Snapshot | None = None
    read_at: float = 0.0
    wanted_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def age_s(self) -> float:
        return time.monotonic() - self.read_at

    def interval_s(self) -> float:
        if self.snapshot is None:
            return 0.0
        rest = TICK_S if self.snapshot.is_moving else AT_REST_S
        return max(rest, self.snapshot.took_s / SHARE)


class Board:
    """The last snapshot of every campaign, renewed while anybody looks."""

    def __init__(self, store: Store, chosen: tuple[str, ...] = ()) -> None:
        self.store, self.chosen = store, chosen
        self.version = 0
        self.note = ""
        """Why nothing could be asked the last time; empty where it could."""
        self._entries: dict[str, _Entry] = {}
        self._names: tuple[str, ...] = ()
        self._named_at = float("-inf")
        self._naming = asyncio.Lock()
        self._changed = asyncio.Condition()
        self._readers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="poller")
        self._askers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="page")
        self._closed = False

    @property
    def is_closed(self) -> bool:
        """Tell whether the server is going down."""
        return self._closed

    def close(self) -> None:
        """Have everybody who waits for news leave; safe in a signal handler."""
        self._closed = True

    async def ask(self, question: Callable[[], object]) -> object:
        """Return the answer to a question of one viewer, asked beside the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._askers, question)

    async def campaigns(self) -> tuple[str, ...]:
        """Return the names of the campaigns that are shown, asked for once for all viewers."""
        loop = asyncio.get_running_loop()
        async with self._naming:
            if time.monotonic() - self._named_at > FRESH_S:
                known = await loop.run_in_executor(self._readers, names, self.store, self.chosen)
                self._names, self._named_at = known, time.monotonic()
        return self._names

    async def snapshot(self, campaign: str, max_age_s: float = FRESH_S) -> Snapshot:
        """Return where a campaign stands, asked now if the last answer is too old.

        Raises
        ------
        UserError
            When there is no such campaign, or it is not among those that are shown.
        """
        if self.chosen and campaign not in self.chosen:
            raise UserError(f"no campaign '{campaign}' on this dashboard")
        entry = self._entries.get(campaign) or _Entry(Questions(self.store, campaign))
        entry.wanted_at = time.monotonic()
        async with entry.lock:
            if entry.snapshot is None or entry.age_s() > max(max_age_s, entry.interval_s()):
                await self._read(entry)
                await self.announce()
        self._entries[campaign] = entry  # only now: a name that nobody knows is not kept
        if entry.snapshot is None:
            raise UserError(f"no campaign '{campaign}'")
        return entry.snapshot

    def hurry(self, campaign: str) -> None:
        """Have a campaign be asked about at once: something was done to it."""
        if campaign in self._entries:
            self._entries[campaign].read_at = 0.0

    async def news(self, since: int, wait_s: float) -> int:
        """Wait until there is something newer than a version, or for so long; return which."""
        async with self._changed:
            if self.version <= since and not self._closed:
                try:
                    await asyncio.wait_for(self._changed.wait(), wait_s)
                except TimeoutError:
                    return self.version
        return self.version

    async def announce(self) -> None:
        """Wake everybody who waits for news."""
        async with self._changed:
            self.version += 1
            self._changed.notify_all()

    async def poll(self) -> None:
        """Renew what is looked at, until the server goes down."""
        while not self._closed:
            before = self.note
            changed = [await self._renewed(one) for one in list(self._entries.values())]
            if any(changed) or self.note != before:
                await self.announce()
            await asyncio.sleep(TICK_S)
        await self.announce()
        for pool in (self._readers, self._askers):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _renewed(self, entry: _Entry) -> bool:
        """Ask again if it is time; tell whether anything is new."""
        is_seen = time.monotonic() - entry.wanted_at < FORGOTTEN_S
        if not is_seen or entry.age_s() < entry.interval_s() or self._closed:
            return False
        async with entry.lock:
            before = entry.snapshot
            try:
                await self._read(entry)
            except (UserError, PyMongoError, OSError) as error:
                entry.read_at = time.monotonic()
                self.note = f"The store does not answer: {error}"
                return False
        return entry.snapshot != before

    async def _read(self, entry: _Entry) -> None:
        loop = asyncio.get_running_loop()
        entry.snapshot = await loop.run_in_executor(self._readers, entry.questions.snapshot)
        entry.read_at = time.monotonic()
        self.note = ""
