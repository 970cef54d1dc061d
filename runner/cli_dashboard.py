"""The command `dashboard`: a live page while campaigns run."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from runner.cli_arguments import Profile, StoreOption, opened, place_for

if TYPE_CHECKING:
    from fireworks_ext.store import Store
    from runner.dashboard.access import Access

TOKEN_FILE = "dashboard-token"  # noqa: S105  (a file's name)
INSTALL = "pip install 'matcampaign[dashboard]'"
MOST_PORT = 65_535


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(dashboard)


def dashboard(
    names: Annotated[
        Optional[list[str]],  # noqa: UP045  (Typer reads it when the program runs)
        typer.Argument(
            metavar="[NAME]...",
            help="Only these campaigns: names or campaign files. Default: all of the store.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=MOST_PORT, help="0 takes one that is free.")
    ] = 8765,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where it listens.")
    ] = "127.0.0.1",
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Nobody can pause, resume or retry anything.")
    ] = False,
    profile: Profile = None,
    store: StoreOption = None,
) -> None:
    """Show campaigns live in a browser: counters, rates, the end, failures, logs.

    The address that is printed holds a token, by which its owner may also pause, resume and retry.
    Ctrl-C ends the page, and no campaign. From elsewhere, through ssh: ssh -L 8765:localhost:8765
    MACHINE, then http://localhost:8765.
    """
    try:
        from runner.dashboard import server
    except ModuleNotFoundError as error:
        from schemas.errors import UserError

        raise UserError(f"the dashboard needs {error.name}: {INSTALL}") from None
    from runner.dashboard.access import Access, token_in
    from runner.dashboard.board import Board
    from runner.place import place_of

    store_opened, chosen = _chosen(names or [], profile, store)
    token_file = place_of(None).data / TOKEN_FILE
    token = token_in(token_file)
    listener = server.listen(host, port)
    bound = int(listener.getsockname()[1])
    access = Access(token, server.is_local(host), read_only, bound)
    server.prepare(store_opened, lambda text: typer.echo(text, err=True))
    _announce(access, host, str(token_file))
    server.serve(Board(store_opened, chosen), access, listener)
    sys.exit(0)


def _chosen(
    names: list[str], profile: str | None, store: str | None
) -> tuple[Store, tuple[str, ...]]:
    """Return the store and the campaigns that are asked for, none for all of them."""
    from fireworks_ext.store import open_store
    from runner.dashboard.questions import require
    from runner.place import require_store
    from schemas.errors import UserError

    if not names:
        place = place_for(None, profile, store)
        require_store(place)
        return open_store(place.store), ()
    pairs = [opened(name, profile, store) for name in names]
    locations = {one.location for one, _ in pairs}
    if len(locations) > 1:
        raise UserError(
            f"these campaigns are in several stores ({', '.join(sorted(locations))}); "
            "a dashboard shows one: start one for each, with another --port"
        )
    chosen = tuple(dict.fromkeys(name for _, name in pairs))
    require(pairs[0][0], chosen)
    return pairs[0][0], chosen


def _announce(access: Access, host: str, token_file: str) -> None:
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{access.port}/"
    if not access.is_local:
        typer.echo(
            f"warning: everybody who can reach {host} reaches this page, and what is sent is not "
            "encrypted; reading needs the token too. `ssh -L` to 127.0.0.1 is safer: see "
            "docs/dashboard.md",
            err=True,
        )
    if access.read_only and access.is_local:
        typer.echo(address)
    else:
        typer.echo(f"{address}?token={access.token}")
        typer.echo(f"the token is kept in {token_file}")
    typer.echo(f"process {os.getpid()}; Ctrl-C ends the page, and no campaign")
    sys.stdout.flush()
