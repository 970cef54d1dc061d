"""Runs jobs on this machine: a pool of long-lived workers that never share a core.

What a campaign file sets is `LocalParams`; the workers' body is any function, named by its path.
"""

from pathlib import Path

from launchers.local.interrupts import Interrupts, signals
from launchers.local.params import LocalParams, TooManyCores
from launchers.local.pool import Pool, PoolFailed
from launchers.local.slots import WorkerDeath
from launchers.local.worker import WorkerContext
from schemas.model import JsonValue

__all__ = [
    "Interrupts",
    "LocalLauncher",
    "LocalParams",
    "Pool",
    "PoolFailed",
    "TooManyCores",
    "WorkerContext",
    "WorkerDeath",
    "plugin",
    "signals",
]


class LocalLauncher:
    """`launcher: {kind: local}`."""

    params = LocalParams

    def pool(
        self,
        params: LocalParams,
        target: str,
        arguments: dict[str, JsonValue],
        *,
        lock_folder: Path,
        log: Path | None = None,
    ) -> Pool:
        """Return a pool that is not started yet; see `Pool`."""
        return Pool(params, target, arguments, lock_folder=lock_folder, log=log)


plugin = LocalLauncher()
