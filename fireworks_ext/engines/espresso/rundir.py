"""The run directory: what is written before pw.x starts."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from fireworks_ext.engines.espresso.deck import (
    PSEUDO_DIRECTORY,
    SAVE_DIRECTORY,
    Deck,
    deck_text,
)
from fireworks_ext.engines.espresso.output import DECK_FILE, DENSITY_FILE
from fireworks_ext.engines.espresso.program import INPUT
from fireworks_ext.engines.espresso.pseudopotentials import InstalledFamily
from schemas.errors import UserError

_WAVEFUNCTIONS = "wfc"


def write_deck(deck: Deck, directory: Path) -> None:
    """Write the deck as JSON and as the text that pw.x reads."""
    (directory / DECK_FILE).write_text(deck.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (directory / INPUT).write_text(deck_text(deck), encoding="utf-8")


def place_pseudopotentials(deck: Deck, family: InstalledFamily, directory: Path) -> None:
    """Put the pseudopotentials beside the deck, so that the directory can be run as it stands."""
    (directory / PSEUDO_DIRECTORY).mkdir(exist_ok=True)
    for element in dict.fromkeys(species.element for species in deck.species):
        family.sha256(element)
        source = family.path(element)
        target = directory / PSEUDO_DIRECTORY / source.name
        try:
            os.link(source, target)
        except OSError:  # another file system, or one without links
            shutil.copyfile(source, target)


def fetch_density(upstream: Path, directory: Path) -> None:
    """Copy the charge density of a finished run, without its wavefunctions.

    Raises
    ------
    UserError
        When the run has none any more.
    """
    if not (upstream / DENSITY_FILE).is_file():
        raise UserError(f"{upstream}: no charge density ({DENSITY_FILE})")
    (directory / SAVE_DIRECTORY).mkdir(parents=True, exist_ok=True)
    for source in sorted((upstream / SAVE_DIRECTORY).iterdir()):
        if source.is_file() and not source.name.startswith(_WAVEFUNCTIONS):
            shutil.copyfile(source, directory / SAVE_DIRECTORY / source.name)
