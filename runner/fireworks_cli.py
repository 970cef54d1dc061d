"""FireWorks' own `lpad` on the campaign's store."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from runner.place import Place, require_store

DESCRIPTION = "my_launchpad.yaml"


def run_lpad(place: Place, arguments: Sequence[str]) -> int:
    """Run `lpad` in this process and return its exit code.

    With a server, plain `lpad -l FILE` does the same; FILE is written to the data folder, without
    a password.
    """
    from fireworks.scripts import lpad_run

    from fireworks_ext.store import open_store

    require_store(place)
    store = open_store(place.store)
    if "://" in place.store:
        place.data.mkdir(parents=True, exist_ok=True)
        _describe(place.data / DESCRIPTION, store.shown_location, store.launchpad.name)
    # lpad would read a file with the address and the password in it; it is given the open store.
    lpad_run.get_lp = lambda _arguments: store.launchpad
    sys.argv = ["lpad", *arguments]
    try:
        lpad_run.lpad()
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    return 0


def _describe(path: Path, location: str, name: str) -> None:
    from ruamel.yaml import YAML

    settings = {"host": location, "uri_mode": True, "name": name, "strm_lvl": "WARNING"}
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(settings, file)
