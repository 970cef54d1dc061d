"""The order in which filters are gone through: cheap ones that reject much come first.

With independent filters, rising cost / (1 - share that passes) makes the expected cost least
(Hellerstein and Stonebraker 1993, doi:10.1145/170036.170078). Which rows pass all is the same in
any order; the step and the reason that rejects are given are not. So an order is remembered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from runner.replay import replay
from runner.score_cache import ScoreCache, is_kept, score_key
from runner.screening import Screening
from runner.selection import Smallest, Step, draw
from schemas.candidate import Candidate
from schemas.identity import digest

PROBE_ROWS = 512
PROBE_SPAN = 100_000
"""The probe is drawn from so many rows at the start of the space."""
SLOW_S = 1e-3
"""Scores that take longer per row are not probed."""
EXPECTED_TO_PASS = 0.5
"""Of rows that a score was never seen to judge."""
LEAST_REJECTED = 0.01
KEEP_S = 1e-6
CLEARLY = 2.0
"""A step is moved before another one that stands first only when it is so much better."""
PURPOSE = "order"


@dataclass(frozen=True)
class Measured:
    """What a step costs per row, in seconds, and the share of rows that it lets pass."""

    cost_s: float
    passes: float

    def rank(self, before_s: float = 0.0) -> float:
        """Return the cost per rejected row, with that of steps which have to come before."""
        return (self.cost_s + before_s) / max(1.0 - self.passes, LEAST_REJECTED)


def planned(screening: Screening, memory: Path | None = None) -> Screening:
    """Return the screening with its steps in the planned order.

    Parameters
    ----------
    memory
        File in which the order is remembered; read where it is about these steps and this space.
    """
    steps = screening.steps
    if all(len(segment) < 2 for segment in segments(steps)):  # noqa: PLR2004  (nothing to order)
        return screening
    about = _about(screening)
    labels = _remembered(memory, about)
    if labels is None:
        measured = _measure(screening)
        labels = [step.label for step in ordered(steps, lambda step: measured[step.label])]
        if memory:
            _remember(memory, {"about": about, "order": labels})
    by_label = {step.label: step for step in steps}
    return replace(screening, steps=tuple(by_label[label] for label in labels))


def segments(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Yield the runs of steps that may change places; a fence is one of its own."""
    run: list[Step] = []
    for step in steps:
        if not step.depends_on_others:
            run.append(step)
            continue
        yield from (part for part in (run, [step]) if part)
        run = []
    if run:
        yield run


def ordered(steps: Sequence[Step], measured: Callable[[Step], Measured]) -> list[Step]:
    """Return the steps in the order that costs least, each after those whose columns it reads."""
    made = {column.name: step for step in steps for column in step.columns()}
    done: list[Step] = []
    for segment in segments(steps):
        waiting = list(segment)
        while waiting:
            chains = [_chain(step, made, waiting) for step in waiting]
            ranks = [
                measured(chain[-1]).rank(sum(measured(one).cost_s for one in chain[:-1]))
                for chain in chains
            ]
            best = min(ranks)
            chosen = next(
                chain for chain, rank in zip(chains, ranks, strict=True) if rank <= CLEARLY * best
            )
            done += chosen
            waiting = [step for step in waiting if step not in chosen]
    return done


def reads(step: Step) -> frozenset[str]:
    """Return the columns that a step's score and its condition read."""
    wanted = step.plugin.requires(step.params) if step.plugin else ()
    return frozenset({*wanted, *(step.keep.names if step.keep else ()), *step.compared})


def _chain(step: Step, made: dict[str, Step], waiting: Sequence[Step]) -> list[Step]:
    """Return a step after those of the waiting ones that have to come before it."""
    chain: list[Step] = []
    for one in waiting:
        if one is step:
            break
        if any(made.get(name) is one for name in reads(step)):
            chain += [before for before in _chain(one, made, waiting) if before not in chain]
    return [*chain, step]


def _about(screening: Screening) -> str:
    """Return a hash of what an order is for: the steps as written, and the space."""
    return digest(
        {
            "sources": [
                [source.name, source.params.model_dump(mode="json")] for source in screening.sources
            ],
            "steps": [
                [
                    step.label,
                    step.score,
                    step.as_name if isinstance(step.as_name, str) else dict(step.as_name or {}),
                    step.params.model_dump(mode="json") if step.params is not None else None,
                    step.keep.text if step.keep else None,
                    step.top,
                    dict(step.compared),
                    step.distinct,
                    step.control_sample,
                ]
                for step in screening.steps
            ],
        }
    )


def _remembered(memory: Path | None, about: str) -> list[str] | None:
    if memory is None:
        return None
    try:
        found = json.loads(memory.read_text())
        return list(found["order"]) if found["about"] == about else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not there, or not whole: measured again


def _remember(memory: Path, order: Mapping[str, object]) -> None:
    part = memory.with_name(f".{memory.name}.part")
    # A plan needs no place to write; what else a screening writes there says when it cannot.
    with suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(order))
        part.replace(memory)


def _measure(screening: Screening) -> dict[str, Measured]:
    """Return what every step costs, and the share of a probe that it lets pass."""
    quick: list[Step] = []
    lacking = {column.name for step in screening.steps for column in step.columns()}
    for step in screening.steps:
        slow = step.plugin is not None and step.plugin.seconds(step.params) > SLOW_S
        own = {column.name for column in step.columns()}
        if not slow and not reads(step) & (lacking - own):
            quick.append(
                Step(
                    label=step.label,
                    score=step.score,
                    plugin=step.plugin,
                    params=step.params,
                    as_name=step.as_name,
                )
            )
            lacking -= own
    source = replay(screening.sources, _probe(screening))
    probe = replace(screening, sources=[source], steps=quick, folder=None, progress=None, workers=1)
    rows = [{**one.candidate.row(), **one.scores} for one in probe.survivors()]
    seconds = {
        count.label: count.seconds / max(count.entered - count.found, 1)
        for count in probe.funnel.steps
    }
    return {
        step.label: Measured(
            cost_s=max(seconds.get(step.label) or _kept_s(step, screening), KEEP_S),
            passes=_passes(step, rows) if step.label in seconds else EXPECTED_TO_PASS,
        )
        for step in screening.steps
    }


def _passes(step: Step, rows: Sequence[Mapping[str, object]]) -> float:
    """Return the share of rows that a step lets pass, half a row on either side for luck."""
    if step.keep is None:
        return 1.0
    passed = sum(step.keep.evaluate(row) is True for row in rows)
    return (passed + 0.5) / (len(rows) + 1)


def _kept_s(step: Step, screening: Screening) -> float:
    """Return what a row of a slow score takes: as it took before, else as the score says."""
    if step.plugin is None or step.score is None:
        return KEEP_S
    if screening.kept and is_kept(step.plugin, step.params):
        key = score_key(step.score, step.plugin, step.params, screening.surroundings)
        known = ScoreCache(screening.kept / key, step.plugin.columns(step.params)).mean_seconds()
        if known is not None:
            return known
    return step.plugin.seconds(step.params)


def _probe(screening: Screening) -> list[Candidate]:
    """Return a seeded sample from the start of the space."""
    seed = screening.surroundings.seed
    held: Smallest[Candidate] = Smallest(PROBE_ROWS)
    stream = (
        candidate
        for source in screening.sources
        for candidate in source.plugin.candidates(source.params, screening.surroundings)
    )
    for row, candidate in enumerate(islice(stream, PROBE_SPAN)):
        key = draw(seed, PURPOSE, row)
        if held.wants(key, row):
            held.offer(key, row, candidate)
    return held.release()
