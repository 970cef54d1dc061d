"""Commands about who computes: `jobs`, `stop`."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.cli_arguments import Json, Name, Profile, StoreOption, opened, place_for, spec_of


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(jobs)
    app.command()(stop)


def jobs(
    name: Name,
    cancel: Annotated[
        bool,
        typer.Option(
            "--cancel",
            help="Take all of them out of the queue. What runs saves its state, and goes on with "
            "the next `campaign run`.",
        ),
    ] = False,
    profile: Profile = None,
    store: StoreOption = None,
    json: Json = False,
) -> None:
    """Show a campaign's jobs in the queue of its cluster, and why they wait."""
    from runner import show_jobs
    from runner.fleet.muster import survey

    store_opened, campaign = opened(name, profile, store)
    place = place_for(spec_of(name), profile, store)
    show_jobs.jobs(survey(store_opened, campaign, place, cancel=cancel), json=json)


def stop(
    name: Name,
    now: Annotated[
        bool, typer.Option("--now", help="As Ctrl-C twice: do not wait for what runs here.")
    ] = False,
    profile: Profile = None,
    store: StoreOption = None,
    json: Json = False,
) -> None:
    """Tell the controller of a campaign to leave: one that `campaign run --detach` started.

    As Ctrl-C: calculations of this machine are finished, jobs in a queue go on with what they have,
    and `campaign run` continues.
    """
    from runner import detach, show_jobs

    store_opened, campaign = opened(name, profile, store)
    show_jobs.stopped(detach.stop(store_opened, campaign, now=now), json=json)
