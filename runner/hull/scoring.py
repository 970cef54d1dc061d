"""What scores that compare candidates with references have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from runner.hull.entries import read_entries
from runner.hull.model_references import Evaluation, ModelReferences
from runner.hull.params import EnergyParams
from runner.hull.reference_set import ReferenceSet, System
from schemas.errors import UserError
from schemas.identity import candidate_id, digest
from schemas.model import JsonValue
from schemas.protocols import Surroundings

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from runner.crystal.compositions import Compositions

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

SECONDS_OF_COLUMN, SECONDS_OF_MODEL, SECONDS_OF_RELAXATION = 2e-6, 0.02, 1.0
"""About how long one row takes, on one core; a model's at 10 atoms."""


@dataclass(frozen=True)
class Grouped:
    """Rows with the same number of elements, by chemical system.

    Row i stands at `rows[i]` of the batch and is of the system `systems[which[i]]`; `atoms[i]` are
    its atoms by element, in the order of that system.
    """

    systems: tuple[System, ...]
    which: Ints
    rows: Ints
    atoms: Ints

    def where(self, mask: NDArray[np.bool_]) -> Grouped:
        """Return the rows for which the mask is true."""
        return Grouped(self.systems, self.which[mask], self.rows[mask], self.atoms[mask])


class Comparison(Protocol):
    """Compares candidates with a reference set."""

    def prepare(self, systems: Sequence[System]) -> None:
        """Make at hand what these systems need, all at once."""

    def is_clear(self, system: System) -> bool:
        """Tell whether there is nothing to remark and nothing to refuse, whatever the row."""

    def remarks(self, system: System) -> list[str]:
        """Return what is to be said of every row of a system."""

    def refusals(self, system: System, atoms: Ints) -> list[str | None]:
        """Return for each row why it cannot be judged whatever its energy is, or None."""

    def values(self, group: Grouped, energies_ev_per_atom: Floats) -> Floats:
        """Return the value of each row, which has an energy and was not refused."""


def references_of(params: EnergyParams, surroundings: Surroundings) -> ReferenceSet:
    """Return the reference set that the params ask for.

    Raises
    ------
    UserError
        When it is not there, or its method is another one than that of the candidates.
    """
    if params.entries is not None:
        path = _entries_path(params.entries, surroundings)
        entries = read_entries(path)
        if entries.method != params.method_key:
            raise UserError(
                f"{path}: holds energies by '{entries.method}', and those of the candidates are by "
                f"'{params.method_key}'; energies of different methods have different zeros and "
                "cannot be compared"
            )
        return entries
    if params.model is None or not surroundings.references:
        raise UserError(
            "there are no reference structures; give the campaign `references: {elements: all, "
            "structures: competing/*.cif}`, or a file of energies by `entries`"
        )
    evaluation = Evaluation(
        model=params.model,
        method=params.method_key,
        relax=params.relax_references,
        device=params.device,
        weights=_weights(params.model),
    )
    return ModelReferences(surroundings.references, evaluation, surroundings.cache)


def deciding_files(params: EnergyParams, surroundings: Surroundings) -> dict[str, str]:
    """Return label -> SHA-256 of what decides values: method, weights, the set of references.

    Raises
    ------
    UserError
        When the file of entries or the model's weights cannot be read.
    """
    found = {"method": digest(params.method_key)}
    if params.model is not None:
        found["weights"] = _weights(params.model)
    if params.entries is None:
        cells: list[JsonValue] = [*sorted(map(candidate_id, surroundings.references))]
        found["references"] = digest(cells)
        return found
    path = _entries_path(params.entries, surroundings)
    try:
        found["entries"] = sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    return found


def seconds_of(params: EnergyParams) -> float:
    """Return about how long one row takes, in seconds of one core."""
    if params.energy is not None:
        return SECONDS_OF_COLUMN
    return SECONDS_OF_RELAXATION if params.relax else SECONDS_OF_MODEL


def columns_read(params: EnergyParams) -> tuple[str, ...]:
    """Return the columns that a score with these params reads."""
    return ("elements", "amounts", params.energy or "structure")


