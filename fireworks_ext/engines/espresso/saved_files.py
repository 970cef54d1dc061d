"""The files beside the XML file that pw.x goes on from, and whether each of them is whole.

What they hold was read off files of pw.x 6.7; docs/continuation.md says what happens without them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from fireworks_ext.engines.espresso.deck import OUT_DIRECTORY, PREFIX, SAVE_DIRECTORY
from fireworks_ext.engines.espresso.fortran_files import (
    first_integers,
    hdf5_is_whole,
    numbers,
    record_lengths,
)
from fireworks_ext.engines.espresso.output import XML_FILE

HISTORY_FILE = f"{OUT_DIRECTORY}/{PREFIX}.bfgs"
DENSITY = f"{SAVE_DIRECTORY}/charge-density"
ITERATION_FILES = (f"{OUT_DIRECTORY}/{PREFIX}.restart_*", f"{OUT_DIRECTORY}/{PREFIX}.mix*")
"""The middle of an scf cycle: worth nothing one without the other, or without wavefunctions."""
WAVEFUNCTION_FILES = f"{OUT_DIRECTORY}/{PREFIX}.wfc*"

COMPLEX_BYTES = 16
HEAD_BYTES = 12  # three integers of 4 bytes: gamma only, number of G vectors, of components
RECIPROCAL_BYTES = 72  # three vectors of 8-byte reals
MILLER_BYTES = 12  # three integers per G vector
MOST_COMPONENTS = 4  # non-collinear magnetism
SAME_FRACTION = 1e-9
"""Far below any step of a relaxation, above the rounding of coordinates that are read back."""
SAME_PRINTED_FRACTION = 1e-8
"""For coordinates that pw.x printed with ten decimals."""
RECORDS_PER_ITERATION = 2  # measured: the mixing file holds density and residual of each iteration
CELL_NUMBERS = 9

Rows = list[list[float]]


def density_problem(source: Path, root: ET.Element | None) -> str | None:
    """Return what is wrong with a saved charge density; without the XML file only its form."""
    path = source / f"{DENSITY}.dat"
    try:
        if (source / f"{DENSITY}.hdf5").is_file():
            whole = hdf5_is_whole(source / f"{DENSITY}.hdf5")
            return None if whole else f"{DENSITY}.hdf5 is cut off or damaged"
        lengths = record_lengths(path)
        head = first_integers(path, 3)
    except OSError as error:
        return f"{path.relative_to(source)}: {error.strerror}"
    expected: tuple[int, ...] = ()
    if len(head) == 3 and 0 < head[2] <= MOST_COMPONENTS:  # noqa: PLR2004
        _, n_vectors, n_components = head
        densities = n_components * (COMPLEX_BYTES * n_vectors,)
        expected = (HEAD_BYTES, RECIPROCAL_BYTES, MILLER_BYTES * n_vectors, *densities)
        if root is not None and n_vectors != int(text_of(root, "output/basis_set/ngm")):
            return f"{path.name} is of another grid than {XML_FILE}"
    if not lengths or lengths != expected:
        return f"{path.name} is cut off or damaged"
    return _companion_problem(source, root)


def _companion_problem(source: Path, root: ET.Element | None) -> str | None:
    """Return what is wrong with the occupations that belong to a density of PAW or DFT+U."""
    if root is None:
        names = [name for name in ("paw.txt", "occup.txt") if _save(source, name).exists()]
    else:
        paw = root.findtext("output/algorithmic_info/paw") == "true"
        hubbard = root.find("input/dft/dftU") is not None
        names = ["paw.txt"] * paw + ["occup.txt"] * hubbard
    for name in names:
        if numbers(_save(source, name)) is None:
            return f"{name} is missing or damaged"
    return None


def _save(source: Path, name: str) -> Path:
    return source / SAVE_DIRECTORY / name


@dataclass(frozen=True)
class History:
    """What the minimiser knows: the last structure that it saw, and how many it has seen."""

    positions: list[float]
    steps: int


def read_history(source: Path, n_atoms: int, n_dim: int) -> History | str | None:
    """Return the minimiser's history, what is wrong with it, or None where there is none.

    bfgs_module.f90 writes positions and gradient (n each), three counters, the energy, n_dim old
    positions and gradients, the inverse Hessian (n x n), and two numbers; n is 3 per atom, 9 for
    the cell and, in some versions, one for the potential.
    """
    path = source / HISTORY_FILE
    if not path.exists():
        return None
    found = numbers(path)
    for n in (3 * n_atoms + CELL_NUMBERS, 3 * n_atoms + CELL_NUMBERS + 1):
        if found is not None and len(found) == n * (2 + 2 * n_dim + n) + 6:
            return History(positions=list(found[: 3 * n_atoms]), steps=int(found[2 * n]))
    return f"{HISTORY_FILE} is cut off or damaged"


def stopped_iteration(source: Path, root: ET.Element, mixing_ndim: int) -> int | None:
    """Return the iteration of the scf cycle that the run stopped in, if its files are whole."""
    path = source / f"{OUT_DIRECTORY}/{PREFIX}.restart_scf"
    head = _stopped_at(path, root)
    if head is None or _stopped_at(path.with_name(f"{PREFIX}.restart_k"), root) is None:
        return None
    done = int(head)
    vectors = int(text_of(root, "output/basis_set/ngms"))
    least = RECORDS_PER_ITERATION * min(done, mixing_ndim) * COMPLEX_BYTES * vectors
    pools = int(text_of(root, "parallel_info/npool"))
    return done + 1 if _bytes(source, ITERATION_FILES[1]) >= pools * least else None


def stopped_kpoint(source: Path, root: ET.Element) -> int | None:
    """Return the k-point of its pool that a run without scf stopped at, if its files are whole."""
    head = _stopped_at(source / f"{OUT_DIRECTORY}/{PREFIX}.restart_k", root)
    if head is None:
        return None
    done, pools = int(head), int(text_of(root, "parallel_info/npool"))
    ranks = int(text_of(root, "parallel_info/nprocs"))
    n_files = len(list(source.glob(WAVEFUNCTION_FILES)))
    whole = _bytes(source, WAVEFUNCTION_FILES) >= done * pools * _bytes_per_kpoint(root)
    return done + 1 if n_files == ranks and whole else None


def _stopped_at(path: Path, root: ET.Element) -> float | None:
    """Return the first number of a file of three, and the eigenvalues of a pool's k-points."""
    found = numbers(path)
    pools = int(text_of(root, "parallel_info/npool"))
    points = int(text_of(root, "output/band_structure/nks")) // pools
    if found is None or found[0] < 0 or len(found) < 3 + points * sum(band_counts(root)):
        return None
    return found[0]


