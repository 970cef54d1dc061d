"""Candidates that generators have made, once more, as a source of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from runner.screening_table import Source
from schemas.candidate import Candidate
from schemas.columns import Column
from schemas.model import Model
from schemas.protocols import Surroundings


def replay(sources: Sequence[Source], candidates: Sequence[Candidate]) -> Source:
    """Return a source of candidates that those sources have made, with their columns."""
    return Source("replay", _Replay(sources, candidates), Model())


class _Replay:
    """A generator of candidates that others have made."""

    params = Model

    def __init__(self, sources: Sequence[Source], candidates: Sequence[Candidate]) -> None:
        columns = [column for source in sources for column in source.plugin.columns(source.params)]
        self._columns = tuple({column.name: column for column in columns}.values())
        self._candidates = candidates

    def columns(self, params: Any) -> tuple[Column, ...]:  # noqa: ARG002  (protocol)
        return self._columns

    def count(self, params: Any, surroundings: Surroundings) -> int:  # noqa: ARG002  (protocol)
        return len(self._candidates)

    def candidates(self, params: Any, surroundings: Surroundings) -> Iterator[Candidate]:  # noqa: ARG002  (protocol)
        return iter(self._candidates)
