"""What a run tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runner.submit import Counts
from schemas.reports import Status


@dataclass
class Observer:
    """What a run tells while it goes on; every call may be ignored."""

    screening: Callable[[int, int | None], None] = lambda _done, _total: None
    submitted: Callable[[Counts], None] = lambda _counts: None
    repaired: Callable[[str], None] = lambda _text: None
    status: Callable[[Status], None] = lambda _status: None
    watching: Callable[[str], None] = lambda _owner: None
    waiting: Callable[[], None] = lambda: None
    told: Callable[[str], None] = lambda _text: None