def compare(
    batch: pa.RecordBatch, params: EnergyParams, comparison: Comparison
) -> dict[str, pa.Array]:
    """Return `values`, `note` and `error` for each row of a batch.

    A model is not asked about rows that cannot be judged anyway.
    """
    import numpy as np
    import pyarrow as pa

    from runner.crystal.compositions import compositions

    found = compositions(batch)
    values = np.full(len(found), np.nan)
    notes: list[str | None] = [None] * len(found)
    errors: list[str | None] = found.errors.to_pylist()
    groups = list(by_system(found))
    comparison.prepare([system for group in groups for system in group.systems])
    for group in groups:
        for place, system in enumerate(group.systems):
            if comparison.is_clear(system):
                continue
            part = group.where(group.which == place)
            remarks = "; ".join(comparison.remarks(system)) or None
            refusals = comparison.refusals(system, part.atoms)
            for row, refusal in zip(part.rows.tolist(), refusals, strict=True):
                notes[row], errors[row] = remarks, refusal
    energies = _energies(batch, params, notes, errors)
    for group in groups:
        part = group.where(~np.isnan(energies[group.rows]))
        if len(part.rows):
            values[part.rows] = comparison.values(part, energies[part.rows])
    return {
        "values": pa.array(values, pa.float64(), from_pandas=True),
        "note": pa.array(notes, pa.string()),
        "error": pa.array(errors, pa.string()),
    }


def by_system(found: Compositions) -> Iterator[Grouped]:
    """Yield the rows by their number of elements, and in these by chemical system."""
    import numpy as np

    from runner.crystal.compositions import symbol_ranks
    from runner.crystal.elements import SYMBOLS

    for group in found.groups():
        order = np.argsort(symbol_ranks()[group.numbers], axis=1)
        numbers = np.take_along_axis(group.numbers, order, axis=1)
        atoms = np.take_along_axis(group.atoms, order, axis=1)
        width = numbers.shape[1]
        # Atomic numbers of a row side by side: one value, so that sorting them is quick.
        codes = np.zeros((len(numbers), max(8, width)), np.uint8)
        codes[:, :width] = numbers
        kind = np.dtype(np.uint64) if width <= 8 else np.dtype((np.void, width))  # noqa: PLR2004  (bytes of the number)
        _, first, which = np.unique(codes.view(kind)[:, 0], return_index=True, return_inverse=True)
        systems = tuple(
            tuple(SYMBOLS[number - 1] for number in system) for system in numbers[first].tolist()
        )
        yield Grouped(systems, which, group.rows, atoms)


def _energies(
    batch: pa.RecordBatch, params: EnergyParams, notes: list[str | None], errors: list[str | None]
) -> Floats:
    """Return the energies of the rows without an error in eV/atom, NaN elsewhere.

    What is wrong with a row's energy is added to `notes` or `errors`.
    """
    import numpy as np
    import pyarrow as pa

    wanted = np.array([error is None for error in errors], bool)
    if params.energy is not None:
        column = batch[params.energy].cast(pa.float64())
        values: Floats = column.to_numpy(zero_copy_only=False)
        for row in np.flatnonzero(wanted & ~np.isfinite(values)):
            notes[row] = "; ".join(filter(None, (notes[row], f"{params.energy} is not known")))
        return np.where(wanted & np.isfinite(values), values, np.nan)
    rows = np.flatnonzero(wanted)
    energies = np.full(batch.num_rows, np.nan)
    for row, energy in zip(rows, _of_model(batch, params, rows), strict=True):
        if isinstance(energy, str):
            errors[row] = energy
        else:
            energies[row] = energy
    return energies


def _of_model(batch: pa.RecordBatch, params: EnergyParams, rows: Ints) -> list[float | str]:
    """Return the model's energy for each of these rows in eV/atom, or why there is none."""
    import pyarrow as pa

    from runner.crystal.cells import from_arrow
    from runner.ml import energies as models

    if params.model is None or not len(rows):
        return []
    structures = from_arrow(batch["structure"].take(pa.array(rows, pa.int64())))
    answers = models.energies(params.model, structures, relax=params.relax, device=params.device)
    return [
        answer.energy_ev_per_atom
        if answer.energy_ev_per_atom is not None
        else answer.error or "the model gives no energy"
        for answer in answers
    ]


def _weights(model: str) -> str:
    """Return a hash of the weights of a model."""
    from runner.ml import registry

    return digest(dict(registry.get(model).weights()))


def _entries_path(entries: str, surroundings: Surroundings) -> Path:
    return surroundings.folder / Path(entries).expanduser()
