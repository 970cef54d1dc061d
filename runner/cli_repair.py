"""The command about what killed processes leave behind: `repair`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

from runner.cli_arguments import Json, Profile, StoreOption, opened, place_for

if TYPE_CHECKING:
    from fireworks_ext.store import Store


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(repair)


def repair(
    names: Annotated[
        Optional[list[str]],  # noqa: UP045  (Typer reads it when the program runs)
        typer.Argument(metavar="[NAME...]", help="Names of campaigns, or their files."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All campaigns of the store.")] = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait", help="Look again after a minute at what may still belong to somebody."
        ),
    ] = False,
    log: Annotated[
        bool, typer.Option("--log", help="Show what was repaired in the last 30 days.")
    ] = False,
    profile: Profile = None,
    store: StoreOption = None,
    json: Json = False,
) -> None:
    """Put right what killed processes left behind: locks, reservations, lost runs, waiters.

    A `campaign run` does this by itself all the time. By hand it is for campaigns whose fireworks
    are run by others (`rlaunch`), and to see what is found. It can be done at any time, also while
    workers work, and as often as one likes.

    Example: campaign repair perovskites --wait
    """
    from runner import repair as repairing
    from runner import show_repairs

    store_opened, campaigns = _chosen(names or [], profile, store, everything=everything)
    if log:
        show_repairs.log(list(repairing.log(store_opened, campaigns)), json=json)
        return
    found = list(repairing.repair(store_opened, campaigns, wait=wait))
    show_repairs.rounds(found, json=json)


def _chosen(
    names: list[str], profile: str | None, store: str | None, *, everything: bool
) -> tuple[Store, list[str]]:
    """Return the store and the campaigns that are meant."""
    from fireworks_ext.store import open_store
    from runner.place import require_store
    from runner.repair import all_campaigns
    from schemas.errors import UserError

    if everything:
        place = place_for(None, profile, store)
        require_store(place)
        store_opened = open_store(place.store)
        return store_opened, all_campaigns(store_opened)
    if not names:
        raise UserError(
            "repair: found no name, expected one or more campaigns; name them, or give --all"
        )
    found = [opened(name, profile, store) for name in names]
    locations = {one.location for one, _ in found}
    if len(locations) > 1:
        raise UserError(
            f"repair: the campaigns lie in {len(locations)} stores; repair those of one at a time"
        )
    return found[0][0], [name for _, name in found]
