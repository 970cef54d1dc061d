"""The command `report`: one page about a campaign, to look at and to send to others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from runner.cli_arguments import Json, Name, Profile, StoreOption, place_for, spec_of


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(report)


def report(
    name: Name,
    output: Annotated[
        Optional[Path],  # noqa: UP045  (Typer reads it when the program runs)
        typer.Option("--output", "-o", help="File to write. Default: NAME.html, here."),
    ] = None,
    notebook: Annotated[
        Optional[Path],  # noqa: UP045  (as above)
        typer.Option(
            "--notebook", metavar="FILE.ipynb", help="Write the analyses as a notebook instead."
        ),
    ] = None,
    profile: Profile = None,
    store: StoreOption = None,
    json: Json = False,
) -> None:
    """Write a report: one HTML file with figures and tables that works without a network.

    It reads the published tables, so it can be written while the campaign runs, and shows what had
    been published by then. With --notebook the same analyses come as a Jupyter notebook; with both
    options, both are written.
    """
    from runner.report.command import write_report

    spec = spec_of(name)
    place = place_for(spec, profile, store)
    if spec is not None:
        from runner.load import load

        name = load(spec).campaign.campaign
    written = write_report(name, place, output=output, notebook=notebook)
    if json:
        from runner.show import as_json

        as_json("report", written)
        return
    for one in written.files:
        typer.echo(one)
