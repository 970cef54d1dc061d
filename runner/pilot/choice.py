"""Which stages start now on the cores of one machine, and for how long that may go on; pure.

The longest first, so that no long one begins when everything else has ended; shorter and narrower
ones fill what is left. Nothing starts that would not end in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

PATIENCE_S = 60.0
"""A stage that was passed over for so long gets the next cores: nothing starts that would keep it
waiting."""
FRESH_SHARE = 0.8
"""Of the time of the longest job: with so much of it left, a job is a fresh one."""


@dataclass(frozen=True)
class Offer:
    """A stage that may be started."""

    name: str
    cores: int = 1
    memory_gb: float | None = None
    """None: its cores' share of what there is."""
    expected_s: float = 1.0
    high_s: float = 1.0
    continues: bool = False
    """Stopped, it saves its state, and another job goes on from it."""
    waited_s: float = 0.0
    """Since something was first started here in its stead."""
    gpus: int = 0
    alone: bool = False
    """Nothing else is to run meanwhile."""


@dataclass(frozen=True)
class Busy:
    """A stage that runs."""

    cores: int
    memory_gb: float
    left_s: float
    """Until it is expected to end."""
    gpus: int = 0


@dataclass(frozen=True)
class Seat:
    """What there is on this machine, and for how long."""

    cores: int
    memory_gb: float | None = None
    """None: no limit is known."""
    left_s: float | None = None
    """Until what runs is stopped; None: no limit is known."""
    whole_s: float | None = None
    """What the longest job has; None: no limit is known."""
    gpus: int | None = None
    """None: nobody knows, so one stage at a time has all that there may be."""

    def memory_of(self, offer: Offer) -> float:
        """Return the memory that a stage takes, in GB."""
        own_gb = offer.memory_gb
        if own_gb is None:
            own_gb = (self.memory_gb or 0.0) * offer.cores / self.cores
        return max(own_gb, self.memory_gb or 0.0) if offer.alone else own_gb

    def held_by(self, offer: Offer, left_s: float) -> Busy:
        """Return what a stage takes while it runs; one that runs alone takes everything."""
        cores = max(offer.cores, self.cores) if offer.alone else offer.cores
        gpus = min(offer.gpus, 1) if self.gpus is None else offer.gpus
        return Busy(cores, self.memory_of(offer), left_s, gpus)

    def is_large_enough(self, offer: Offer) -> bool:
        """Tell whether a stage fits while nothing else runs."""
        return _fits(offer, self, ())

    def is_long_enough(self, offer: Offer, after_s: float = 0.0) -> bool:
        """Tell whether a stage that starts after a while ends in time, or can at least go on."""
        if self.left_s is None:
            return True
        left_s = self.left_s - after_s
        if offer.high_s <= left_s:
            return True
        # There is no longer job: it goes on in the next, or shows that it cannot be done in one.
        return self.outlasts(offer) and left_s > FRESH_SHARE * self._whole_s

    def outlasts(self, offer: Offer) -> bool:
        """Tell whether a stage may take longer than any job runs."""
        return self.left_s is not None and offer.high_s > self._whole_s

    @property
    def _whole_s(self) -> float:
        return (self.left_s or 0.0) if self.whole_s is None else self.whole_s


@dataclass(frozen=True)
class Choice:
    """What starts now."""

    start: list[Offer] = field(default_factory=list)
    """In this order."""
    passed_over: list[Offer] = field(default_factory=list)
    """Those that should have come before some of these, and do not fit beside what runs."""


def choose(offers: Iterable[Offer], busy: Sequence[Busy], seat: Seat) -> Choice:
    """Return the stages to start now.

    One that was passed over for `PATIENCE_S` gets cores reserved, the one that waits longest: what
    starts meanwhile ends before they are free, or leaves them free.
    """
    order = _in_order(one for one in offers if seat.is_large_enough(one))
    first = order[0] if order and order[0].waited_s >= PATIENCE_S else None
    choice = Choice()
    running = list(busy)
    waiting: list[Offer] = []
    reserved: tuple[Offer, float] | None = None
    for one in order:
        if not seat.is_long_enough(one):
            continue
        if _fits(one, seat, running) and (
            reserved is None or _leaves_room(one, reserved, running, seat)
        ):
            choice.start.append(one)
            choice.passed_over.extend(waiting)
            waiting.clear()
            running.append(seat.held_by(one, one.expected_s))
            continue
        waiting.append(one)
        if one is first:
            due_s = _due(one, running, seat)
            reserved = (one, due_s) if seat.is_long_enough(one, due_s) else None
    return choice


def _in_order(offers: Iterable[Offer]) -> list[Offer]:
    """Return the longest first, but for the one that has waited longest, if that is long."""
    order = sorted(offers, key=lambda one: (-one.expected_s, -one.cores, one.name))
    first = max(order, key=lambda one: one.waited_s, default=None)
    if first is not None and first.waited_s >= PATIENCE_S:
        order.remove(first)
        order.insert(0, first)
    return order


def is_out_of_time(offers: Sequence[Offer], seat: Seat) -> bool:
    """Tell whether there is something to do, but no time for any of it."""
    fitting = [one for one in offers if seat.is_large_enough(one)]
    return bool(fitting) and not any(seat.is_long_enough(one) for one in fitting)


def _fits(offer: Offer, seat: Seat, busy: Iterable[Busy]) -> bool:
    together = [seat.held_by(offer, offer.expected_s), *busy]
    taken_gb = sum(one.memory_gb for one in together)
    # A little more than all of it is rounding: shares of the memory add up to the whole.
    enough = seat.memory_gb is None or taken_gb <= seat.memory_gb * (1 + 1e-9)
    cores, gpus = sum(one.cores for one in together), sum(one.gpus for one in together)
    return enough and cores <= seat.cores and gpus <= (1 if seat.gpus is None else seat.gpus)


def _due(offer: Offer, busy: Sequence[Busy], seat: Seat) -> float:
    """Return after how many seconds enough is expected to have ended for a stage to start."""
    left = sorted(busy, key=lambda one: one.left_s)
    for position, one in enumerate(left):
        if _fits(offer, seat, left[position + 1 :]):
            return max(one.left_s, 0.0)
    return 0.0


def _leaves_room(
    offer: Offer, reserved: tuple[Offer, float], busy: Sequence[Busy], seat: Seat
) -> bool:
    """Tell whether a stage can start without keeping the one waiting that has reserved."""
    waiting, due_s = reserved
    if offer.high_s <= due_s:
        return True
    # Those that are expected to have ended when it starts count no more.
    then = [one for one in busy if one.left_s > due_s]
    then.append(seat.held_by(offer, offer.high_s))
    return _fits(waiting, seat, then)
