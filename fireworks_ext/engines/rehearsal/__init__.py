"""A rehearsal of pw.x: the espresso engine with a program that replays recorded runs.

Nothing is computed. `plugin` is made when it is asked for: the program below this package starts
in milliseconds, because what it imports from here imports nothing else.
"""

from __future__ import annotations

from functools import cache

TYPE_CHECKING = False  # as typing says it, which takes longer to import than all the rest together
if TYPE_CHECKING:
    from schemas.protocols import Engine


def __getattr__(name: str) -> Engine:
    if name != "plugin":
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return _plugin()


@cache
def _plugin() -> Engine:
    from fireworks_ext.engines.rehearsal.engine import Rehearsal

    return Rehearsal()
