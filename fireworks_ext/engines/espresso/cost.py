"""What a calculation will need: CPU time, memory, cores."""

from __future__ import annotations

from math import ceil, floor, hypot, log, pi

from fireworks_ext.engines.espresso.kpoints import dense_mesh, mesh_of, n_irreducible
from fireworks_ext.engines.espresso.magnetism import non_collinear
from fireworks_ext.engines.espresso.params import EspressoParams
from fireworks_ext.engines.espresso.units import BOHR_ANG
from schemas.resources import Resources
from schemas.structure import Structure

SCF_CYCLES = {"scf": 1.0, "relax": 6.0, "vc-relax": 10.0, "bands": 1.0, "dos": 1.0}
"""Self-consistencies of a task; those after the first start from a good density and count less."""
UNKNOWN_ECUTWFC_RY = 60.0
UNKNOWN_VALENCE = 8.0
EMPTY_BANDS = 1.2
"""pw.x adds a fifth of the bands for metals (INPUT_PW, nbnd)."""
PATH_LENGTH = 4.0
"""Of a path of bands, in 2 pi over the cube root of the cell's volume: that of fcc."""
EMPTY_BANDS_OF_SPECTRA = 1.5
"""Bands and densities of states have so many times the filled bands (`spectrum_plan`)."""

SECONDS_PER_WORK = 5.0e-9
"""CPU seconds per unit of `work`: between 3e-9 (Al) and 8e-9 (C) where it was measured, by
benchmarks/lattice_constants.py; the cost model learns the one of the machine."""
LONGEST_SERIAL_S = 120.0
"""Calculations up to this long run on one core: starting MPI would not pay."""
MOST_CORES = 16
WALLTIME_MARGIN = 20.0
SHORTEST_WALLTIME_MIN = 30.0
LONGEST_WALLTIME_MIN = 1440.0
ARRAYS_PER_BAND = 8
"""Arrays of plane waves per band that diagonalisation and mixing keep at once."""
BASE_MEMORY_GB = 0.15


def sizes(structure: Structure, params: EspressoParams) -> tuple[float, float, int]:
    """Return plane waves per k-point, bands per spin channel, and k-points after symmetry.

    Spinors have two components, twice the plane waves, and hold one electron each, twice the bands.
    """
    ecutwfc = params.ecutwfc_ry or UNKNOWN_ECUTWFC_RY
    volume = structure.volume_ang3 / BOHR_ANG**3
    plane_waves = volume * ecutwfc**1.5 / (6 * pi**2)
    valences = params.valences or {}
    electrons = sum(valences.get(element, UNKNOWN_VALENCE) for element in structure.species)
    bands = max(electrons / 2 * (1.0 if params.smearing == "none" else EMPTY_BANDS), 4.0)
    mesh = mesh_of(structure, params)
    if non_collinear(params):
        plane_waves, bands = 2 * plane_waves, 2 * bands
    return (
        plane_waves,
        bands,
        n_irreducible(structure, mesh, params.kshift, symmetric=is_symmetric(params)),
    )


def work(structure: Structure, task: str, params: EspressoParams) -> float:
    """Return a number proportional to the expected CPU time.

    Per k-point and iteration: the transforms of all bands, bands * N log N, and their
    orthogonalisation, bands^2 * N, for N plane waves; a grid of the density that is finer than the
    wavefunctions need (ultrasoft, PAW) costs in proportion to its points.
    """
    plane_waves, bands, kpoints = sizes(structure, params)
    cycles = SCF_CYCLES[task] * kpoints * _per_kpoint(plane_waves, bands)
    later = _later_kpoints(structure, task, params)
    # Each k-point once, from nothing: as many steps of its diagonalisation as a whole scf takes.
    cycles += later * _per_kpoint(plane_waves, EMPTY_BANDS_OF_SPECTRA / EMPTY_BANDS * bands)
    dense: float = (density_ratio(params) / 4.0) ** 1.5
    return spin_channels(params) * 10.0 * dense * cycles


def _per_kpoint(plane_waves: float, bands: float) -> float:
    transforms = 40.0 * bands * plane_waves * log(max(plane_waves, 2.0))
    return transforms + 4.0 * bands**2 * plane_waves


def _later_kpoints(structure: Structure, task: str, params: EspressoParams) -> int:
    """Return about how many k-points the runs after self-consistency have."""
    if task == "bands":
        length: float = PATH_LENGTH * 2 * pi / structure.volume_ang3 ** (1 / 3)
        return max(1, ceil(length / params.path_spacing_per_ang))
    if task == "dos":
        mesh = dense_mesh(structure, params)
        return n_irreducible(structure, mesh, (0, 0, 0), symmetric=is_symmetric(params))
    return 0


def is_symmetric(params: EspressoParams) -> bool:
    """Tell whether pw.x may leave out k-points by symmetry."""
    return params.params.get("nosym") is not True


def spin_channels(params: EspressoParams) -> int:
    """Return 2 where up and down have k-points of their own, else 1."""
    return 2 if params.spin == "collinear" else 1


def n_planes(structure: Structure, params: EspressoParams) -> int:
    """Return about how many planes the grid of wavefunctions has along the third axis, or fewer.

    It holds all differences of wavevectors up to twice the cutoff's, 2 sqrt(ecutwfc) / bohr.
    """
    height = hypot(*structure.lattice_ang[2]) / BOHR_ANG
    longest: float = 2 * (params.ecutwfc_ry or UNKNOWN_ECUTWFC_RY) ** 0.5
    return max(1, floor(height * longest / pi))


def density_ratio(params: EspressoParams) -> float:
    """Return how many times the cutoff of wavefunctions that of the density is, at least 4."""
    if params.ecutwfc_ry is None or params.ecutrho_ry is None:
        return 4.0
    return max(params.ecutrho_ry / params.ecutwfc_ry, 4.0)


def resources(structure: Structure, task: str, params: EspressoParams) -> Resources:
    """Return a first guess: one core for small cells, else one per k-point up to a limit."""
    plane_waves, bands, kpoints = sizes(structure, params)
    seconds = work(structure, task, params) * SECONDS_PER_WORK
    cores = 1
    if seconds > LONGEST_SERIAL_S:
        cores = min(MOST_CORES, kpoints, ceil(seconds / LONGEST_SERIAL_S))
    walltime = WALLTIME_MARGIN * seconds / cores / 60
    channels = spin_channels(params)
    per_rank = 16e-9 * plane_waves * bands * (ARRAYS_PER_BAND + channels * kpoints / cores)
    return Resources(
        cores=cores,
        memory_gb=round(cores * (BASE_MEMORY_GB + per_rank), 2),
        walltime_min=round(min(max(walltime, SHORTEST_WALLTIME_MIN), LONGEST_WALLTIME_MIN), 1),
    )
