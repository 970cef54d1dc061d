"""The screening of a campaign on this machine: where it reads, keeps and publishes what."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Any

from runner.computing import CHUNK_S, FEWEST_ROWS
from runner.export.parquet import adopt
from runner.filter_order import planned
from runner.load import LoadedCampaign
from runner.place import Place
from runner.roster import Roster, write_roster
from runner.score_cache import WORTH_SHARDS_S, is_kept
from runner.screening import BATCH_ROWS, Screening
from runner.selection import Step
from schemas.clock import utc_now
from schemas.errors import UserError
from schemas.model import JsonValue

Progress = Callable[[int, int | None], None]


def screening_of(
    loaded: LoadedCampaign,
    folder: Path | None,
    progress: Progress | None = None,
    *,
    data: Path | None = None,
    workers: int = 1,
) -> Screening:
    """Return the screening that a campaign file asks for.

    Parameters
    ----------
    folder
        Where the screening table goes, or None.
    data
        The user's data folder, in which slow scores, fetched databases and the order of filters
        are kept, or None.
    """
    name = loaded.campaign.campaign
    surroundings = loaded.surroundings
    if data:
        surroundings = replace(surroundings, cache=data / "cache")
    screening = Screening(
        sources=loaded.generators,
        steps=loaded.steps,
        campaign=name,
        surroundings=surroundings,
        folder=folder,
        progress=progress,
        kept=data / "scores" if data else None,
        workers=workers,
        batch_rows=_batch_rows(loaded.steps, workers),
    )
    if loaded.campaign.screening.order == "written":
        return screening
    return planned(screening, data / "screening" / f"{name}.order.json" if data else None)


def _batch_rows(steps: Sequence[Step], workers: int) -> int:
    """Return how many rows go through together: fewer where scores are slow, to tell how it goes.

    Each worker gets two chunks of a batch.
    """
    row_s = sum(
        step.plugin.seconds(step.params)
        for step in steps
        if step.plugin is not None and is_kept(step.plugin, step.params)
    )
    if not row_s:
        return BATCH_ROWS
    return min(BATCH_ROWS, max(FEWEST_ROWS, round(2 * CHUNK_S / row_s)) * workers)


def screen(
    loaded: LoadedCampaign,
    place: Place,
    progress: Progress | None = None,
    *,
    workers: int | None = None,
) -> tuple[Roster, dict[str, Any]]:
    """Screen, publish the screening table, and return who goes on, in a file, and the counts.

    Parameters
    ----------
    workers
        Processes that slow scores may have; by default one for each core that jobs may use.

    Raises
    ------
    UserError
        When another process screens the same campaign, or what came of it cannot be written.
    """
    from launchers.local.params import usable_cores

    name = loaded.campaign.campaign
    folder = place.data / "screening" / name
    if workers is None:
        workers = place.local.seats(len(usable_cores().numbers)) * place.local.cores_per_job
    with _writable(place), _alone(folder):
        screening = screening_of(loaded, folder, progress, data=place.data, workers=workers)
        _compute_in_shards(loaded, place, screening, workers)
        roster = write_roster(_roster_file(folder), screening.survivors(), loaded.steps)
        counts = funnel_of(screening)
        shards = sorted(folder.glob("*.parquet"))
        adopt(place.tables, "screening", {"campaign": name}, shards)
        _write_counts(folder, {**counts, "tables": str(place.tables)})
    return roster, counts


def _compute_in_shards(
    loaded: LoadedCampaign, place: Place, screening: Screening, workers: int
) -> None:
    """Have workers compute slow scores, where that is asked for or worth it."""
    wish = loaded.campaign.screening.shards
    slow = [
        step.plugin.seconds(step.params)
        for step in screening.steps
        if step.plugin is not None and is_kept(step.plugin, step.params)
    ]
    total = screening.total()
    quick = total is not None and total * sum(slow) / workers < WORTH_SHARDS_S
    if not slow or wish == "never" or (wish == "auto" and quick):
        return
    from fireworks_ext.store import open_store
    from launchers.local import Pool
    from runner.score_shards import ShardedScores

    name = loaded.campaign.campaign
    folder = place.data / "screening" / f"{name}.shards"
    arguments: dict[str, JsonValue] = {
        "store": place.store,
        "screening": name,
        "folder": str(place.data / "launches"),
    }
    ShardedScores(
        screening,
        open_store(place.store),
        folder,
        lambda: Pool(place.local, "runner.score_shards:serve", arguments, lock_folder=place.locks),
        workers=workers,
        worth_s=0.0 if wish == "always" else WORTH_SHARDS_S,
    ).compute()


def funnel_of(screening: Screening) -> dict[str, Any]:
    """Return a screening's counts as the campaign's document holds them."""
    funnel = screening.funnel
    steps = [asdict(step) for step in funnel.steps]
    return {
        "enumerated": funnel.enumerated,
        "survivors": funnel.survivors,
        "filters": [{"step": step.pop("label"), **step} for step in steps],
    }


def last_counts(place: Place, campaign: str) -> dict[str, Any]:
    """Return the counts of a campaign's last screening. Raises UserError where there is none."""
    path = _counts_file(place.data / "screening" / campaign)
    if not path.exists():
        raise UserError(
            f"campaign '{campaign}' was not screened here yet; `campaign screen SPEC.yaml` or "
            "`campaign run SPEC.yaml` does it"
        )
    try:
        counts: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {error}; screen the campaign again") from error
    return counts


def tables_of(place: Place) -> list[str]:
    """Return the folders to which screenings on this machine published their tables."""
    found = []
    for path in sorted((place.data / "screening").glob("*.funnel.json")):
        with suppress(OSError, ValueError):  # half a file: the next screening writes it again
            found.append(json.loads(path.read_text()).get("tables"))
    return [one for one in found if one]


def _roster_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.survivors.jsonl")


def _counts_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.funnel.json")


def _write_counts(folder: Path, counts: dict[str, Any]) -> None:
    path = _counts_file(folder)
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps({**counts, "screened_at": utc_now().isoformat()}))
    part.replace(path)


@contextmanager
def _writable(place: Place) -> Iterator[None]:
    """Say so where there is no room, or no right, to write."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"the screening cannot be written to {place.data} and {place.tables}: {error}; "
            "MATCAMPAIGN_DATA_DIR names another data folder, `export.to` another one for tables"
        ) from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others from screening the same campaign at the same time."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except OSError as error:
            raise UserError(
                f"campaign '{folder.name}' is being screened by another process on this machine; "
                "wait for it"
            ) from error
        yield