def band_counts(root: ET.Element) -> tuple[int, ...]:
    """Return the number of bands of a k-point: one for both spins, or one for each."""
    counts = (root.findtext(f"output/band_structure/{name}") for name in ("nbnd_up", "nbnd_dw"))
    spins = tuple(int(count) for count in counts if count)
    return spins or (int(root.findtext("output/band_structure/nbnd") or 0),)


def wavefunctions_are_whole(source: Path, root: ET.Element) -> bool:
    """Tell whether there are as many bytes of wavefunctions as bands and points need."""
    points = int(text_of(root, "output/band_structure/nks"))
    ranks = int(text_of(root, "parallel_info/nprocs"))
    needed = points * _bytes_per_kpoint(root)
    n_files = len(list(source.glob(WAVEFUNCTION_FILES)))
    return n_files == ranks and _bytes(source, WAVEFUNCTION_FILES) >= needed > 0


def _bytes_per_kpoint(root: ET.Element) -> int:
    components = 2 if root.findtext("output/band_structure/noncolin") == "true" else 1
    waves = int(text_of(root, "output/basis_set/npwx"))
    return sum(band_counts(root)) * waves * components * COMPLEX_BYTES


def _bytes(source: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in source.glob(pattern))


def same_positions(positions: list[float], rows: Rows, *, digits_printed: bool = False) -> bool:
    """Tell whether fractional coordinates, one after the other and in rows, are the same."""
    flat = [x for row in rows for x in row]
    limit = SAME_PRINTED_FRACTION if digits_printed else SAME_FRACTION
    pairs = zip(positions, flat, strict=False)
    return len(flat) == len(positions) and all(abs(x - y) < limit for x, y in pairs)


def text_of(root: ET.Element, path: str) -> str:
    """Return the text of an element. Raises LookupError where there is none."""
    text = root.findtext(path)
    if text is None:
        raise LookupError(f"no element {path}")
    return text.strip()
