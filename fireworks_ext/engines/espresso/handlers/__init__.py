"""Handlers that repair failing calculations of Quantum ESPRESSO under custodian.

One class per failure. Each has a `ladder` of remedies, cheapest first; it acts when its failure is
the cause of the last run's end, applies the first remedy that still applies, and returns what it
changed as data. What it changed stands in `recovery.json` in the run directory as well, so that no
remedy is applied more often than its limit. Keywords that are protected are never touched.

They need the text of the input (`pw.in`, `ph.in`, `neb.in`), the text output beside it (`pw.out`
...) and the directory, and work for any job of custodian that runs there::

    import subprocess
    from custodian.custodian import Custodian, Job
    from fireworks_ext.engines.espresso.handlers import handlers_for

    class PwJob(Job):
        def setup(self, directory="./"): ...
        def run(self, directory="./"):
            return subprocess.Popen("pw.x -in pw.in > pw.out 2> pw.err", shell=True, cwd=directory)
        def postprocess(self, directory="./"): ...

    handlers = handlers_for("scf", protected=["ecutwfc", "degauss"])
    Custodian(handlers, [PwJob()], max_errors=20, directory="run",
              terminate_on_nonzero_returncode=False).run()

(pw.x ends with other codes than 0 for what can be repaired, hence the last argument.)

`LADDERS` maps each failure to its remedies, for documentation. Failures that no change of the
calculation repairs (a pseudopotential that is missing, an input that is refused) have no handler.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from fireworks_ext.engines.espresso.handlers import (
    diagonalisation,
    machine,
    phonons,
    relaxation,
    self_consistency,
)
from fireworks_ext.engines.espresso.handlers.handler import EspressoHandler
from fireworks_ext.engines.espresso.handlers.record import corrections, record
from fireworks_ext.engines.espresso.handlers.remedy import Remedy
from schemas.failure import FailureName

if TYPE_CHECKING:
    from schemas.protocols import Continuation

__all__ = ["HANDLERS", "LADDERS", "EspressoHandler", "corrections", "handlers_for", "record"]

HANDLERS: tuple[type[EspressoHandler], ...] = (
    *self_consistency.HANDLERS,
    *diagonalisation.HANDLERS,
    *relaxation.HANDLERS,
    *machine.HANDLERS,
)
"""The handlers of pw.x."""

OTHERS: Mapping[str, tuple[type[EspressoHandler], ...]] = MappingProxyType(
    {"phonon": phonons.OF_PHONONS, "path": phonons.OF_PATHS}
)
"""Those that other programs need beside them, by task: ph.x and neb.x."""

LADDERS: Mapping[FailureName, tuple[Remedy, ...]] = MappingProxyType(
    {
        handler.failure: handler.ladder
        for handler in (*HANDLERS, *(one for some in OTHERS.values() for one in some))
    }
)
"""What is done about each failure that can be repaired, cheapest first."""


def handlers_for(
    task: str, protected: Iterable[str] = (), continuation: Continuation | None = None
) -> tuple[EspressoHandler, ...]:
    """Return the handlers of a calculation.

    Parameters
    ----------
    task
        What pw.x calls `calculation`, or `phonon` (ph.x), or `path` (neb.x).
    protected
        Keywords, or fields of this project's params, that no handler may change.
    continuation
        How a run goes on from the state that it left; see `EspressoHandler`.
    """
    names = tuple(protected)
    return tuple(one(names, continuation) for one in (*HANDLERS, *OTHERS.get(task, ())))
