"""The deck as the program finds it: keywords, cell and atoms."""

from __future__ import annotations

import re

_ASSIGNMENT = re.compile(
    r"([A-Za-z]\w*(?:\s*\([^)]*\))?)\s*=\s*('(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[^\s,!/]+)"
)
_CARD = re.compile(r"^\s*([A-Z][A-Z_]{5,})\b[ \t({]*(\w*)", re.MULTILINE)
_COMMENT = re.compile(r"""((?:'[^'\n]*'|"[^"\n]*"|[^'"!#\n])*)[!#][^\n]*""")

Row = tuple[float, float, float]


class UnreadableDeck(ValueError):
    """A deck without what is needed to rehearse it."""


class GivenDeck:
    """One deck; `keywords` are in small letters, their values as they are written."""

    def __init__(
        self,
        keywords: dict[str, str],
        lattice_ang: tuple[Row, Row, Row],
        labels: tuple[str, ...],
        frac_coords: tuple[Row, ...],
    ) -> None:
        self.keywords = keywords
        self.lattice_ang = lattice_ang
        self.labels = labels
        self.frac_coords = frac_coords

    @property
    def restarts(self) -> bool:
        """Whether it goes on from what an earlier run saved."""
        return self.keywords.get("restart_mode", "").lower() == "restart"

    def number(self, keyword: str) -> float | None:
        """Return the value of a keyword as a number, or None."""
        return as_number(self.keywords.get(keyword))


def as_number(text: object) -> float | None:
    """Return a Fortran constant, or a number, as a number; None for what is none."""
    if isinstance(text, (int, float)):
        return float(text)
    try:
        return float(str(text).lower().replace("d", "e"))
    except ValueError:
        return None


def read_deck(text: str) -> GivenDeck:
    """Read a deck with its cell in angstrom and its positions as fractions.

    Raises
    ------
    UnreadableDeck
        For any other deck.
    """
    plain = _COMMENT.sub(r"\1", text)
    found = list(_CARD.finditer(plain))
    namelists = plain[: found[0].start()] if found else plain
    keywords = {
        "".join(name.lower().split()): value.strip("'\"")
        for name, value in _ASSIGNMENT.findall(namelists)
    }
    ends = [*(one.start() for one in found[1:]), len(plain)]
    cards = {
        one[1]: (one[2].lower(), plain[one.end() : end].split("\n")[1:])
        for one, end in zip(found, ends, strict=False)
    }
    lattice = _rows(cards, "CELL_PARAMETERS", "angstrom")
    sites = _rows(cards, "ATOMIC_POSITIONS", "crystal")
    try:
        a, b, c = (_row(words) for words in lattice)
        positions = tuple(_row(words[1:4]) for words in sites)
    except ValueError as error:
        raise UnreadableDeck("cell or positions are no numbers") from error
    return GivenDeck(keywords, (a, b, c), tuple(words[0] for words in sites), positions)


def _rows(cards: dict[str, tuple[str, list[str]]], name: str, unit: str) -> list[list[str]]:
    said, lines = cards.get(name, ("", []))
    rows = [line.split() for line in lines if line.strip()]
    if said != unit or not rows:
        raise UnreadableDeck(f"no card {name} in units of {unit}")
    return rows


def _row(words: list[str]) -> Row:
    x, y, z = (float(word) for word in words)
    return x, y, z
