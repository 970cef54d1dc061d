"""FireWorks on the embedded store: in this process, wherever it would connect to a server."""

import os
import sys
from typing import TYPE_CHECKING, Any

from fireworks_ext.embedded.client import EmbeddedClient
from fireworks_ext.embedded.store import Durability

if TYPE_CHECKING:
    from fireworks import LaunchPad

_USERS = ("fireworks.fw_config", "fireworks.core.launchpad", "fireworks.utilities.filepad")
"""The modules of FireWorks that name the client's class; those loaded later take the first's."""


def activate(path: str | os.PathLike[str], *, durability: Durability = "FULL") -> None:
    """Make FireWorks use the store at a path, whatever host a LaunchPad names.

    It holds for this process and those forked from it; calling it again switches to another
    path, for connections made from then on.

    Raises
    ------
    UserError
        If the path cannot hold a store.
    """
    import fireworks.core.launchpad  # noqa: F401 - binds the name that is replaced below

    EmbeddedClient(path, durability)  # so that a bad path is an error here, with its own message

    def connect(*_: Any, **__: Any) -> EmbeddedClient:
        return EmbeddedClient(path, durability)

    for name in _USERS:
        if name in sys.modules:
            sys.modules[name].MongoClient = connect  # type: ignore[attr-defined]


def open_launchpad(
    path: str | os.PathLike[str], name: str = "fireworks", *, durability: Durability = "FULL"
) -> "LaunchPad":
    """Return a LaunchPad on the store at a path, after activating it; its database is `name`."""
    activate(path, durability=durability)
    from fireworks import LaunchPad

    return LaunchPad(host=str(path), name=name)
