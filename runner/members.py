"""Candidates of a campaign as people name them: by formula, or by the beginning of an id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from fireworks_ext.store import Store
from schemas.errors import UserError, suggestion
from schemas.ledger import StageEntry

SHORTEST = 8
"""Characters of an id that are shown, if they are enough."""
MOST_LISTED = 10


@dataclass(frozen=True)
class Member:
    """A candidate and where its stages stand."""

    id: str
    formula: str
    stages: dict[str, StageEntry]


def members_of(store: Store, campaign: str) -> list[Member]:
    """Return the members of a campaign, in the order of its enumeration."""
    documents = store.candidates.find(
        {"campaign": campaign, "member": True}, {"id": 1, "formula": 1, "row": 1, "stages": 1}
    )
    return [member_in(one) for one in sorted(documents, key=lambda one: int(one["row"]))]


def member_in(document: Mapping[str, Any]) -> Member:
    """Return the member in a document of `candidates`."""
    return Member(
        document["id"],
        document["formula"],
        {name: StageEntry.model_validate(entry) for name, entry in document["stages"].items()},
    )


def named(members: Sequence[Member], text: str) -> list[Member]:
    """Return the members of a formula, or the one whose id begins so.

    Raises
    ------
    UserError
        When there is none, or when an id begins so that several do.
    """
    found = [one for one in members if one.formula == text]
    if found:
        return found
    found = [one for one in members if one.id.startswith(text)]
    if len(found) > 1:
        raise UserError(f"'{text}' begins {_listed(found, members)}; give more of the id")
    if not found:
        known = sorted({one.formula for one in members})
        nearest = suggestion(text, known)
        if nearest.startswith("; known") and len(known) > MOST_LISTED:
            nearest = ""
        raise UserError(
            f"no candidate '{text}'; a candidate is named by its formula or by the beginning of "
            f"its id{nearest}"
        )
    return found


def the_one(members: Sequence[Member], text: str) -> Member:
    """Return the member of that name. Raises UserError when there is none, or more than one."""
    found = named(members, text)
    if len(found) > 1:
        raise UserError(f"'{text}' is {_listed(found, members)}; name one by its id")
    return found[0]


def _listed(found: Sequence[Member], members: Sequence[Member]) -> str:
    lengths = id_length(one.id for one in members)
    shown = ", ".join(f"{one.id[:lengths]} ({one.formula})" for one in found[:MOST_LISTED])
    more = f" and {len(found) - MOST_LISTED} more" if len(found) > MOST_LISTED else ""
    return f"{len(found)} candidates: {shown}{more}"


def id_length(ids: Iterable[str]) -> int:
    """Return how many characters tell the ids apart, and at least `SHORTEST`."""
    ordered = sorted(ids)
    length = SHORTEST
    for one, other in pairwise(ordered):
        while one[:length] == other[:length] and length < len(one):
            length += 1
    return length
