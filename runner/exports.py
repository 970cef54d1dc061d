"""`campaign export`: a campaign's tables brought up to date and published where one says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from runner.export.address import LakeAddress, lake_from, lake_of
from runner.export.mirror import Mirrored, mirror
from runner.export.sending import KEEP_OLD_VERSIONS_S
from schemas.errors import UserError
from schemas.export import Export, Glue
from schemas.model import Model

if TYPE_CHECKING:
    from fireworks_ext.store import Store
    from runner.place import Place


class ExportReport(Model):
    """What an export did."""

    to: str = Field(description="Folder, or s3://bucket/prefix.")
    database: str | None = Field(description="Glue database; null for none.")
    written: tuple[str, ...] = Field(description="Partitions that are new or have changed.")
    unchanged: int = Field(ge=0, description="Partitions that were there already.")
    views: tuple[str, ...] = Field(default=(), description="Views made in Glue.")


def export(
    place: Place,
    store: Store | None,
    campaign: str,
    *,
    configured: LakeAddress | None = None,
    to: str | None = None,
    database: str | None = None,
    glue: bool = True,
    views: bool = False,
) -> ExportReport:
    """Publish what the ledger and the last screening have; return what was new.

    Parameters
    ----------
    configured
        Where the campaign file sends tables in S3; without it, what the store or folder knows.
    to
        Folder or s3://bucket/prefix, before `configured`.
    database, glue
        The Glue database for S3, and whether there is one.

    Raises
    ------
    UserError
        When there is nothing of that campaign, or the tables cannot be written.
    """
    document = store.campaigns.find_one({"_id": campaign}) if store is not None else None
    if to is None:
        address = configured or _known_lake(place, document)
    else:
        address = _lake_at(to, database, glue=glue)
    root = _folder(place, document)
    _bring_up_to_date(store, document, campaign, root)
    if address is not None:
        report = _to_lake(root, address, campaign, views=views)
        _remember(place, address)
        return report
    if views:
        raise UserError("--views: views are made in Glue, over tables in s3://; or --print-views")
    if database is not None:
        raise UserError("--database: it is one of Glue, over tables in s3://; name such a place")
    folder = Path(to).absolute() if to is not None else root
    try:
        done = _to_folder(root, folder, campaign)
    except OSError as error:
        raise UserError(f"--to: the tables cannot be written to {folder}: {error}") from error
    return ExportReport(
        to=str(folder), database=None, written=done.written, unchanged=done.unchanged
    )


def _known_lake(place: Place, document: dict[str, Any] | None) -> LakeAddress | None:
    """Return the lake that a campaign's run, or what was screened, goes to; None for a folder."""
    from runner.export.lake import remembered

    return lake_from(document.get("lake")) if document else remembered(place.tables)


def _lake_at(to: str, database: str | None, *, glue: bool) -> LakeAddress | None:
    """Return the lake at an address; None for a folder."""
    try:
        return lake_of(Export(to=to, glue=Glue(database=database) if glue else False))
    except ValidationError as error:
        raise UserError(f"--to, --database: {error.errors()[0]['msg']}") from error


def _folder(place: Place, document: dict[str, Any] | None) -> Path:
    """Return the folder of a campaign's own tables: on this machine, or a new one."""
    kept = Path(str(document["tables"])) if document else place.tables
    return kept if kept.is_dir() else place.tables


def _bring_up_to_date(
    store: Store | None, document: dict[str, Any] | None, campaign: str, root: Path
) -> None:
    from runner.export.manifest import read_manifest
    from runner.publication import Publisher

    if document is not None and store is not None:
        Publisher(store, campaign, root, sends=False).publish()
    elif not any(
        one.values["campaign"] == campaign for one in read_manifest(root).partitions.values()
    ):
        raise UserError(
            f"there is no campaign '{campaign}' in the store, and no screening of it in {root}; "
            "`campaign run SPEC.yaml` or `campaign screen SPEC.yaml` makes them"
        )


def _to_folder(root: Path, folder: Path, campaign: str) -> Mirrored:
    from runner.export.manifest import read_manifest
    from runner.export.parquet import collect
    from runner.export.target import LocalFolder

    if folder.resolve() == root.resolve():
        partitions = read_manifest(root).partitions.values()
        return Mirrored((), sum(one.values["campaign"] == campaign for one in partitions))
    done = mirror(root, LocalFolder(folder), campaign)
    collect(folder, KEEP_OLD_VERSIONS_S)
    return done


def _remember(place: Place, address: LakeAddress) -> None:
    """Keep a lake that was named by hand, so that `campaign sql --cloud` knows it."""
    from runner.export.lake import remember, remembered

    side = address.side(place.data)
    if remembered(side) is None:
        remember(side, address)


def _to_lake(root: Path, address: LakeAddress, campaign: str, *, views: bool) -> ExportReport:
    from runner.export.lake import Lake

    lake = Lake(address)
    made: tuple[str, ...] = ()
    done = lake.send(root, campaign)
    lake.collect(KEEP_OLD_VERSIONS_S)
    if views:
        if lake.glue is None:
            raise UserError("--views: views are made in Glue, and `export.glue` is false")
        from runner.export.views import put_views

        made = put_views(lake.glue)
    return ExportReport(
        to=address.url,
        database=address.database,
        written=done.written,
        unchanged=done.unchanged,
        views=made,
    )
