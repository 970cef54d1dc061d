"""`campaign sql --cloud`: which database of AWS Glue holds the user's tables."""

from __future__ import annotations

from collections.abc import Iterator

from runner.export.address import LAKE_FILE, LakeAddress, lake_from
from runner.export.lake import remembered
from runner.place import Place, has_store
from runner.sql.cloud_place import CloudPlace, cloud_place


def find_cloud_place(
    place: Place,
    *,
    database: str | None = None,
    workgroup: str | None = None,
    query_results: str | None = None,
) -> CloudPlace:
    """Return where Athena is asked, see `cloud_place`.

    Known are lakes of the store's campaigns, and those that this machine has published to or read.
    """
    return cloud_place(
        list(dict.fromkeys(_lakes(place))),
        database=database,
        workgroup=workgroup,
        query_results=query_results,
    )


def _lakes(place: Place) -> Iterator[LakeAddress]:
    if has_store(place):
        from fireworks_ext.store import open_store

        for one in open_store(place.store).campaigns.find({}, {"lake": 1}):
            address = lake_from(one.get("lake"))
            if address is not None:
                yield address
    for file in sorted((place.data / "lakes").rglob(LAKE_FILE)):
        known = remembered(file.parent)
        if known is not None:
            yield known
