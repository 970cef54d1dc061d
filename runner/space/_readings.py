"""Candidates of what was read: a structure, or the reason why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pydantic import ValidationError

from schemas.candidate import Candidate
from schemas.errors import UserError
from schemas.model import JsonValue
from schemas.structure import Structure


def read(
    generator: str,
    choice: Mapping[str, JsonValue],
    structure: Structure,
    extra: Mapping[str, JsonValue],
) -> Candidate:
    """Return the candidate of a structure that was read."""
    return Candidate(
        generator=generator,
        choice=choice,
        composition=dict(Counter(structure.species)),
        build=lambda: structure,
        formula=structure.formula,
        extra=extra,
    )


def failed(
    generator: str,
    choice: Mapping[str, JsonValue],
    place: str | None,
    error: Exception,
    *,
    extra: Mapping[str, JsonValue] | None = None,
) -> Candidate:
    """Return the candidate that stands for something that is no structure.

    `place` says where it stands, unless the error does.
    """
    problem = f"{place}: {_reason(error)}" if place else _reason(error)

    def build() -> Structure:
        raise UserError(problem)

    return Candidate(
        generator=generator,
        choice=choice,
        composition={},
        build=build,
        formula="",
        extra=extra or {},
        problem=problem,
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}".removeprefix(": ")
            for one in error.errors()
        )
    return " ".join(str(error).split())
