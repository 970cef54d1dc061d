"""What is known of EC2's instance types without AWS; source and date: `instance_types.csv`."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("instance_types.csv")


@dataclass(frozen=True, slots=True)
class InstanceType:
    """One instance type."""

    name: str
    architecture: str
    cores: int
    """Physical ones: with one thread each."""
    vcpus: int
    memory_gib: float
    efa: bool
    """Whether it has an Elastic Fabric Adapter, AWS's network for MPI."""
    spot: bool
    """Whether it is offered as spot instance."""

    @property
    def family(self) -> str:
        """The part of the name before the dot."""
        return self.name.partition(".")[0]


@cache
def instance_types() -> Mapping[str, InstanceType]:
    """Return the table by name, read once; within a family the small ones come first."""
    with TABLE.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    return {row["instance_type"]: _read(row) for row in rows}


def with_efa(family: str) -> tuple[str, ...]:
    """Return the types of a family that have EFA."""
    return tuple(one.name for one in instance_types().values() if one.family == family and one.efa)


def _read(row: Mapping[str, str]) -> InstanceType:
    return InstanceType(
        name=row["instance_type"],
        architecture=row["architecture"],
        cores=int(row["cores"]),
        vcpus=int(row["vcpus"]),
        memory_gib=float(row["memory_gib"]),
        efa=row["efa"] == "yes",
        spot=row["spot"] == "yes",
    )
