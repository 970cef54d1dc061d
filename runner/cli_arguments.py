"""What commands of `campaign` take alike, and how they find the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from fireworks_ext.store import Store
    from runner.place import Place

Spec = Annotated[Path, typer.Argument(metavar="SPEC.yaml", help="The campaign file.")]
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of a campaign, or its campaign file.")
]
Json = Annotated[bool, typer.Option("--json", help="Print {schema_version, command, data}.")]
Profile = Annotated[
    Optional[str],  # noqa: UP045  (Typer reads it when the program runs)
    typer.Option("--profile", metavar="NAME", help="Where and with what to run: a profile's name."),
]
StoreOption = Annotated[
    Optional[str],  # noqa: UP045  (as above)
    typer.Option("--store", metavar="PATH", help="The store, before that of the profile."),
]


def place_for(spec: Path | None, profile: str | None, store: str | None) -> Place:
    """Return where a campaign file's campaign runs, or the user's campaigns without a file."""
    from runner.load import load
    from runner.place import place_of

    return place_of(load(spec) if spec else None, profile=profile, store=store)


def spec_of(name: str) -> Path | None:
    """Return the campaign file that stands in the place of a name, if one does."""
    return Path(name) if name.endswith((".yaml", ".yml")) else None


def opened(name: str, profile: str | None, store: str | None) -> tuple[Store, str]:
    """Return the store and the campaign's name, for a name or a campaign file."""
    from fireworks_ext.store import open_store
    from runner.place import require_store

    spec = spec_of(name)
    place = place_for(spec, profile, store)
    if spec is not None:
        from runner.load import load

        name = load(spec).campaign.campaign
    require_store(place)
    return open_store(place.store), name
