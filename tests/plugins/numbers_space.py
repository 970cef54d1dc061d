"""A space of numbers, and a score of their digits: screenings whose verdicts are plain to see."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from runner.crystal.cells import from_arrow
from runner.screening import Screening
from runner.screening_table import Source
from runner.selection import Step
from schemas.candidate import Candidate
from schemas.columns import Column
from schemas.errors import UserError
from schemas.expressions import parse
from schemas.model import Model
from schemas.protocols import Scorer, Surroundings
from schemas.structure import Structure


class NumbersParams(Model):
    """How many candidates, of how many different cells."""

    n: int
    cells: int = 10**6
    unbuildable: tuple[int, ...] = ()


class Numbers:
    """Candidates 0, 1, 2, ... whose cell is as long as their number modulo `cells`."""

    params: type[Model] = NumbersParams

    def columns(self, params: NumbersParams) -> tuple[Column, ...]:
        return (Column("number", "int", "The number."),)

    def count(self, params: NumbersParams, surroundings: Surroundings) -> int:
        return params.n

    def candidates(
        self,
        params: NumbersParams,
        surroundings: Surroundings,
    ) -> Iterator[Candidate]:
        def build(number: int) -> Structure:
            if number in params.unbuildable:
                raise UserError(f"{number} cannot be built")
            length = 3.0 + number % params.cells
            return Structure(
                lattice_ang=((length, 0.0, 0.0), (0.0, 3.0, 0.0), (0.0, 0.0, 3.0)),
                species=("Cu",),
                frac_coords=((0.0, 0.0, 0.0),),
            )

        for number in range(params.n):
            yield Candidate(
                generator="numbers",
                choice={"number": number},
                composition={"Cu": 1},
                build=lambda number=number: build(number),  # type: ignore[misc]  # this turn's number
                formula="Cu",
                extra={"number": number},
            )


class DigitParams(Model):
    """Numbers without a value, and numbers on which the score fails."""

    modulus: int = 10
    null: tuple[int, ...] = ()
    failing: tuple[int, ...] = ()
    reads: str = "number"


class Digit:
    """The remainder of the number; `of_cell` reads the cell instead."""

    params: type[Model] = DigitParams
    version = 1

    def columns(self, params: DigitParams) -> tuple[Column, ...]:
        return (Column("digit", "float", "Remainder."),)

    def requires(self, params: DigitParams) -> tuple[str, ...]:
        return (params.reads,)

    def seconds(self, params: DigitParams) -> float:
        return 1e-6

    def files(self, params: DigitParams, surroundings: Surroundings) -> dict[str, str]:
        return {}

    def scorer(self, params: DigitParams, surroundings: Surroundings) -> Scorer:
        def score(batch: pa.RecordBatch) -> pa.RecordBatch:
            if params.reads == "structure":
                cells = from_arrow(batch["structure"])
                numbers = [round(cell.lattice_ang[0][0] - 3.0) for cell in cells]
            else:
                numbers = batch["number"].to_pylist()
            bad = {*params.null, *params.failing}
            return pa.record_batch(
                {
                    "digit": pa.array(
                        # NaN is what careless scores return for "unknown".
                        [float("nan") if n in bad else float(n % params.modulus) for n in numbers]
                    ),
                    "note": pa.array(
                        ["no digit" if n in params.null else None for n in numbers], pa.string()
                    ),
                    "error": pa.array(
                        ["division failed" if n in params.failing else None for n in numbers],
                        pa.string(),
                    ),
                }
            )

        return score


def digit(label: str = "digit", **options: Any) -> Step:
    params = DigitParams.model_validate(options.pop("params", {}))
    keep = options.pop("keep", None)
    return Step(
        label=label,
        score="digit",
        plugin=Digit(),
        params=params,
        keep=parse(keep) if keep else None,
        **options,
    )


def screening(*steps: Step, folder: Path | None = None, seed: int = 7, **options: Any) -> Screening:
    batch_rows = options.pop("batch_rows", 8)
    shard_rows = options.pop("shard_rows", 10)
    progress = options.pop("progress", None)
    fraction = options.pop("fraction", 1.0)
    return Screening(
        sources=[Source("numbers", Numbers(), NumbersParams(**{"n": 40, **options}))],
        steps=steps,
        campaign="test",
        surroundings=Surroundings(folder=Path(), seed=seed),
        folder=folder,
        batch_rows=batch_rows,
        shard_rows=shard_rows,
        progress=progress,
        fraction=fraction,
    )
