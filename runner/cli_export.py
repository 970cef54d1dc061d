"""The command that publishes tables elsewhere: `export`."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from runner.cli_arguments import Json, Profile, StoreOption, place_for, spec_of


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(export)


def export(
    name: Annotated[
        Optional[str],  # noqa: UP045  (Typer reads it when the program runs)
        typer.Argument(metavar="NAME", help="Name of a campaign, or its campaign file."),
    ] = None,
    to: Annotated[
        Optional[str],  # noqa: UP045  (as above)
        typer.Option(
            "--to",
            metavar="FOLDER|s3://BUCKET/PREFIX",
            help="Where to. Default: `export.to` of the campaign file.",
        ),
    ] = None,
    database: Annotated[
        Optional[str],  # noqa: UP045  (as above)
        typer.Option("--database", metavar="NAME", help="Glue database. Default: bucket_prefix."),
    ] = None,
    glue: Annotated[
        bool, typer.Option("--glue/--no-glue", help="Whether S3 has a Glue catalog over it.")
    ] = True,
    views: Annotated[
        bool, typer.Option("--views", help="Make the shipped Athena views in Glue, too.")
    ] = False,
    print_views: Annotated[
        bool, typer.Option("--print-views", help="Print the views' statements; publish nothing.")
    ] = False,
    profile: Profile = None,
    store: StoreOption = None,
    json: Json = False,
) -> None:
    """Publish a campaign's tables to another folder, or to S3 with tables in AWS Glue.

    The files are the same everywhere, named by their content. What has not changed is not written
    again. A campaign with `export: {to: s3://...}` does it by itself while it runs.

    Example: campaign export perovskites --to s3://my-bucket/lake --views
    """
    from runner import show
    from schemas.errors import UserError

    if print_views:
        from runner.export.views import views as shipped

        show.text("export", "\n".join(view.statement() for view in shipped()), json=json)
        return
    if name is None:
        raise UserError("name the campaign to export, or its file: campaign export NAME --to ...")
    from fireworks_ext.store import open_store
    from runner.export.address import lake_of
    from runner.exports import export as run_export
    from runner.load import load
    from runner.place import has_store

    spec = spec_of(name)
    place = place_for(spec, profile, store)
    loaded = load(spec) if spec is not None else None
    report = run_export(
        place,
        open_store(place.store) if has_store(place) else None,
        loaded.campaign.campaign if loaded is not None else name,
        configured=lake_of(loaded.campaign.export) if loaded is not None else None,
        to=to,
        database=database,
        glue=glue,
        views=views,
    )
    if json:
        show.as_json("export", report)
        return
    for path in report.written:
        typer.echo(f"written    {path}")
    typer.echo(
        f"{len(report.written)} partitions written, {report.unchanged} unchanged: {report.to}"
    )
    if report.database is not None:
        typer.echo(f"Glue database: {report.database}")
    if report.views:
        typer.echo(f"views: {', '.join(report.views)}")
