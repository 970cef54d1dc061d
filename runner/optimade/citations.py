"""What to cite for the databases that candidates came from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from runner.optimade.providers import OPTIMADE_CITATIONS, Provider
from runner.optimade.snapshots import Snapshot
from schemas.model import Model
from schemas.protocols import Surroundings

if TYPE_CHECKING:
    from runner.screening_table import Source


class DatabaseCitation(Model):
    """One answer of one database that a campaign uses, ready to be told in a report."""

    database: str = Field(description="Name or base URL, as in the column `database`.")
    name: str = Field(description="The name that the database gives itself.")
    date: str = Field(description="Day on which it answered, UTC, as in `database_date`.")
    query: str = Field(description="The OPTIMADE filter that it was asked.")
    base_url: str = Field(description="Address that was asked, with the version of the interface.")
    api_version: str | None = Field(description="Version of OPTIMADE that the database speaks.")
    licence: str | None = Field(description="Licence of the data, where one is known.")
    entries: int = Field(description="Entries that the answer holds.")
    candidates: int | None = Field(description="Entries that give candidates; the rest is unfit.")
    texts: tuple[str, ...] = Field(description="Publications to cite, with their DOI.")


def citation(provider: Provider, snapshot: Snapshot) -> DatabaseCitation:
    """Return what to cite for an answer."""
    head, tail = snapshot.head, snapshot.tail
    own = head.get("provider") or {}
    licences = head.get("licences") or []
    return DatabaseCitation(
        database=provider.key,
        name=provider.name if provider.citations else own.get("name") or provider.name,
        date=snapshot.day.isoformat(),
        query=head["query"]["filter"],
        base_url=head["query"]["base_url"],
        api_version=head.get("api_version"),
        licence=", ".join(map(str, licences)) or head.get("licence") or provider.licence,
        entries=tail["entries"],
        candidates=snapshot.usable,
        texts=(*provider.citations, *OPTIMADE_CITATIONS),
    )


def citations_of(
    sources: Iterable[Source], surroundings: Surroundings
) -> tuple[DatabaseCitation, ...]:
    """Return what to cite for the entries of `space` that come from databases, without network.

    An entry that was never fetched on this machine has nothing to cite.
    """
    found: dict[tuple[str, str, str], DatabaseCitation] = {}
    for source in sources:
        cite = getattr(source.plugin, "citations", None)
        for one in cite(source.params, surroundings) if cite else ():
            found[one.base_url, one.query, one.date] = one
    return tuple(found.values())
