"""The commands about filters: `screen` and `funnel`."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from runner.cli_arguments import Json, Name, Profile, Spec, StoreOption, place_for, spec_of


def add_to(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for command in (screen, funnel):
        app.command()(command)


def screen(
    spec: Spec,
    workers: Annotated[
        Optional[int],  # noqa: UP045  (Typer reads it when the program runs)
        typer.Option(
            "--workers", min=1, help="Processes for slow scores. Default: the profile's cores."
        ),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="All that go on, as CSV.")] = False,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Enumerate the space and filter it; no calculation is started.

    Writes the screening table: a row for every candidate, with its scores, its verdict and why.
    Values of slow scores are kept, so that after Ctrl-C, a crash, or with other thresholds nothing
    is computed twice. `campaign run` does the same before its stages.
    """
    from runner import show_screening
    from runner.load import load
    from runner.place import place_of
    from runner.screening_progress import screen_with_progress

    loaded = load(spec)
    place = place_of(loaded, profile=profile)
    try:
        report = screen_with_progress(loaded, place, workers=workers)
    except KeyboardInterrupt:
        typer.echo(
            f"interrupted; what slow scores gave is kept: `campaign screen {spec}` goes on",
            err=True,
        )
        raise
    show_screening.screened(report, csv=csv, json=json)


def funnel(
    name: Name, profile: Profile = None, store: StoreOption = None, json: Json = False
) -> None:
    """Show what the filters did: counts, reasons, time, and how many good ones they threw away.

    The last comes from steps with `control_sample`: a few of their rejects are computed all the
    same, which bounds how many good candidates are among the others.
    """
    from fireworks_ext.store import open_store
    from runner import show_screening
    from runner.funnel_report import funnel as found
    from runner.load import load
    from runner.place import has_store

    spec = spec_of(name)
    place = place_for(spec, profile, store)
    campaign = load(spec).campaign.campaign if spec else name
    opened = open_store(place.store) if has_store(place) else None
    show_screening.funnel(found(place, opened, campaign), json=json)
