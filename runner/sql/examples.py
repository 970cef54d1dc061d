"""Queries that ship: a file of SQL each, for questions that every campaign raises.

The comments at the head of a file are its title and the question that it answers. Where it says
`-- AND campaign = 'NAME'`, taking away the two dashes leaves one campaign.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from runner.sql.kinds import text_literal
from schemas.errors import UserError, suggestion

FOLDER = Path(__file__).parent / "examples"
_CHOICE = re.compile(r"-- ((?:AND|WHERE) [\w.]*campaign = )'NAME'$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Example:
    """A query with what it answers."""

    name: str
    title: str
    question: str
    sql: str

    def of(self, campaign: str | None) -> Example:
        """Return it for one campaign, or as it is."""
        if campaign is None:
            return self
        literal = text_literal(campaign)
        chosen = _CHOICE.sub(lambda found: found[1] + literal, self.sql)
        return Example(self.name, self.title, self.question, chosen)

    def text(self) -> str:
        """Return it as its file has it."""
        comments = [f"-- {line}" for line in (self.title, *self.question.splitlines())]
        return "\n".join((*comments, self.sql)) + "\n"


def examples() -> tuple[Example, ...]:
    """Return all of them, by name."""
    return tuple(_read(file) for file in sorted(FOLDER.glob("*.sql")))


def example(name: str) -> Example:
    """Return the one of that name. Raises UserError where there is none."""
    known = {one.name: one for one in examples()}
    if name not in known:
        raise UserError(f"--example: there is no '{name}'{suggestion(name, sorted(known))}")
    return known[name]


def _read(file: Path) -> Example:
    lines = file.read_text(encoding="utf-8").splitlines()
    head = next(place for place, line in enumerate(lines) if not line.startswith("-- "))
    title, *question = (line.removeprefix("-- ") for line in lines[:head])
    sql = "\n".join(lines[head:]).strip()
    return Example(file.stem, title, "\n".join(question), sql)
