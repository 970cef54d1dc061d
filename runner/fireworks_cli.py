"""FireWorks' own `lpad` on the campaign's store."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from runner.place import Place, require_store


def run_lpad(place: Place, arguments: Sequence[str]) -> int:
    """Run `lpad` in this process and return its exit code.

    With a server, plain `lpad -l FILE` does the same: FILE is written to the data folder, without
    a password.
    """
    from fireworks.scripts import lpad_run

    from fireworks_ext.embedded import activate
    from fireworks_ext.store import DEFAULT_DATABASE, open_store

    require_store(place)
    if "://" not in place.store:
        activate(place.store)
    store = open_store(place.store)
    description = place.data / "my_launchpad.yaml"
    description.parent.mkdir(parents=True, exist_ok=True)
    _describe(description, place.store, store.launchpad.name or DEFAULT_DATABASE)
    sys.argv = ["lpad", "-l", str(description), *arguments]
    try:
        lpad_run.lpad()
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    return 0


def _describe(path: Path, location: str, name: str) -> None:
    from ruamel.yaml import YAML

    settings: dict[str, object] = {"host": "embedded", "name": name, "strm_lvl": "WARNING"}
    if "://" in location:
        settings |= {"host": location, "uri_mode": True}
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(settings, file)
