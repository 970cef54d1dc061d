"""Structures as an Arrow array: how scores are given cells, many at a time and without objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.crystal.elements import ATOMIC_NUMBERS, SYMBOLS, symbol_problem
from schemas.structure import Structure

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


def cell_type() -> pa.DataType:
    """Return the Arrow type of a cell.

    `lattice_ang` holds the vectors a, b, c one after the other, `numbers` the atomic number of each
    site, `frac_coords` three numbers per site, `moments_bohr` is null where none are given.
    """
    import pyarrow as pa

    return pa.struct(
        [
            pa.field("lattice_ang", pa.list_(pa.float64(), 9)),
            pa.field("numbers", pa.list_(pa.uint8())),
            pa.field("frac_coords", pa.list_(pa.float64())),
            pa.field("moments_bohr", pa.list_(pa.float64())),
            pa.field("charge", pa.float64()),
        ]
    )


def to_arrow(structures: Sequence[Structure]) -> pa.StructArray:
    """Return structures as an array of `cell_type`.

    Raises
    ------
    ValueError
        For a species that is no element.
    """
    import pyarrow as pa

    return pa.array([cell_row(one) for one in structures], cell_type())


def cell_row(structure: Structure) -> dict[str, Any]:
    """Return one structure as a value of `cell_type`. Raises ValueError like `to_arrow`."""
    if problem := symbol_problem(structure.species):
        raise ValueError(problem)
    return {
        "lattice_ang": [x for vector in structure.lattice_ang for x in vector],
        "numbers": [ATOMIC_NUMBERS[symbol] for symbol in structure.species],
        "frac_coords": [x for position in structure.frac_coords for x in position],
        "moments_bohr": structure.moments_bohr,
        "charge": structure.charge,
    }


def from_arrow(cells: pa.StructArray) -> list[Structure]:
    """Return the structures of an array of `cell_type` without nulls."""
    return [
        Structure.model_construct(
            lattice_ang=_vectors(row["lattice_ang"]),
            species=tuple(SYMBOLS[number - 1] for number in row["numbers"]),
            frac_coords=_vectors(row["frac_coords"]),
            moments_bohr=None if row["moments_bohr"] is None else tuple(row["moments_bohr"]),
            charge=row["charge"],
        )
        for row in cells.to_pylist()
    ]


def _vectors(flat: Sequence[float]) -> Any:
    return tuple(zip(flat[::3], flat[1::3], flat[2::3], strict=True))


@dataclass(frozen=True)
class CellArrays:
    """Cells as numpy arrays, sites of all end to end.

    `lattices_ang` has the shape (cells, 3, 3), vectors as rows; `numbers` (sites,);
    `frac_coords` (sites, 3); the sites of cell i are `starts[i]` to `starts[i + 1]`.
    """

    lattices_ang: NDArray[np.float64]
    numbers: NDArray[np.uint8]
    frac_coords: NDArray[np.float64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lattices_ang)

    def one(self, index: int) -> tuple[NDArray[np.float64], NDArray[np.uint8], NDArray[np.float64]]:
        """Return lattice, atomic numbers and fractional coordinates of one cell."""
        sites = slice(self.starts[index], self.starts[index + 1])
        return self.lattices_ang[index], self.numbers[sites], self.frac_coords[sites]


def arrays(cells: pa.StructArray) -> CellArrays:
    """Return the numbers of an array of `cell_type` without nulls, copying little."""
    import numpy as np

    lattices, numbers, frac = (
        cells.field(name) for name in ("lattice_ang", "numbers", "frac_coords")
    )
    offsets = numbers.offsets.to_numpy().astype(np.int64)
    return CellArrays(
        lattices_ang=lattices.flatten().to_numpy(zero_copy_only=False).reshape(-1, 3, 3),
        numbers=numbers.flatten().to_numpy(zero_copy_only=False),
        frac_coords=frac.flatten().to_numpy(zero_copy_only=False).reshape(-1, 3),
        starts=offsets - offsets[0],
    )
