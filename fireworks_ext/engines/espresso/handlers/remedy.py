"""Remedies as data: what each changes, how often, and when it comes first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from fireworks_ext.engines.espresso.handlers.situation import Situation
from fireworks_ext.engines.espresso.keywords import Value
from fireworks_ext.engines.espresso.physics import is_physics

Start: TypeAlias = Literal["as_is", "anew", "density", "continue", "clean"]
"""Where the next run begins.

as_is: as the input says.
anew: with a new density and new wavefunctions; a relaxation, from the last structure.
density: from the density that was reached, where one is there; a relaxation, from the last
    structure (with the density, where the cell is fixed).
continue: from where it was, if its state is whole; else anew.
clean: anew, with the files of the last run deleted first.
"""


LARGEST_TASK = "vc-relax"
"""The task that reads every namelist."""


@dataclass(frozen=True)
class Change:
    """What one application of a remedy does. None as a value leaves the keyword to the program."""

    keywords: Mapping[str, Value | None] = field(default_factory=dict)
    start: Start = "anew"
    argv: tuple[str, ...] | None = None


Proposal: TypeAlias = Callable[[Situation], Change | None]


PW = ("pw", "neb")
"""neb.x reads the input of pw.x as well."""
ANY_PROGRAM = ("pw", "neb", "ph")


def always(_: Situation) -> bool:
    """Say that a remedy keeps its place in the ladder in every situation."""
    return True


@dataclass(frozen=True)
class Remedy:
    """One rung of a ladder.

    `propose` returns the change that it makes now, or None where it does not apply; it is a pure
    function. Remedies that `fits` says yes to go before the others of the ladder.
    """

    action: str
    """What it does, in the words of the record; one of its ladder."""
    why: str
    """When it helps, for the documentation."""
    limit: int
    """How often it is applied to one calculation."""
    propose: Proposal
    changes: tuple[str, ...] = ()
    """The keywords that it may change, beside where the run starts."""
    programs: tuple[str, ...] = PW
    """Whose input it is for: pw, ph, neb."""
    fits: Callable[[Situation], bool] = always

    @property
    def physics(self) -> bool:
        """Whether a keyword that it changes decides the result, so that it makes a deviation."""
        return any(is_physics(LARGEST_TASK, keyword) for keyword in self.changes)

    def change(self, situation: Situation) -> Change | None:
        """Return what it changes now; None where it does not apply, or was applied too often."""
        if situation.program not in self.programs or situation.count(self.action) >= self.limit:
            return None
        return self.propose(situation)


def setting(keyword: str, value: Value | None, *, start: Start = "anew") -> Proposal:
    """Return what sets a keyword, where it is not set so already."""

    def propose(situation: Situation) -> Change | None:
        if situation.get(keyword) == value:
            return None
        return Change({keyword: value}, start)

    return propose


def starting(start: Start) -> Proposal:
    """Return what begins again, with the same settings."""

    def propose(situation: Situation) -> Change | None:
        """Say it in the words of ph.x and neb.x, which go on by themselves, for those."""
        if start == "continue" and situation.program == "ph":
            return Change({"recover": True}, "as_is")
        if start == "continue" and situation.program == "neb":
            return Change({"restart_mode": "restart"}, "as_is")
        return Change(start=start)

    return propose
