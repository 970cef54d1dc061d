"""Which candidates a plan looks at: those of the last run, all, or a seeded sample of the space."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runner.replay import replay
from runner.screening import Screening, Survivor
from runner.selection import Smallest, Step, StepCount, draw
from schemas.candidate import Candidate
from schemas.errors import UserError
from schemas.reports import FilterCounts

if TYPE_CHECKING:
    import numpy as np

    from runner.cost import Array

DRAWS = 2000
BUDGET_S = 25.0
"""How long scoring may take, beside enumeration; more rows than that are sampled."""
WARM_UP_ROWS = 16
FEWEST_ROWS = 4
PROBE_ROWS = 512
"""Screened in any case, unless that alone would take too long."""
GROWTH = 8
"""A sample smaller than that says too little of the time of one that is larger by more."""
MOST_HELD = 20_000
"""Rows of a sample."""
MOST_MEMBERS = 2048
"""Members whose stages are worked out one by one; more are represented by so many of them."""
FEWEST_BEST = 8
"""A `top` step keeps no fewer of a sample: one alone says nothing of how they differ."""
STAND_INS = 16
PURPOSE = "plan"


@dataclass(frozen=True)
class Survey:
    """The candidates that a plan is made from, and how many they stand for.

    `plain` and `control` are draws of how many candidates go on, shape (DRAWS,): those that passed
    all filters, and the rejects of the control samples.
    """

    enumerated: int
    screened: int
    filters: tuple[FilterCounts, ...]
    members: tuple[Survivor, ...]
    plain: Array
    control: Array
    note: str = ""


@dataclass(frozen=True)
class _Drawn:
    """A row of the sample."""

    key: int
    row: int
    candidate: Candidate


def survey(
    screening: Screening,
    rng: np.random.Generator,
    *,
    exact: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> Survey:
    """Screen all rows of a space where that is quick or asked for, else a seeded sample.

    The rows of a sample are those with the lowest random numbers, so that a larger sample holds
    the smaller ones. How large it is depends on how long scoring takes; no row enters because of
    how it was scored. Nothing is written.
    """
    screening = replace(screening, folder=None)
    total, rows = screening.total(), _first_rows(screening)
    if exact or (total is not None and total <= rows):
        return _whole(screening, exact=exact)
    ranked, enumerated = _ranked(screening, total)
    if enumerated <= rows:
        return _whole(screening)
    # Other rows than those that are timed: their values may be kept.
    _sampled(screening, ranked[-min(WARM_UP_ROWS, rows) :], enumerated)
    timed = 0
    while rows > timed:
        began = clock()
        sample = _sampled(screening, ranked[:rows], enumerated)
        if timed >= PROBE_ROWS:
            break
        timed, affordable = rows, BUDGET_S * rows / max(clock() - began, 1e-9)
        if rows < PROBE_ROWS:
            affordable = min(affordable, GROWTH * rows)
        if affordable >= enumerated:
            return _whole(screening)
        # A power of two, so that the same machine mostly takes the same sample.
        rows = 2 ** int(math.log2(max(rows, min(affordable, len(ranked)))))
    return _scaled(screening, sample, enumerated, rng)


def _first_rows(screening: Screening) -> int:
    """Return how many rows can be screened in any case, going by what scores say they take."""
    row_s = sum(step.plugin.seconds(step.params) for step in screening.steps if step.plugin)
    rows = min(BUDGET_S / max(row_s, 1e-9), PROBE_ROWS)
    return int(2 ** int(math.log2(max(rows, FEWEST_ROWS))))


def complete(
    members: Sequence[Survivor],
    filters: Sequence[FilterCounts],
    *,
    enumerated: int,
    screened: int,
    seed: int,
    exact: bool = False,
) -> Survey:
    """Return the survey of all candidates that go on; of many, some stand for the others."""
    import numpy as np

    control = sum(member.control for member in members)
    chosen, note = (members, "") if exact else _few(members, seed)
    return Survey(
        enumerated=enumerated,
        screened=screened,
        filters=tuple(filters),
        members=tuple(chosen),
        plain=np.full(DRAWS, len(members) - control),
        control=np.full(DRAWS, control),
        note=note,
    )


def _few(members: Sequence[Survivor], seed: int) -> tuple[Sequence[Survivor], str]:
    """Return members that represent all, and a word about it where they are not all."""
    if len(members) <= MOST_MEMBERS:
        return members, ""
    ranked = sorted(members, key=lambda one: draw(seed, PURPOSE, one.row))
    chosen = sorted(ranked[:MOST_MEMBERS], key=lambda one: one.row)
    return chosen, f"{MOST_MEMBERS} of {len(members)} candidates"


def _whole(screening: Screening, *, exact: bool = False) -> Survey:
    members = list(screening.survivors())
    funnel = screening.funnel
    filters = [
        FilterCounts(
            step=count.label,
            entered=count.entered,
            passed=count.passed,
            rejected=count.rejected,
            unknown=count.unknown,
            errors=count.errors,
            control=count.control,
        )
        for count in funnel.steps
    ]
    return complete(
        members,
        filters,
        enumerated=funnel.enumerated,
        screened=funnel.enumerated,
        seed=screening.surroundings.seed,
        exact=exact,
    )


def _ranked(screening: Screening, total: int | None) -> tuple[list[_Drawn], int]:
    """Enumerate the space; return rows by their random number, lowest first, and their count."""
    seed, enumerated = screening.surroundings.seed, 0
    held: Smallest[_Drawn] = Smallest(MOST_HELD)
    for source in screening.sources:
        for candidate in source.plugin.candidates(source.params, screening.surroundings):
            key = draw(seed, PURPOSE, enumerated)
            if held.wants(key, enumerated):
                held.offer(key, enumerated, _Drawn(key, enumerated, candidate))
            enumerated += 1
            if screening.progress and enumerated % screening.batch_rows == 0:
                screening.progress(enumerated, total)
    return sorted(held.release(), key=lambda one: (one.key, one.row)), enumerated


@dataclass(frozen=True)
class _Sample:
    """What came of a sample."""

    screening: Screening
    rows: int
    members: list[Survivor]
    stand_ins: list[Candidate]


def _sampled(screening: Screening, drawn: Sequence[_Drawn], enumerated: int) -> _Sample:
    """Screen the rows of a sample; steps that count rows count their share."""
    share = len(drawn) / enumerated
    candidates = [one.candidate for one in sorted(drawn, key=lambda one: one.row)]
    steps = [_of_share(step, share) for step in screening.steps]
    again = replay(screening.sources, candidates)
    small = replace(screening, sources=[again], steps=steps, folder=None, progress=None)
    members = list(small.survivors())
    return _Sample(small, len(drawn), members, [one.candidate for one in drawn[:STAND_INS]])


def _of_share(step: Step, share: float) -> Step:
    top, control = step.top, step.control_sample
    if top is not None:
        top = max(min(top, FEWEST_BEST), round(top * share))
    return replace(step, top=top, control_sample=math.ceil(control * share))


def _scaled(
    screening: Screening, sample: _Sample, enumerated: int, rng: np.random.Generator
) -> Survey:
    """Say what a sample means for the whole space."""
    import numpy as np

    funnel = sample.screening.funnel
    going = np.full(DRAWS, enumerated)
    control = np.zeros(DRAWS, dtype=np.int64)
    filters = []
    for step, count in zip(screening.steps, funnel.steps, strict=True):
        entering, kept = going, count.passed
        if step.unknown == "keep":
            kept += count.unknown
        if step.pareto:
            # A front hardly grows with the rows behind it.
            going = np.minimum(kept, entering)
        elif step.top is None:
            going = _more(rng, entering, count.entered, kept)
        else:
            going = np.minimum(step.top, entering)
        sent_on = np.minimum(step.control_sample, entering - going)
        control = control + sent_on
        filters.append(_filter_counts(step, count, entering, going, sent_on))
    plain = funnel.survivors - funnel.control
    if lost := funnel.duplicates + funnel.unbuilt:
        going = _more(rng, going, plain + lost, plain)
    members = tuple(_few(sample.members, screening.surroundings.seed)[0])
    if all(member.control for member in members):
        members += _stand_ins(sample.stand_ins)
    if not any(member.control for member in members):
        going, control = going + control, np.zeros_like(control)
    return Survey(
        enumerated=enumerated,
        screened=sample.rows,
        filters=tuple(filters),
        members=members,
        plain=going,
        control=control,
        note=f"a sample of {sample.rows} of {enumerated} rows",
    )


def _more(rng: np.random.Generator, entering: Array, seen: int, kept: int) -> Array:
    """Draw how many of all rows are kept, where `kept` of the `seen` ones are (beta-binomial)."""
    import numpy as np

    rest = np.maximum(entering - seen, 0)
    # Jeffreys' prior of a fraction.
    fraction = rng.beta(kept + 0.5, seen - kept + 0.5, size=DRAWS)
    drawn: Array = np.minimum(kept + rng.binomial(rest, fraction), entering)
    return drawn


def _filter_counts(
    step: Step, count: StepCount, entering: Array, going: Array, sent_on: Array
) -> FilterCounts:
    """Return the counts of a step as expected in the whole space."""
    entered, passed = round(float(entering.mean())), round(float(going.mean()))
    seen = max(count.entered, 1)
    unknown = min(round(entered * count.unknown / seen), entered)
    errors = min(round(entered * count.errors / seen), entered - unknown)
    if step.unknown == "keep":
        passed -= unknown
    passed = max(min(passed, entered - unknown - errors), 0)
    return FilterCounts(
        step=count.label,
        entered=entered,
        passed=passed,
        rejected=entered - passed - unknown - errors,
        unknown=unknown,
        errors=errors,
        control=round(float(sent_on.mean())),
    )


def _stand_ins(candidates: Sequence[Candidate]) -> tuple[Survivor, ...]:
    """Return rows of the sample in place of survivors, of which it has none."""
    found = []
    for row, candidate in enumerate(candidates):
        try:
            found.append(Survivor(row, candidate, candidate.id, control=False, scores={}))
        except (UserError, ValueError):
            continue
    return tuple(found)
