"""Whether one of a recording's remedies is in what the program is given."""

from __future__ import annotations

from fireworks_ext.engines.rehearsal.program.given_deck import GivenDeck, Row, as_number

TYPE_CHECKING = False  # as typing says it, which takes longer to import than all the rest together
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import Any

MOVED_ANG = 1e-6
"""A structure is another one when a coordinate differs by more than this."""


class Given:
    """All that a program is given: its deck, its arguments, and what went before.

    `first` are the rows of the cell and the positions that the calculation began with; `met` and
    `met_before` are the failures that this and earlier run directories saw already.
    """

    def __init__(
        self,
        deck: GivenDeck,
        argv: Sequence[str],
        first: Sequence[Row],
        *,
        met: Collection[str] = (),
        met_before: Collection[str] = (),
    ) -> None:
        self.deck = deck
        self.argv = tuple(argv)
        self.first = first
        self.met = met
        self.met_before = met_before


def cured(failure: str, remedies: Sequence[dict[str, Any]], given: Given) -> bool:
    """Tell whether at least one of a failure's remedies is there; none cures what has none."""
    return any(is_there(remedy, given, failure) for remedy in remedies)


def is_there(remedy: dict[str, Any], given: Given, failure: str = "") -> bool:
    """Tell whether a remedy is there; the kinds of them are told in the recordings' README.md.

    One more is not of recordings: `{"attempt": true}`, for what ails a machine, is there when an
    earlier attempt met the failure.

    Raises
    ------
    ValueError
        For a kind that is not known.
    """
    if "keyword" in remedy:
        said: object = given.deck.keywords.get(remedy["keyword"], remedy.get("default"))
        return _fits(remedy, said)
    if "argv" in remedy:
        said = _behind(remedy["argv"], given.argv)
        return said is None or _fits(remedy, said)
    if "restart" in remedy:
        return given.deck.restarts
    if "again" in remedy:
        return failure in given.met or failure in given.met_before
    if "attempt" in remedy:
        return failure in given.met_before
    if "structure" in remedy:
        return _moved(given)
    raise ValueError(f"no such remedy: {remedy}")


def _fits(remedy: dict[str, Any], said: object) -> bool:
    if "is" in remedy:
        wanted = remedy["is"]
        among = wanted if isinstance(wanted, list) else [wanted]
        return any(_same(said, one) for one in among)
    number = as_number(said)
    if number is None:
        return False
    if "at_most" in remedy:
        return number <= float(remedy["at_most"])
    return number >= float(remedy["at_least"])


def _same(said: object, wanted: object) -> bool:
    if said is None or wanted is None:
        return said is wanted
    if isinstance(wanted, bool):
        return str(said).lower().strip(".").startswith("t" if wanted else "f")
    number = as_number(said)
    if number is not None and as_number(wanted) is not None:
        return number == as_number(wanted)
    return str(said).lower() == str(wanted).lower()


def _behind(flag: str, argv: tuple[str, ...]) -> str | None:
    """Return the word behind a flag, or None where the flag is not there."""
    at = argv.index(flag) + 1 if flag in argv else len(argv)
    return argv[at] if at < len(argv) else None


def _moved(given: Given) -> bool:
    now = (*given.deck.lattice_ang, *given.deck.frac_coords)
    return len(now) != len(given.first) or any(
        abs(x - y) > MOVED_ANG
        for row, old in zip(now, given.first, strict=True)
        for x, y in zip(row, old, strict=True)
    )
