"""The one family of errors that users meet: where, found what, expected what, what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import IntEnum
from typing import TypeAlias

YamlPath: TypeAlias = tuple[str | int, ...]
"""Keys and list positions that lead from the top of a file to a value."""


class ExitCode(IntEnum):
    """What the `campaign` command returns to the shell."""

    SETTLED = 0
    INTERNAL_ERROR = 1
    BAD_INPUT = 2
    SETTLED_WITH_FAILURES = 3
    STOPPED_BY_BUDGET = 4
    DRAINED = 5
    INTERRUPTED = 130


class UserError(Exception):
    """Something that the user can put right; shown as one message, without a traceback."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a file, at a path; `load` turns the path into a line.

    `at_key` says that the key is wrong and not its value, which may stand on another line.
    """

    path: YamlPath
    message: str
    at_key: bool = False

    def dotted(self) -> str:
        """Return the path as people write it: `stages.relax.engine`, `filters[2].keep`."""
        text = ""
        for part in self.path:
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
        return text


class InvalidFile(UserError):
    """All mistakes of one file at once; `lines` are ready to print, `file:line: path: message`."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


def suggestion(name: str, known: Sequence[str]) -> str:
    """Return `; did you mean 'X'?` for the nearest known name, or a list of what there is."""
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known: {', '.join(sorted(known))}" if known else ""
