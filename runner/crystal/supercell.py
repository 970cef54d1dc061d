"""Supercells: their size as users give it, and the cell repeated."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import TYPE_CHECKING, Self, TypeAlias

from pydantic import ConfigDict, Field, field_validator, model_validator

from schemas.model import Model
from schemas.structure import Structure, Vector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IntRow: TypeAlias = tuple[int, int, int]
Matrix: TypeAlias = tuple[IntRow, IntRow, IntRow]
IDENTITY: Matrix = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
MOST_ATOMS = 100_000
"""Supercells beyond this are refused: no stage of a campaign takes them."""
_ROUNDING = 1e-9
"""Widths count as reached when they miss the target by so much of a repeat."""


class SupercellSize(Model):
    """How a cell is repeated: exactly one of three ways."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"matrix": [2, 2, 2]}, {"min_length_ang": 10.0}]}
    )

    matrix: IntRow | Matrix | None = Field(
        default=None,
        description="Repeats along the three cell vectors: [2, 2, 2]; or three rows of whole "
        "numbers, the new vectors in the old ones: [[-1, 1, 1], [1, -1, 1], [1, 1, -1]].",
    )
    n_atoms: int | None = Field(
        default=None,
        ge=1,
        description="The most atoms: of all repeats along the three cell vectors within it, the "
        "one whose periodic images are farthest apart. A larger cell stays as it is.",
    )
    min_length_ang: float | None = Field(
        default=None,
        gt=0.0,
        lt=1000.0,
        description="The least distance between opposite faces, in angstrom: the smallest "
        "repeats along the three cell vectors that reach it.",
    )

    @field_validator("matrix", mode="before")
    @classmethod
    def _whole(cls, matrix: object) -> object:
        # One message in place of one for each number and each way of giving a matrix.
        if matrix is not None and not (_three(matrix, _is_whole) or _three(matrix, _is_row)):
            raise ValueError("expected three whole numbers, [2, 2, 2], or three rows of them")
        return matrix

    @field_validator("matrix")
    @classmethod
    def _spans(cls, matrix: IntRow | Matrix | None) -> IntRow | Matrix | None:
        if matrix is not None and determinant(whole_matrix(matrix)) < 1:
            raise ValueError(
                f"its determinant is {determinant(whole_matrix(matrix))}, expected 1 or more: "
                "how many times larger the supercell is"
            )
        return matrix

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [name for name in SupercellSize.model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                "give exactly one of matrix, n_atoms and min_length_ang; "
                f"found {' and '.join(given) or 'none'}"
            )
        return self

    def fixed(self) -> Matrix | None:
        """Return the matrix where it is the same for every cell, else None."""
        return None if self.matrix is None else whole_matrix(self.matrix)

    def matrix_of(self, structure: Structure) -> Matrix:
        """Return the matrix for a cell."""
        if self.matrix is not None:
            return whole_matrix(self.matrix)
        if self.min_length_ang is not None:
            return _diagonal(_repeats_to(structure, self.min_length_ang))
        return _diagonal(_repeats_within(structure, self.n_atoms or 1))


def whole_matrix(matrix: IntRow | Matrix) -> Matrix:
    """Return three repeats as a diagonal matrix; a matrix as it is."""
    first, second, third = matrix
    if isinstance(first, int) and isinstance(second, int) and isinstance(third, int):
        return _diagonal((first, second, third))
    return matrix  # type: ignore[return-value]  # the other branch of the union


def determinant(matrix: Matrix) -> int:
    """Return how many times larger the supercell is."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def widths_ang(structure: Structure) -> tuple[float, float, float]:
    """Return the distances between opposite faces of the cell, in angstrom."""
    import numpy as np

    # A row of the inverse's transpose is as long as the faces are narrow.
    inverse = np.linalg.inv(np.array(structure.lattice_ang))
    x, y, z = (float(width) for width in 1.0 / np.linalg.norm(inverse, axis=0))
    return x, y, z


def repeated(structure: Structure, matrix: Matrix) -> Structure:
    """Return the supercell: the images of a site one after the other, in the order of the sites.

    Moments go with their sites; the charge grows with the cell.

    Raises
    ------
    ValueError
        When it would have more than `MOST_ATOMS` atoms.
    """
    import numpy as np

    size = determinant(matrix)
    if size * structure.n_atoms > MOST_ATOMS:
        raise ValueError(f"the supercell has {size * structure.n_atoms} atoms; give a smaller one")
    points = lattice_points(matrix)
    images = np.array(structure.frac_coords)[:, None, :] + points[None, :, :]
    frac = (images.reshape(-1, 3) @ np.linalg.inv(np.array(matrix, dtype=np.float64))) % 1.0
    lattice = np.array(matrix) @ np.array(structure.lattice_ang)
    moments = structure.moments_bohr
    return Structure(
        lattice_ang=(_vector(lattice[0]), _vector(lattice[1]), _vector(lattice[2])),
        species=tuple(symbol for symbol in structure.species for _ in range(size)),
        frac_coords=tuple(_vector(position) for position in frac),
        moments_bohr=None if moments is None else tuple(x for x in moments for _ in range(size)),
        charge=structure.charge * size,
    )


def lattice_points(matrix: Matrix) -> NDArray[np.int64]:
    """Return the points of the old lattice in the new cell, one for each image, shape (size, 3)."""
    from runner.crystal.superlattices import coset_points, hermite_form

    return coset_points(hermite_form(matrix))


def _three(value: object, each: Callable[[object], bool]) -> bool:
    return isinstance(value, list | tuple) and len(value) == 3 and all(map(each, value))  # noqa: PLR2004  (dimensions)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_row(value: object) -> bool:
    return _three(value, _is_whole)


def _diagonal(repeats: IntRow) -> Matrix:
    a, b, c = repeats
    return (a, 0, 0), (0, b, 0), (0, 0, c)


def _repeats_to(structure: Structure, length_ang: float) -> IntRow:
    a, b, c = (max(1, ceil(length_ang / width - _ROUNDING)) for width in widths_ang(structure))
    return a, b, c


def _repeats_within(structure: Structure, n_atoms: int) -> IntRow:
    """Return the repeats whose narrowest width is largest; of equal ones the smallest cell."""
    widths = widths_ang(structure)
    most = max(1, n_atoms // structure.n_atoms)
    best, key = (1, 1, 1), (min(widths), -1)
    for a in range(1, most + 1):
        for b in range(1, most // a + 1):
            # A third repeat beyond what the narrower of the others needs makes nothing wider.
            needed = ceil(min(a * widths[0], b * widths[1]) / widths[2] - _ROUNDING)
            c = max(1, min(most // (a * b), needed))
            narrowest = min(a * widths[0], b * widths[1], c * widths[2])
            found = (round(narrowest, 6), -a * b * c)
            if found > key:
                best, key = (a, b, c), found
    return best


def _vector(values: NDArray[np.float64]) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
