"""Which failures a calculation meets, and what its made-up result is: by seed and structure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import cast

from pydantic import Field

from fireworks_ext.engines.espresso.keywords import Value
from fireworks_ext.engines.espresso.physics import physics
from fireworks_ext.engines.espresso.pw_input import PwInput
from fireworks_ext.engines.rehearsal.accidents import ACCIDENTS, Accident
from fireworks_ext.engines.rehearsal.params import ALL, UNREPAIRABLE, RehearsalParams
from fireworks_ext.engines.rehearsal.recordings import (
    FOLDER,
    clean,
    gap_can_be_told,
    names,
    of_failure,
    recordings,
)
from schemas.catalogue import CATALOGUE
from schemas.failure import FailureName
from schemas.identity import candidate_id, digest
from schemas.model import JsonValue, Model
from schemas.resources import Resources
from schemas.structure import Structure

LATER: dict[str, JsonValue] = {"attempt": True}
SIZED = frozenset({FailureName.OUT_OF_MEMORY})
NOT_SECOND = frozenset({FailureName.RESTART_UNREADABLE})
"""What nearly every remedy repairs on its way: it starts from a new density."""
ENOUGH = 2.0
"""Times the memory that was estimated: with so much, none is missing."""

MEAN_ENERGY_RY = -20.0
SPREAD_ENERGY_RY = 10.0
SMALL_ENERGY_RY = 0.02
LARGEST_GAP_EV = 4.0
LARGEST_STRAIN = 0.02


class Meeting(Model):
    """One failure that a calculation meets: a recorded one, or an accident."""

    name: FailureName
    recording: str | None = None
    accident: Accident | None = None
    exit_code: int = 0
    remedies: tuple[dict[str, JsonValue], ...] = ()
    repairable: bool

    @property
    def keywords(self) -> set[str]:
        """The keywords that its remedies are about."""
        return {str(one["keyword"]) for one in self.remedies if "keyword" in one}


class Fate(Model):
    """What happens to a calculation, decided before it starts."""

    failures: tuple[Meeting, ...] = Field(description="In this order, each until it is repaired.")
    works_like: str = Field(description="The recording whose run that worked is told at the end.")
    energy_ry: float
    gap_ev: float
    strain: float = Field(description="Of each length in a vc-relax.")


def fate(structure: Structure, task: str, params: RehearsalParams) -> Fate:
    """Return the fate of a calculation; the same for the same structure, physics and seed."""
    draw = _Draw(structure, task, params)
    meetings = []
    first = _pick(draw.share("failure"), _shares(task, params.failures))
    if first is not None:
        meetings.append(_meeting(first, task, draw))
    if meetings and meetings[0].repairable and draw.share("again") < params.again:
        others = _others(meetings[0], task, draw)
        second = _pick(draw.share("second"), {name: 1 / len(others) for name in others})
        meetings += [others[second]] if second else []
    return Fate(
        failures=tuple(meetings),
        works_like=_works_like(meetings, task),
        energy_ry=_energy_ry(structure),
        gap_ev=LARGEST_GAP_EV * _share("gap", *sorted(structure.species)),
        strain=LARGEST_STRAIN * (2 * _share("strain", *sorted(structure.species)) - 1),
    )


def _others(first: Meeting, task: str, draw: _Draw) -> dict[str, Meeting]:
    """Return what can be met after a failure: what no remedy of the first one undoes, or brings."""
    excluded = {first.name, *NOT_SECOND}
    others = (
        _meeting(name, task, draw) for name in names(task, repairable=True) if name not in excluded
    )
    return {one.name.value: one for one in others if not one.keywords & first.keywords}


def planted(meetings: tuple[Meeting, ...]) -> Iterator[tuple[str, Value | None]]:
    """Yield keywords and values that a deck must have to fail so; None: it must not have it.

    They are those of the recorded deck that failed, for every keyword that a remedy is about.
    """
    for meeting in meetings:
        if meeting.recording is None:
            continue
        deck = PwInput.read(FOLDER / meeting.recording / "failed" / "pw.in")
        for keyword in sorted(meeting.keywords):
            yield keyword, deck.get(keyword)


def _works_like(meetings: list[Meeting], task: str) -> str:
    """Return the recording whose run that worked is told: the one that failed, where it fits."""
    like = recordings().get(meetings[0].recording or "") if meetings else None
    if like is None or not like.works or like.task != task or not gap_can_be_told(like.name):
        return clean(task).name
    return like.name


class _Draw:
    """Numbers between 0 and 1 that belong to one calculation."""

    def __init__(self, structure: Structure, task: str, params: RehearsalParams) -> None:
        self._name = digest(
            {
                "seed": params.rehearsal_seed,
                "structure": candidate_id(structure),
                "task": task,
                "physics": cast("JsonValue", physics(task, params)),
            }
        )

    def share(self, purpose: str) -> float:
        """Return the number for one purpose."""
        return _share(self._name, purpose)


def _share(*words: str) -> float:
    """Return a number from 0 to 1, without 1, by a hash of words."""
    first = hashlib.sha256("\n".join(words).encode()).digest()[:8]
    return int.from_bytes(first, "big") / 2**64


def _shares(task: str, failures: Mapping[str, float]) -> dict[str, float]:
    """Return the share of each failure that a task can meet; words for several are spread."""
    possible = {word: names(task, repairable=word == ALL) for word in (ALL, UNREPAIRABLE)}
    shares: dict[str, float] = {}
    for word, share in sorted(failures.items()):
        among = possible.get(word, (word,))
        for name in among:
            shares[name] = shares.get(name, 0.0) + share / len(among)
    known = names(task)
    return {name: share if name in known else -share for name, share in shares.items()}


def _pick(number: float, shares: Mapping[str, float]) -> str | None:
    """Return what a number between 0 and 1 falls on; a share below 0 is that of nothing."""
    reached = 0.0
    for name, share in sorted(shares.items()):
        reached += abs(share)
        if number < reached:
            return name if share > 0 else None
    return None


def _meeting(name: str, task: str, draw: _Draw) -> Meeting:
    """Return how a failure is met: an accident, which fits every task, or a recording of it."""
    accident = ACCIDENTS.get(FailureName(name))
    if accident is not None:
        return Meeting(
            name=FailureName(name),
            accident=accident,
            exit_code=accident.exit_code,
            remedies=accident.remedies,
            repairable=True,
        )
    found = of_failure(name, task)
    chosen = found[int(draw.share(f"recording of {name}") * len(found))]
    return Meeting(
        name=FailureName(name),
        recording=chosen.name,
        exit_code=chosen.exit_code,
        remedies=chosen.remedies + ((LATER,) if _passes(chosen.failure) else ()),
        repairable=chosen.repairable,
    )


def _passes(name: FailureName | None) -> bool:
    """Tell whether a later attempt does not meet a failure again: it is the machine's."""
    return name is not None and CATALOGUE[name].continues and name not in SIZED


def spared(meeting: Meeting, given: Resources, guess: Resources) -> bool:
    """Tell whether a calculation was given so much that it does not meet a failure."""
    if meeting.name not in SIZED or given.memory_gb is None or guess.memory_gb is None:
        return False
    return given.memory_gb >= ENOUGH * guess.memory_gb


def _energy_ry(structure: Structure) -> float:
    """Return a total energy that depends on the elements, and a little on all the rest."""
    by_element = sum(
        MEAN_ENERGY_RY + SPREAD_ENERGY_RY * (2 * _share("energy", element) - 1)
        for element in structure.species
    )
    small = SMALL_ENERGY_RY * structure.n_atoms * _share("energy", candidate_id(structure))
    return by_element - small
