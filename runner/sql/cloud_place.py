"""Where Athena is asked: database, workgroup, and where it writes its answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from runner.export.address import LakeAddress
from schemas.errors import UserError
from schemas.export import in_s3

WORKGROUP = "primary"
"""Every account has this one."""


@dataclass(frozen=True, slots=True)
class CloudPlace:
    """A Glue database and the workgroup that asks it."""

    database: str
    workgroup: str = WORKGROUP
    query_results: str | None = None
    """s3://bucket/prefix/; None: as the workgroup is set."""

    def __str__(self) -> str:
        return f"Athena, database {self.database}, workgroup {self.workgroup}"


def cloud_place(
    lakes: Sequence[LakeAddress],
    *,
    database: str | None = None,
    workgroup: str | None = None,
    query_results: str | None = None,
) -> CloudPlace:
    """Return where to ask: as given, and else as the lakes of the user's campaigns say.

    Raises
    ------
    UserError
        When that is not one place: no database is known, or several.
    """
    try:
        in_s3(query_results)
    except ValueError as error:
        raise UserError(f"--query-results: {error}") from error
    chosen = database or _database(lakes)
    mine = [lake for lake in lakes if lake.database == chosen]
    group = workgroup or _one(mine, "workgroup", lambda lake: lake.glue and lake.glue.workgroup)
    results = query_results or _one(
        mine, "query-results", lambda lake: lake.glue and lake.glue.query_results
    )
    return CloudPlace(
        database=chosen,
        workgroup=group or WORKGROUP,
        query_results=f"{results.rstrip('/')}/" if results else None,
    )


def _database(lakes: Sequence[LakeAddress]) -> str:
    """Return the one database of the lakes."""
    known = sorted({lake.database for lake in lakes if lake.database is not None})
    if len(known) == 1:
        return known[0]
    if known:
        raise UserError(
            f"--cloud: tables are in several databases; --database {' or '.join(known)}"
        )
    if lakes:
        raise UserError(
            f"--cloud: {lakes[0].url} has no Glue database (`glue: false`), which Athena needs; "
            "leave `glue: false` out and export again, or name a database with --database"
        )
    raise UserError(
        "--cloud: no campaign of this store publishes its tables to S3, where Athena reads them: "
        "`campaign export NAME --to s3://BUCKET/PREFIX`, or `export: {to: s3://...}` in the "
        "campaign file; or name a database with --database"
    )


def _one(
    lakes: Iterable[LakeAddress], option: str, of: Callable[[LakeAddress], object]
) -> str | None:
    """Return what the lakes of a database say alike."""
    said = sorted({str(of(lake)) for lake in lakes if of(lake)})
    if len(said) > 1:
        raise UserError(
            f"--cloud: campaigns name several in `export.glue`: {', '.join(said)}; choose one "
            f"with --{option}"
        )
    return said[0] if said else None
