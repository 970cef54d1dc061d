"""`campaign sql`: questions to the published tables of all campaigns that a store knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, cast

from runner.place import Place, has_store
from runner.sql.answer import Answer
from schemas.errors import UserError
from schemas.reports import SqlExplanation

DIALECTS = ("athena", "duckdb")


def answer(query: str, place: Place, dialect: str) -> Answer:
    """Return the answer to a query. Raises UserError for one that cannot be answered the same."""
    from runner.sql.query import query as ask

    return ask(query, table_folders(place), dialect=_known(dialect))


def explanation(query: str, place: Place, dialect: str) -> SqlExplanation:
    """Return a query as given, and the text that DuckDB is given for it."""
    from runner.sql.query import explain

    if _known(dialect) == "duckdb":
        return SqlExplanation(athena=None, duckdb=query)
    return SqlExplanation(athena=query, duckdb=explain(query, table_folders(place)))


def table_folders(place: Place) -> list[Path]:
    """Return the folders in which campaigns publish their tables, each once.

    They are those of the store, and those that were only screened on this machine.
    """
    from fireworks_ext.store import open_store
    from runner.screenings import tables_of

    folders = [str(place.tables), *tables_of(place)]
    if has_store(place):
        store = open_store(place.store)
        for one in store.campaigns.find({}, {"tables": 1, "lake": 1}):
            folders += [one["tables"], *_lake_folder(place, one.get("lake"))]
    return [Path(one) for one in dict.fromkeys(folders) if Path(one).is_dir()]


def _lake_folder(place: Place, document: dict[str, Any] | None) -> list[str]:
    """Return the folder on this machine of tables in S3, also of what another machine publishes."""
    from runner.export.address import lake_from
    from runner.export.lake import remember

    address = lake_from(document)
    if address is None:
        return []
    side = address.side(place.data)
    remember(side, address)
    return [str(side)]


def _known(dialect: str) -> Literal["athena", "duckdb"]:
    if dialect not in DIALECTS:
        raise UserError(f"--dialect: found '{dialect}', expected one of {', '.join(DIALECTS)}")
    return cast('Literal["athena", "duckdb"]', dialect)
