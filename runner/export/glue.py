"""The tables of a lake in AWS Glue, where Athena finds them: columns only ever come to be.

A partition is swapped by one UpdatePartition: a query sees the old version or the new one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from runner.export.address import LakeAddress
from runner.export.clients import LakeUnreachable, client, error_code, told
from runner.export.glue_shapes import (
    GlueColumn,
    glue_column,
    lake_columns,
    partition_input,
    partition_values,
    table_input,
)
from runner.export.manifest import Manifest, Partition
from schemas.columns import GLUE_TYPES
from schemas.errors import UserError
from schemas.tables import PARTITIONS

MOST_GOT = 1000  # BatchGetPartition: partitions per request
MOST_CREATED = 100  # BatchCreatePartition: partitions per request
_TRIES = 8
_WAIT_S = 0.1
_LOST = {"ConcurrentModificationException", "AlreadyExistsException", "VersionMismatchException"}


class GlueTables:
    """The database over a lake. All of it may be done again without harm."""

    def __init__(self, address: LakeAddress) -> None:
        if address.database is None:
            raise UserError(f"{address.url}: `export.glue` is false; there is no database")
        self.database = address.database
        self._address = address
        self._place = f"Glue database {self.database}"
        self._glue = client("glue", self._place)

    def update(self, manifest: Manifest, campaign: str | None = None) -> int:
        """Make tables and partitions (of one campaign) what the manifest says; return swaps.

        Raises
        ------
        UserError
            When a column would change its type, or Glue does not answer.
        """
        swapped = 0
        with told(self._place):
            self._make_database()
            for table in PARTITIONS:
                entries = [one for one in manifest.partitions.values() if one.table == table]
                columns = self._make_table(table, entries)
                mine = [one for one in entries if campaign in {None, one.values["campaign"]}]
                self._refuse_changes(table, mine, columns)
                swapped += self._make_partitions(table, mine, columns)
        return swapped

    def folders(self, manifest: Manifest) -> set[str]:
        """Return the folders to which Glue's partitions point: they may be read."""
        found: set[str] = set()
        root = self._address.location("")[:-1]
        with told(self._place):
            for table in {one.table for one in manifest.partitions.values()}:
                pages = self._glue.get_paginator("get_partitions")
                for page in pages.paginate(
                    DatabaseName=self.database, TableName=table, ExcludeColumnSchema=True
                ):
                    for one in page["Partitions"]:
                        location = one["StorageDescriptor"]["Location"]
                        found.add(location.removeprefix(root).strip("/"))
        return found

    def put_view(self, name: str, table_input: Mapping[str, Any]) -> None:
        """Create a view, or replace it."""
        with told(self._place):
            self._make_database()
            known = self._table(name)
            if known is not None and known.get("TableType") != "VIRTUAL_VIEW":
                raise UserError(f"{self._place}: '{name}' is a table, and a view here; remove it")
            if known is None:
                self._glue.create_table(DatabaseName=self.database, TableInput=table_input)
            elif known.get("ViewOriginalText") != table_input["ViewOriginalText"]:
                self._glue.update_table(DatabaseName=self.database, TableInput=table_input)

    def _make_database(self) -> None:
        from botocore.exceptions import ClientError

        try:
            self._glue.get_database(Name=self.database)
        except ClientError as error:
            if error_code(error) != "EntityNotFoundException":
                raise
            description = f"Campaigns of materials calculations, published in {self._address.url}."
            new = {"Name": self.database, "Description": description}
            self._again(lambda: self._glue.create_database(DatabaseInput=new))

    def _make_table(self, table: str, entries: Sequence[Partition]) -> list[GlueColumn]:
        """Add what the table lacks; return its columns.

        What others add at the same time stays: the update names the version that it was made from,
        and what came of it is read again, as not every catalog looks at versions.
        """
        for _ in range(_TRIES):
            known = self._table(table)
            before = [] if known is None else known["StorageDescriptor"]["Columns"]
            if known is not None:
                self._refuse_foreign(table, known)
            columns = self._merged(table, before, entries)
            new = table_input(self._address, table, columns)
            if known is None:
                self._again(
                    lambda new=new: self._glue.create_table(  # type: ignore[misc]  # bound now
                        DatabaseName=self.database, TableInput=new
                    )
                )
            elif columns == before and known.get("Parameters", {}).items() >= (
                new["Parameters"].items()
            ):
                return columns
            else:
                version = {"VersionId": known["VersionId"]} if "VersionId" in known else {}
                self._again(
                    lambda new=new, version=version: self._glue.update_table(  # type: ignore[misc]
                        DatabaseName=self.database, TableInput=new, SkipArchive=True, **version
                    )
                )
        raise LakeUnreachable(f"{self._place}: others keep changing table '{table}'; export again")

    def _make_partitions(
        self, table: str, entries: Sequence[Partition], columns: list[GlueColumn]
    ) -> int:
        """Point partitions at their current versions; return how many did not yet."""
        known = self._known(table, entries)
        missing, moved = [], []
        for entry in entries:
            values = partition_values(entry)
            if values not in known:
                missing.append(entry)
            elif known[values] != self._address.location(entry.folder):
                moved.append(entry)
        for some in _groups(missing, MOST_CREATED):
            answer = self._glue.batch_create_partition(
                DatabaseName=self.database,
                TableName=table,
                PartitionInputList=[partition_input(self._address, one, columns) for one in some],
            )
            for failed in answer.get("Errors", ()):
                if failed["ErrorDetail"]["ErrorCode"] == "AlreadyExistsException":
                    values = tuple(failed["PartitionValues"])
                    moved += [one for one in some if partition_values(one) == values]
                else:
                    raise LakeUnreachable(f"{self._place}: {failed['ErrorDetail']}")
        for entry in moved:
            self._glue.update_partition(
                DatabaseName=self.database,
                TableName=table,
                PartitionValueList=list(partition_values(entry)),
                PartitionInput=partition_input(self._address, entry, columns),
            )
        return len({id(one) for one in (*missing, *moved)})

    def _known(self, table: str, entries: Sequence[Partition]) -> dict[tuple[str, ...], str]:
        """Return the locations of those partitions that there are."""
        found: dict[tuple[str, ...], str] = {}
        for some in _groups(list(entries), MOST_GOT):
            asked: list[Any] = [{"Values": list(partition_values(one))} for one in some]
            while asked:
                answer = self._glue.batch_get_partition(
                    DatabaseName=self.database, TableName=table, PartitionsToGet=asked
                )
                for one in answer["Partitions"]:
                    found[tuple(one["Values"])] = one["StorageDescriptor"]["Location"]
                asked = answer.get("UnprocessedKeys", [])
        return found

    def _merged(
        self, table: str, before: Sequence[GlueColumn], entries: Sequence[Partition]
    ) -> list[GlueColumn]:
        """Return the columns that there are, in their order, and new ones after them."""
        wanted = {column.name: column for column in lake_columns(table, entries)}
        merged = []
        for old in before:
            column = wanted.pop(old["Name"], None)
            if column is None:
                merged.append(old)
                continue
            self._refuse_change(table, column.name, old["Type"], GLUE_TYPES[column.type])
            merged.append({**old, **glue_column(column)})
        return [*merged, *(glue_column(column) for column in wanted.values())]

    def _refuse_changes(
        self, table: str, entries: Sequence[Partition], columns: Sequence[GlueColumn]
    ) -> None:
        """Raise UserError where files have a column with another type than the table."""
        types = {one["Name"]: one["Type"] for one in columns}
        for entry in entries:
            for name, kind in entry.columns:
                self._refuse_change(table, name, types[name], GLUE_TYPES[kind])

    def _refuse_change(self, table: str, column: str, known: str, here: str) -> None:
        if known != here:
            raise UserError(
                f"{self._place}: column '{column}' of table '{table}' is {known}, and {here} here; "
                "a column never changes its type: give it another name, or publish into another "
                "prefix and database"
            )

    def _refuse_foreign(self, table: str, known: Mapping[str, Any]) -> None:
        location = known["StorageDescriptor"].get("Location", "").rstrip("/")
        mine = self._address.location(table).rstrip("/")
        if location != mine:
            raise UserError(
                f"{self._place}: table '{table}' lies at {location} and not at {mine}; name "
                "another database in `export.glue.database`"
            )

    def _table(self, name: str) -> dict[str, Any] | None:
        from botocore.exceptions import ClientError

        try:
            found = self._glue.get_table(DatabaseName=self.database, Name=name)
        except ClientError as error:
            if error_code(error) == "EntityNotFoundException":
                return None
            raise
        table: dict[str, Any] = found["Table"]
        return table

    def _again(self, change: Callable[[], Any]) -> None:
        """Make a change; one that lost to another is looked at again by who asked for it."""
        from botocore.exceptions import ClientError

        try:
            change()
        except ClientError as error:
            if error_code(error) not in _LOST:
                raise
            time.sleep(_WAIT_S)


def _groups(entries: list[Partition], size: int) -> Iterator[list[Partition]]:
    for start in range(0, len(entries), size):
        yield entries[start : start + size]
