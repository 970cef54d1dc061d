"""FireWorks' own `lpad` on the campaign's store."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.place import Place, require_store
from schemas.location import is_embedded

if TYPE_CHECKING:
    from fireworks import LaunchPad

DESCRIPTION = "my_launchpad.yaml"
HEAD = """\
# For FireWorks' own programs: lpad -l FILE get_wflows. It holds no user and no password, and cannot
# say where they are; where the server asks for them, use `campaign lpad get_wflows`.
"""


def run_lpad(place: Place, arguments: Sequence[str]) -> int:
    """Run `lpad` in this process and return its exit code.

    With a server that asks for no password, plain `lpad -l FILE` does the same; FILE is written to
    the data folder.
    """
    from fireworks.scripts import lpad_run

    from fireworks_ext.store import open_store

    require_store(place)
    store = open_store(place.store)
    if not is_embedded(place.store):
        place.data.mkdir(parents=True, exist_ok=True)
        write_description(store.launchpad, place.data / DESCRIPTION)
    # lpad would read a file with the address and the password in it; it is given the open store.
    lpad_run.get_lp = lambda _arguments: store.launchpad
    sys.argv = ["lpad", *arguments]
    try:
        lpad_run.lpad()
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    return 0


def write_description(launchpad: LaunchPad, path: Path) -> None:
    """Write what FireWorks' own programs read: the address with its options, without a password."""
    from ruamel.yaml import YAML

    settings = {
        "host": launchpad.host,
        "uri_mode": True,
        "name": launchpad.name,
        "strm_lvl": "WARNING",
        "user_indices": list(launchpad.user_indices),
        "wf_user_indices": list(launchpad.wf_user_indices),
    }
    new = path.with_name(f"{path.name}.{os.getpid()}")
    with new.open("w", encoding="utf-8") as file:
        file.write(HEAD)
        YAML(typ="safe").dump(settings, file)
    new.replace(path)
