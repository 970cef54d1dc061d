"""Commands for work without a controller: `worker`, `hand-over`, `ingest`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from runner.cli_arguments import Json, Name, Profile, StoreOption, opened, place_for
from schemas.errors import UserError

if TYPE_CHECKING:
    from schemas.handover import Delivery

Names = Annotated[
    Optional[list[str]],  # noqa: UP045  (Typer reads it when the program runs)
    typer.Argument(metavar="[NAME]...", help="Campaigns. Default: all that the store has."),
]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder of handed-over stages.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(worker)
    app.command("hand-over")(hand_over)
    app.command()(ingest)


def worker(
    names: Names = None,
    offline: Annotated[
        Optional[Path],  # noqa: UP045  (as above)
        typer.Option(
            "--offline", metavar="DIR", help="Carry out the stages in DIR, without a database."
        ),
    ] = None,
    until_settled: Annotated[
        bool,
        typer.Option(
            "--until-settled",
            help="Leave when all campaigns are settled, or nobody controls them and nothing is "
            "left to be done.",
        ),
    ] = False,
    profile: Profile = None,
    store: StoreOption = None,
    json: Json = False,
) -> None:
    """Compute on this machine for campaigns that another one controls.

    As many machines as you like, with one MongoDB or DocumentDB. Ctrl-C once finishes what runs and
    leaves; twice stops at once. Either way nothing is lost.
    """
    from runner import show_workers, workers

    if offline is not None:
        _refuse_beside_offline(names or [], until_settled=until_settled)
        done: list[Delivery] = []
        code = workers.work_offline(offline, _telling(done, json=json))
        show_workers.deliveries("worker", done, json=json)
        sys.exit(code)
    place = place_for(None, profile, store)
    code = workers.serve_here(place, names or [], until_settled=until_settled)
    show_workers.served(names or [], code, json=json)
    sys.exit(code)


def _refuse_beside_offline(names: list[str], *, until_settled: bool) -> None:
    """Raise UserError for what says nothing about a folder, and would be forgotten silently."""
    given = [*names, *(["--until-settled"] if until_settled else [])]
    if given:
        raise UserError(
            f"campaign worker --offline: found {' '.join(given)} beside it; a folder's stages are "
            "carried out whatever their campaign, until none is left, so give neither NAMES nor "
            "--until-settled with --offline"
        )


def hand_over(
    name: Name,
    folder: Folder,
    stages: Annotated[int, typer.Option("--stages", "-n", min=1, help="How many at most.")] = 100,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Keep them reserved, and take results in until all are in."),
    ] = False,
    profile: Profile = None,
    store: StoreOption = None,
    json: Json = False,
) -> None:
    """Write READY stages into a folder, for `campaign worker --offline` where no database is.

    Without --wait they stay reserved for two minutes; afterwards somebody else may compute them,
    and a result that comes later is taken in all the same.
    """
    from runner import show_workers, workers

    store_opened, campaign = opened(name, profile, store)
    written = workers.hand_over(store_opened, campaign, folder, stages)
    if not json:
        typer.echo(f"{len(written)} stages in {folder}", err=True)
    done: list[Delivery] = []
    code = 0
    if wait:
        tell = _telling(done, json=json)
        code = workers.await_results(store_opened, campaign, folder, tell)
    show_workers.handed_over([str(one) for one in written], done, json=json)
    sys.exit(code)


def ingest(
    folder: Folder, profile: Profile = None, store: StoreOption = None, json: Json = False
) -> None:
    """Write down results that lie in a folder: of handed-over stages, or kept in an outage.

    Doing it twice does no harm; what is written down is removed from the folder.
    """
    from fireworks_ext.store import open_store
    from runner import show_workers, workers
    from runner.place import require_store

    place = place_for(None, profile, store)
    require_store(place)
    show_workers.deliveries("ingest", workers.ingest(open_store(place.store), folder), json=json)


def _telling(done: list[Delivery], *, json: bool) -> Callable[[Delivery], None]:
    """Return what remembers deliveries, and says each to people who watch."""

    def tell(delivery: Delivery) -> None:
        done.append(delivery)
        if not json:
            order = delivery.order
            typer.echo(f"{order.formula} {order.stage}: {delivery.ending.kind}", err=True)

    return tell
