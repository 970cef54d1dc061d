"""The commands that have a campaign stand still and go on: `pause`, `resume`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from runner.cli_arguments import Json, Name, Profile, StoreOption, opened, spec_of

if TYPE_CHECKING:
    from fireworks_ext.store import Store
    from schemas.reports import Pausing


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(pause)
    app.command()(resume)


def pause(
    name: Name, profile: Profile = None, store: StoreOption = None, json: Json = False
) -> None:
    """Let nothing more of a campaign start: what runs is finished, what waits stands still.

    Members that wait for room get none. Stages that a cluster's jobs have taken over already are
    computed. A `campaign run` leaves when nothing runs any more; another one changes nothing until
    `campaign resume`. FireWorks' own `lpad` sees the same: the fireworks are PAUSED.

    Example: campaign pause perovskites
    """
    from runner.pausing import pause as stop_starting

    store_opened, campaign = opened(name, profile, store)
    count = stop_starting(store_opened, campaign)
    _print(_report(store_opened, campaign, name, count, paused=True), json=json)


def resume(
    name: Name, profile: Profile = None, store: StoreOption = None, json: Json = False
) -> None:
    """Let a paused campaign go on, but for calculations that are held for a person.

    A `campaign run` that is going on takes them up by itself; else run it again. What is held
    stays held: `campaign failures` says why, `campaign retry` sends it on.

    Example: campaign resume perovskites
    """
    from runner.pausing import resume as start_again

    store_opened, campaign = opened(name, profile, store)
    count = start_again(store_opened, campaign)
    _print(_report(store_opened, campaign, name, count, paused=False), json=json)


def _report(store: Store, campaign: str, name: str, count: int, *, paused: bool) -> Pausing:
    """Return what was done, and the command that comes next."""
    import shlex

    from fireworks_ext import ledger
    from runner.detach import controller
    from schemas.reports import Pausing

    running = controller(store, campaign) is not None
    document = ledger.find_campaign(store, campaign)
    file = str(spec_of(name) or document.get("file") or "SPEC.yaml")
    again = None if running else f"campaign run {shlex.quote(file)}"
    return Pausing(
        campaign=campaign,
        paused=paused,
        count=count,
        running=running,
        next=f"campaign resume {campaign}" if paused else again,
    )


def _print(report: Pausing, *, json: bool) -> None:
    from runner.show import as_json

    if json:
        as_json("pause" if report.paused else "resume", report)
        return
    counted = "1 calculation" if report.count == 1 else f"{report.count} calculations"
    if report.paused:
        text = f"paused: {counted} stopped from starting. What runs now is finished."
    else:
        text = f"resumed: {counted} set free."
    typer.echo(text + (f" Next: {report.next}" if report.next else ""))
