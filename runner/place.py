"""Where a campaign runs and keeps things, with every path absolute: the profile, resolved."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launchers.local import LocalParams
from runner.export.address import lake_of
from runner.load import LoadedCampaign
from runner.settings import data_folder, settings, site
from schemas.errors import UserError
from schemas.location import is_embedded
from schemas.model import JsonValue
from schemas.profile import WINDOW, Site
from schemas.queue import Scheduler
from schemas.registry import launchers


@dataclass(frozen=True)
class Cluster:
    """A queue of jobs, and what is asked of it."""

    block: Mapping[str, JsonValue]
    """As the file has it: `kind` and the launcher's own settings."""
    params: Any
    """Those settings, see `launchers.slurm.params`."""
    scheduler: Scheduler

    @property
    def cores(self) -> int:
        """How many cores a campaign may have at a time."""
        shape = self.params.shape
        return int(self.params.max_jobs * shape.nodes * shape.cores)


@dataclass(frozen=True)
class Place:
    """Everything that depends on the machine and on who runs."""

    data: Path
    store: str
    """In one line, without a password: see schemas/location.py."""
    artefacts: Path
    tables: Path
    locks: Path
    """Locks of this machine's cores, shared by all stores of this user."""
    site: Site
    local: LocalParams
    window: int = WINDOW
    """Fireworks of a campaign that wait or run at a time."""
    cluster: Cluster | None = None
    """Whose queue the campaign's jobs go to; None: this machine computes."""
    lake: str | None = None
    """Where in S3 `tables` are sent to; None: they stay in their folder."""

    def exchange(self, campaign: str) -> Path:
        """Return the folder through which jobs get stages: what sees run directories sees it."""
        chosen = self.cluster.params.exchange if self.cluster else None
        return (chosen or self.artefacts / "exchange") / campaign


def place_of(
    loaded: LoadedCampaign | None,
    *,
    profile: str | None = None,
    store: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Place:
    """Return where a campaign runs, or where the user's campaigns are when none is given.

    Raises
    ------
    UserError
        When a profile does not exist or says something impossible.
    """
    environment = os.environ if environ is None else environ
    chosen = settings(
        loaded.campaign.run if loaded else None,
        folder=loaded.folder if loaded else Path.cwd(),
        environ=environment,
        profile=profile,
        store=store,
    )
    data = data_folder(environment)
    local, cluster = _launcher(chosen.launcher)
    return Place(
        data=data,
        store=str(chosen.store),
        artefacts=chosen.paths.artefacts or data / "artefacts",
        tables=_tables(loaded, data),
        lake=_lake(loaded),
        locks=Path(tempfile.gettempdir()) / f"matcampaign-{os.getuid()}" / "cores",
        site=site(chosen),
        local=local,
        window=chosen.window or max(WINDOW, 3 * cluster.cores if cluster else 0),
        cluster=cluster,
    )


def _launcher(block: Mapping[str, JsonValue]) -> tuple[LocalParams, Cluster | None]:
    own = {key: value for key, value in block.items() if key != "kind"}
    if block["kind"] == "local":
        return LocalParams.model_validate(own), None
    plugin: Any = launchers.get(str(block["kind"]))
    params = plugin.params.model_validate(own)
    return LocalParams(), Cluster(block, params, plugin.scheduler(params))


def _tables(loaded: LoadedCampaign | None, data: Path) -> Path:
    if loaded is None:
        return data / "tables"
    lake = lake_of(loaded.campaign.export)
    if lake is not None:
        return lake.side(data)
    return (loaded.folder / loaded.campaign.export.to).absolute()


def _lake(loaded: LoadedCampaign | None) -> str | None:
    lake = lake_of(loaded.campaign.export) if loaded is not None else None
    return lake.url if lake is not None else None


def has_store(place: Place) -> bool:
    """Tell whether there is a store to open; a server is taken to be there."""
    return not is_embedded(place.store) or Path(place.store).exists()


def require_store(place: Place) -> None:
    """Raise UserError when there is no store yet."""
    if not has_store(place):
        raise UserError(
            f"there is no store at {place.store} yet; `campaign run SPEC.yaml` makes one, or name "
            "another with --store or MATCAMPAIGN_STORE"
        )
