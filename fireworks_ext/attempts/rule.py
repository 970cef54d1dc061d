"""How a failure is recognised, as data: what is looked for, where, and whether it fails a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from schemas.failure import Failure, FailureName
from schemas.model import JsonValue

Severity: TypeAlias = Literal["fails", "warns"]
Place: TypeAlias = Literal[
    "error block", "output", "standard error and logs", "exit.json", "results", "files"
]
LONGEST_MESSAGE = 400
WARNING: dict[str, JsonValue] = {"severity": "warning"}
"""In the details of what does not fail a run by itself."""


@dataclass(frozen=True)
class Rule:
    """One way in which a failure shows.

    `pattern` is a literal text, or a regular expression where `routine` or `place` says so:
    error blocks and logs are matched by expressions, the output by literal texts. A rule without
    a pattern is computed, and `words` say from what.
    """

    name: FailureName
    place: Place
    pattern: str = ""
    routine: str = ""
    """Of error blocks: an expression for the routine that reports the error."""
    words: str = ""
    programs: tuple[str, ...] = ()
    """The programs that can show it; empty: any."""
    severity: Severity = "fails"
    since: str = ""
    """The version that the words are known from, where it is not every one from 6.0 to 7.5."""

    @property
    def recognised_by(self) -> str:
        """Say in a sentence's part what it is recognised by, for the documentation."""
        if self.words:
            return self.words
        routine = f" of `{self.routine}`" if self.routine else ""
        text = f": `{self.pattern}`" if self.pattern else ""
        place = {
            "error block": f"an error block{routine}",
            "output": "the output",
            "standard error and logs": "standard error, or a scheduler's log",
            "exit.json": "how the program ended",
            "results": "the file of results",
            "files": "the files that are there",
        }[self.place]
        return place + text


@dataclass(frozen=True)
class Finding:
    """A rule that was met, and the failure that it tells of."""

    rule: Rule
    failure: Failure

    @property
    def fails(self) -> bool:
        """Tell whether it fails the run."""
        return self.failure.details.get("severity") != "warning"


def finding(rule: Rule, message: str, **details: JsonValue) -> Finding:
    """Return what a rule found; a warning says so in its details."""
    said = " ".join(message.split())[:LONGEST_MESSAGE]
    given = {**details, **(WARNING if rule.severity == "warns" else {})}
    return Finding(rule, Failure(name=rule.name, message=said, details=given))
