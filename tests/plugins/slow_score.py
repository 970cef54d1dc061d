"""A score that takes its time and writes down every row that it computes."""

import os
import time
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
from pydantic import Field

from runner.crystal.cells import from_arrow
from schemas.columns import Column
from schemas.errors import UserError
from schemas.model import Model
from schemas.protocols import Scorer, Surroundings


class SlowVolumeParams(Model):
    """Where it writes, and on what it breaks."""

    diary: str = Field(default="", description="File that gets a line per computed row.")
    row_s: float = Field(default=0.002, description="Time of a row, in s.")
    breaks_on: tuple[str, ...] = Field(default=(), description="Elements on which it breaks.")
    dies_on: str = Field(default="", description="Element on which its process ends.")
    missing: bool = Field(default=False, description="Say that a package is missing.")


class SlowVolume:
    """The volume of the cell."""

    params = SlowVolumeParams
    version = 1

    def columns(self, params: SlowVolumeParams) -> tuple[Column, ...]:
        return (Column("slow_volume_ang3", "float", "Volume.", "ang3"),)

    def requires(self, params: SlowVolumeParams) -> tuple[str, ...]:
        return ("structure",)

    def seconds(self, params: SlowVolumeParams) -> float:
        return params.row_s

    def files(self, params: SlowVolumeParams, surroundings: Surroundings) -> Mapping[str, str]:
        return {}

    def scorer(self, params: SlowVolumeParams, surroundings: Surroundings) -> Scorer:
        if params.missing:
            raise UserError("slow-volume needs a package that is not there")

        def score(batch: pa.RecordBatch) -> pa.RecordBatch:
            cells = from_arrow(batch["structure"])
            for cell in cells:
                if params.dies_on in cell.species:
                    os._exit(9)
                if set(params.breaks_on) & set(cell.species):
                    raise ZeroDivisionError("no such volume")
            time.sleep(params.row_s * len(cells))
            if params.diary:
                with Path(params.diary).open("a") as diary:
                    diary.write("".join(f"{cell.formula} {os.getpid()}\n" for cell in cells))
            return pa.record_batch(
                {
                    "slow_volume_ang3": pa.array(
                        [cell.volume_ang3 for cell in cells], pa.float64()
                    ),
                    "note": pa.nulls(len(cells), pa.string()),
                    "error": pa.nulls(len(cells), pa.string()),
                }
            )

        return score


plugin = SlowVolume()
