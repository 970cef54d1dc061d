"""The command that asks the published tables: `sql`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from runner.cli_arguments import Json, Profile, StoreOption, place_for

if TYPE_CHECKING:
    from runner.sql.cloud import CloudAnswer
    from runner.sql.cloud_place import CloudPlace


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(sql)


def sql(
    query: Annotated[
        Optional[str],  # noqa: UP045  (Typer reads it when the program runs)
        typer.Argument(metavar="QUERY", help="A SELECT, in Athena's dialect.", show_default=False),
    ] = None,
    cloud: Annotated[
        bool, typer.Option("--cloud", help="Ask Athena itself, over the tables in S3.")
    ] = False,
    database: Annotated[
        Optional[str],  # noqa: UP045  (as above)
        typer.Option(
            "--database",
            metavar="NAME",
            help="Glue database for --cloud. Default: where the campaigns publish to.",
        ),
    ] = None,
    workgroup: Annotated[
        Optional[str],  # noqa: UP045  (as above)
        typer.Option(
            "--workgroup",
            metavar="NAME",
            help="Athena workgroup for --cloud. Default: `export.glue.workgroup`, or primary.",
        ),
    ] = None,
    query_results: Annotated[
        Optional[str],  # noqa: UP045  (as above)
        typer.Option(
            "--query-results",
            metavar="s3://BUCKET/PREFIX",
            help="Where Athena writes answers. Default: `export.glue.query_results`, or the "
            "setting of the workgroup.",
        ),
    ] = None,
    listing: Annotated[
        bool,
        typer.Option("--examples", help="List the queries that ship; with a name, print that one."),
    ] = False,
    example: Annotated[
        Optional[str],  # noqa: UP045  (as above)
        typer.Option("--example", metavar="NAME", help="Ask a query that ships."),
    ] = None,
    campaign: Annotated[
        Optional[str],  # noqa: UP045  (as above)
        typer.Option("--campaign", metavar="NAME", help="Ask an example of one campaign alone."),
    ] = None,
    dialect: Annotated[
        str, typer.Option("--dialect", help="athena, or duckdb for DuckDB's own, unchecked.")
    ] = "athena",
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Show the query and what DuckDB is given; do not run it."),
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    parquet: Annotated[
        Optional[Path],  # noqa: UP045  (as above)
        typer.Option("--parquet", metavar="FILE", help="Write a Parquet file, types kept."),
    ] = None,
    profile: Profile = None,
    store: StoreOption = None,
    json: Json = False,
) -> None:
    """Query the tables screening, results, attempts and campaigns.

    This machine answers, and refuses what it would answer otherwise than Athena. With --cloud
    Athena answers, and says at the end what it read and about what that costs; Ctrl-C stops the
    query there too.

    Example: campaign sql "SELECT formula, band_gap_ev FROM results WHERE stage = 'scf'"
    """
    from runner import query as queries
    from runner import show_sql
    from runner.sql.examples import example as shipped
    from runner.sql.examples import examples
    from schemas.errors import UserError

    _refuse_mixtures(
        campaign=campaign is not None and not (listing or example),
        query=bool(example) and (query is not None or listing),
        outputs=sum((csv, json, parquet is not None)),
        places=not cloud and any((database, workgroup, query_results)),
        dialects=cloud and dialect != "athena",
    )
    if listing:
        found = examples() if query is None else (shipped(query).of(campaign),)
        show_sql.examples(found, whole=query is not None, json=json)
        return
    text = shipped(example).of(campaign).sql if example else query
    if text is None:
        raise UserError('give a query: campaign sql "SHOW TABLES"; --examples lists some')
    place = place_for(None, profile, store)
    if explain:
        show_sql.explanation(queries.explanation(text, place, dialect), json=json)
        return
    if cloud:
        from runner.cloud_query import find_cloud_place

        where = find_cloud_place(
            place, database=database, workgroup=workgroup, query_results=query_results
        )
        asked = _ask(where, text)
        show_sql.answer(asked.answer, csv=csv, json=json, parquet=parquet, cloud=(where, asked))
        return
    show_sql.answer(queries.answer(text, place, dialect), csv=csv, json=json, parquet=parquet)


def _refuse_mixtures(
    *, campaign: bool, query: bool, outputs: int, places: bool, dialects: bool
) -> None:
    """Raise UserError for options of which one would be passed over."""
    from schemas.errors import UserError

    if campaign:
        raise UserError("--campaign is for --example; in a query write WHERE campaign = 'NAME'")
    if query:
        raise UserError("give a query, or --example NAME, or --examples: one of them")
    if outputs > 1:
        raise UserError("choose one of --csv, --json and --parquet FILE")
    if places:
        raise UserError("--database, --workgroup and --query-results are for --cloud")
    if dialects:
        raise UserError("--cloud: Athena takes its own dialect; leave --dialect out")


def _ask(where: CloudPlace, text: str) -> CloudAnswer:
    from runner.show_sql import CloudDisplay
    from runner.sql.cloud import ask

    with CloudDisplay(where) as display:
        return ask(where, text, display.told)
