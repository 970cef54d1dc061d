"""Where the candidates stand that an analysis waits for: a barrier is open, held or closed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from schemas.ledger import StageState

if TYPE_CHECKING:
    from runner.stages import AnyStage

MOST_NAMED = 3
"""Candidates that a message names."""


@dataclass(frozen=True)
class Standing:
    """The states that matter to a barrier, by candidate and stage.

    `above` are the gathered stage `of` and all that it waits for itself.
    """

    of: str
    above: tuple[str, ...]
    states: Mapping[str, Mapping[str, StageState]]

    @cached_property
    def moving(self) -> tuple[str, ...]:
        """The candidates whose result is still to come."""
        return tuple(one for one in self.states if not self.state(one).settled)

    @cached_property
    def held(self) -> tuple[str, ...]:
        """The candidates that wait for a person, at the gathered stage or above it."""
        stuck = {StageState.HELD, StageState.BLOCKED}
        return tuple(
            one
            for one, states in self.states.items()
            if self.state(one) in stuck
            and any(states.get(name) is StageState.HELD for name in self.above)
        )

    @property
    def is_closed(self) -> bool:
        """Tell whether every result is there, failed or skipped."""
        return not self.moving and not self.held

    def state(self, candidate: str) -> StageState:
        """Return where the gathered stage of a candidate stands."""
        return self.states[candidate].get(self.of, StageState.WAITING)


def above(stages: Iterable[AnyStage], name: str) -> tuple[str, ...]:
    """Return a stage and all that it waits for, nearest first."""
    waits_for = {stage.name: stage.dependencies for stage in stages}
    found = [name]
    for one in found:
        found += [other for other in waits_for.get(one, ()) if other not in found]
    return tuple(found)


def named(names: Sequence[str]) -> str:
    """Return some names, and how many more there are."""
    more = len(names) - MOST_NAMED
    shown = ", ".join(names[:MOST_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown
