"""Takes candidates from databases that speak OPTIMADE, through a dated cache.

Nothing is asked while a campaign file is checked or counted: only enumerating may use the network,
and only where the cache holds no answer that will do. OPTIMADE 1.2.0,
https://specification.optimade.org/v1.2.0/; Andersen et al., Sci. Data 8, 217 (2021),
https://doi.org/10.1038/s41597-021-00974-z
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from runner.optimade.answers import answer, kept_answer
from runner.optimade.candidates import CANDIDATE_COLUMNS, candidates_of, left_out_of
from runner.optimade.citations import DatabaseCitation, citation
from runner.optimade.params import OFFLINE_VARIABLE, OptimadeParams
from runner.optimade.providers import provider_of
from runner.optimade.snapshots import Shelf, Snapshot
from schemas.candidate import Candidate
from schemas.columns import Column
from schemas.protocols import Surroundings

FOLDER = "optimade"
"""Of the cache."""

logger = logging.getLogger(__name__)


class OptimadeGenerator:
    """Yields the entries of a database's answer; see `schemas.protocols.Generator`."""

    params = OptimadeParams

    def columns(self, params: OptimadeParams) -> tuple[Column, ...]:
        """Return where a candidate comes from, and the properties that are asked for."""
        return (
            *CANDIDATE_COLUMNS,
            *(one.column(name) for name, one in params.asked.items()),
        )

    def count(self, params: OptimadeParams, surroundings: Surroundings) -> int | None:
        """Return how many candidates the answer in the cache gives; None where it must be asked."""
        kept = _kept(params, surroundings)
        return kept.usable if kept else None

    def candidates(self, params: OptimadeParams, surroundings: Surroundings) -> Iterator[Candidate]:
        """Yield the entries that are ordered crystals, in the order of the database.

        Raises
        ------
        UserError
            When the database refuses or cannot be reached, or the cache lacks what is needed.
        """
        if surroundings.cache is not None:
            yield from _candidates(params, _shelf(params, surroundings.cache / FOLDER))
            return
        with TemporaryDirectory(prefix="matcampaign-optimade-") as folder:
            yield from _candidates(params, _shelf(params, Path(folder), lasting=False))

    def left_out(
        self, params: OptimadeParams, surroundings: Surroundings
    ) -> Iterator[tuple[str, str]]:
        """Yield id and reason of the entries in the cache that give no candidate."""
        kept = _kept(params, surroundings)
        yield from left_out_of(kept) if kept else ()

    def citations(
        self, params: OptimadeParams, surroundings: Surroundings
    ) -> tuple[DatabaseCitation, ...]:
        """Return what to cite for the answer in the cache; nothing where there is none."""
        kept = _kept(params, surroundings)
        return (citation(provider_of(params.provider), kept),) if kept else ()


plugin = OptimadeGenerator()


def _offline() -> bool:
    return os.environ.get(OFFLINE_VARIABLE, "0") not in {"", "0"}


def _shelf(params: OptimadeParams, folder: Path, *, lasting: bool = True) -> Shelf:
    return Shelf(folder, provider_of(params.provider), params.query, lasting=lasting)


def _kept(params: OptimadeParams, surroundings: Surroundings) -> Snapshot | None:
    if surroundings.cache is None:
        return None
    shelf = _shelf(params, surroundings.cache / FOLDER)
    return kept_answer(shelf, params.terms(offline=_offline()))


def _candidates(params: OptimadeParams, shelf: Shelf) -> Iterator[Candidate]:
    provider = provider_of(params.provider)
    snapshot = answer(shelf, params.terms(offline=_offline()), provider, params.query)
    _remark(provider.key, snapshot.path, snapshot.remarks())
    yield from candidates_of(snapshot, provider, params.asked)


@cache
def _remark(database: str, path: Path, remarks: str) -> None:
    """Say once for each answer how many of its entries were left out."""
    if remarks:
        logger.warning("%s (%s): %s", database, path.name, remarks)
