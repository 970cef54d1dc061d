"""How many jobs to ask for, and how many stages to hand over: from numbers to numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from runner.fleet.loads import (
    Alive,
    Limits,
    Load,
    fits,
    held_cores,
    needs_own_job,
)
from schemas.clock import SECONDS_PER_MINUTE
from schemas.queue import JobShape

LOOK_AHEAD_S = 600.0
"""Of work that lies ready for the cores of running pilots: a controller may be away so long."""
PER_SLOT = 2
MOST_UNTAKEN = 500
"""Stages that are handed over and that no pilot has: as many folders for all to look through."""
SAFETY = 1.25
"""Times the 95 % bound: a job's time limit costs nothing but its place in the queue, being ended
costs what was done."""
STARTING_MIN = 2.0
"""Of a job: its script, the interpreter, the imports from a shared file system."""
ROUND_MIN = 5.0
LEAST_FILL_S = 1.0


@dataclass(frozen=True, slots=True)
class OwnJob:
    """A job to be asked for by one stage."""

    name: str
    shape: JobShape
    continues: bool
    """Its walltime may not be enough: it will have to go on in another one."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to ask for now."""

    pilots: int = 0
    own: tuple[OwnJob, ...] = ()
    why_not_more: str = ""
    """A sentence for people."""


def own_job(load: Load, limits: Limits) -> OwnJob:
    """Return the job that a stage needs for itself."""
    wanted_min = load.high_s / SECONDS_PER_MINUTE * SAFETY + STARTING_MIN
    wanted_min += limits.stop_before_s / SECONDS_PER_MINUTE
    longest = limits.pilot.walltime_min
    minutes = min(ceil(wanted_min / ROUND_MIN) * ROUND_MIN, longest)
    return OwnJob(
        name=load.name,
        shape=JobShape(
            nodes=load.nodes,
            cores=load.cores,
            gpus=load.gpus,
            memory_gb=load.memory_gb or limits.pilot.memory_gb,
            walltime_min=minutes,
        ),
        continues=wanted_min > longest,
    )


def size(
    ready: Iterable[Load],
    out: Iterable[Load],
    alive: Sequence[Alive],
    limits: Limits,
    *,
    others: int = 0,
) -> Wish:
    """Return the jobs to ask for now.

    Parameters
    ----------
    ready
        Stages that could start, the most urgent first.
    out
        Stages that pilots have or may take; those in jobs of their own are left out.
    others
        Jobs of the user that are not this campaign's.
    """
    waiting = list(ready)
    room, wall = _room(alive, limits, others)
    large = [one for one in waiting if needs_own_job(one, limits)]
    small = [*out, *(one for one in waiting if not needs_own_job(one, limits))]
    wanted, enough = _pilots(small, alive, limits)
    # Pilots serve many: one comes first, the large stages next, and then the other pilots.
    first = 0 if any(one.takes_any for one in alive) else min(wanted, 1, room)
    own = large[: room - first]
    pilots = min(wanted, room - len(own))
    is_short = wanted > pilots or len(large) > len(own)
    return Wish(
        pilots=pilots,
        own=tuple(own_job(one, limits) for one in own),
        why_not_more=wall if is_short else enough,
    )


def _room(alive: Sequence[Alive], limits: Limits, others: int) -> tuple[int, str]:
    """Return how many more jobs may be asked for, and what is in the way of one more."""
    room = limits.max_jobs - len(alive)
    wall = f"max_jobs is {limits.max_jobs}"
    if limits.max_queued is not None and limits.max_queued - len(alive) - others < room:
        room = limits.max_queued - len(alive) - others
        wall = f"max_queued is {limits.max_queued}, and {others} other jobs of yours are queued"
    return max(room, 0), wall


def _pilots(loads: Sequence[Load], alive: Sequence[Alive], limits: Limits) -> tuple[int, str]:
    """Return how many more pilots there is work for, and why there are not more.

    What is counted is the next `fill_min` minutes. Alive pilots do of them what they can; of the
    rest a further pilot must find stages for half of its cores at once, and work for as long for
    all of its cores (one after the other, where the stages are long).
    """
    if not loads:
        return 0, "nothing waits for a further job"
    fill_s = max(limits.fill_min * SECONDS_PER_MINUTE, LEAST_FILL_S)
    cores = limits.pilot.nodes * limits.pilot.cores
    soon, whole, is_stranded = _left_over(loads, alive, limits, fill_s)
    further = cores * fill_s
    wanted = min(int(whole / further), int(soon / further + 0.5))
    if is_stranded:
        wanted = max(wanted, 1)
    if soon <= 0:
        return wanted, "the jobs that there are have room for all that waits"
    return wanted, (
        f"a further job would have less than {limits.fill_min:g} minutes of work for its cores"
    )


def _left_over(
    loads: Sequence[Load], alive: Sequence[Alive], limits: Limits, fill_s: float
) -> tuple[float, float, bool]:
    """Return what alive pilots leave: core-seconds of the next `fill_s`, core-seconds in all.

    And whether no pilot may start some of it. Those with the least time left take first: they are
    the choosiest.
    """
    pilots = sorted(one.left_s for one in alive if one.takes_any)
    cores = limits.pilot.nodes * limits.pilot.cores
    room = [cores * min(left_s, fill_s) for left_s in pilots]
    soon = whole = 0.0
    is_stranded = False
    # Running ones have their cores already; then as they are urgent.
    for load in sorted(loads, key=lambda one: not one.is_running):
        held = held_cores(load, limits.pilot)
        rest = all_of_it = held * min(load.expected_s, fill_s)
        reached = load.is_running
        for place, left_s in enumerate(pilots):
            if load.is_running or fits(load, left_s, limits):
                reached = True
                taken = min(rest, room[place])
                room[place] -= taken
                rest -= taken
        if load.is_running:
            continue
        is_stranded = is_stranded or not reached
        soon += rest
        whole += held * load.expected_s * (rest / all_of_it if all_of_it > 0 else 0.0)
    return soon, whole, is_stranded


def lookahead(
    ready: Sequence[Load],
    untaken: Sequence[Load],
    cores: int,
    limits: Limits,
    pilots: Sequence[Alive],
) -> list[Load]:
    """Return which of the stages that could start to hand over now, in their order.

    Running pilots are to find work for `LOOK_AHEAD_S` of all their cores, and `PER_SLOT` stages for
    each that they run side by side, so that they have a choice. What none of them has the time for
    is not for them, and does not count.

    Parameters
    ----------
    ready
        Without those that need jobs of their own, the most urgent first.
    untaken
        Those that were handed over, and that no pilot has taken yet.
    cores
        Of the pilots that run, on all their nodes.
    pilots
        Those.
    """
    longest_s = max((one.left_s for one in pilots if one.takes_any), default=0.0)
    core_s = cores_for = 0.0
    for load in untaken:
        if fits(load, longest_s, limits):
            held = held_cores(load, limits.pilot)
            core_s, cores_for = core_s + held * load.expected_s, cores_for + held
    chosen: list[Load] = []
    most = max(MOST_UNTAKEN, PER_SLOT * cores) - len(untaken)
    for load in ready:
        if len(chosen) >= most:
            break
        if cores_for >= PER_SLOT * cores and core_s >= LOOK_AHEAD_S * cores:
            break
        if fits(load, longest_s, limits):
            held = held_cores(load, limits.pilot)
            core_s, cores_for = core_s + held * load.expected_s, cores_for + held
            chosen.append(load)
    return chosen
