"""The commands about models: `models list`."""

from __future__ import annotations

import typer

from runner.cli_arguments import Json

models_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Show the pre-trained models that scores use."
)


def add_to(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(models_app, name="models")


@models_app.callback()
def models() -> None:
    """Show the pre-trained models that scores use."""


@models_app.command("list")
def list_models(json: Json = False) -> None:
    """Say which models there are, which can be used here, and what each needs and learned.

    Energies of different method keys are never mixed in one hull.
    """
    from runner import show_models
    from runner.ml.registry import listing

    show_models.models(listing(), json=json)
