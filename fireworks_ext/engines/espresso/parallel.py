"""How ranks are divided among k-points, bands, planes of the grid and matrices.

The rules are those of the user guides, https://www.quantum-espresso.org/Doc/user_guide/ ("Parallel-
ization levels") and https://www.quantum-espresso.org/Doc/pw_user_guide/ ("Parallelization issues"):
pools of k-points first, because they communicate little; band groups for hybrid functionals; task
groups when a pool has more ranks than the grid has planes; a square number of ranks for matrices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isqrt

POOLS = ("-nk", "-npool", "-npools")
BAND_GROUPS = ("-nb", "-nband", "-nbgrp", "-nband_group")
TASK_GROUPS = ("-nt", "-ntg", "-ntask_groups", "-nyfft")
MATRICES = ("-nd", "-ndiag", "-northo", "-nproc_diag", "-nproc_ortho")
"""Spellings of a flag that pw.x knows (Modules/command_line_options.f90 of 6.7 and 7.5)."""

HYBRIDS = frozenset(
    {"pbe0", "b3lyp", "b3lypv1r", "x3lyp", "hse", "gaup", "gaupbe", "hf", "b86bpbex"}
)
"""Short names of functionals with exact exchange (Modules/funct.f90 of pw.x 6.7)."""
BANDS_PER_GROUP = 8
"""Fewer bands than this per group leave its ranks without work."""
MOST_TASK_GROUPS = 8
BANDS_PER_RANK_OF_MATRIX = 256
"""Bands along each side of a rank's block of the matrices; below twice as many, one rank has all.
pw.x by itself takes the largest square in a pool, even for matrices of ten bands. The guide says to
look at the times of cdiaghg: give -nd in the profile where they tell another number."""


def parallel_flags(
    ranks: int,
    *,
    n_kpoints: int,
    n_bands: int = 1,
    n_planes: int | None = None,
    hybrid: bool = False,
    given: Iterable[str] = (),
) -> tuple[str, ...]:
    """Return the flags of pw.x for a number of ranks; none for a single rank.

    Parameters
    ----------
    ranks
        All ranks of the run.
    n_kpoints
        A number of k-points that pw.x will surely have (spin up and down count apart): more pools
        than points is an error.
    n_bands
        Bands at each k-point.
    n_planes
        Planes of the grid of the density along the third axis; None: more than there are ranks.
    hybrid
        Exact exchange, whose cost band groups divide.
    given
        Flags that the profile sets. They win: the others are chosen beside them.
    """
    if ranks <= 1:
        return ()
    words = list(given)
    flags: list[str] = []
    pools = _given(words, POOLS) or k_pools(ranks, n_kpoints)
    per_pool = max(1, ranks // pools)
    groups = _given(words, BAND_GROUPS)
    if groups is None:
        groups = _divisor(per_pool, n_bands // BANDS_PER_GROUP) if hybrid else 1
        flags += ["-nb", str(groups)] if groups > 1 else []
    per_group = max(1, per_pool // groups)
    if _given(words, TASK_GROUPS) is None:
        tasks = _task_groups(per_group, n_planes)
        flags += ["-nt", str(tasks)] if tasks > 1 else []
    if _given(words, MATRICES) is None and per_group >= 4:  # noqa: PLR2004  (pw.x takes 1 below 4)
        flags += ["-nd", str(_square(per_group, n_bands))]
    if _given(words, POOLS) is None:
        flags = ["-nk", str(pools), *flags]
    return tuple(flags)


def is_hybrid(raw: Mapping[str, object]) -> bool:
    """Tell whether raw keywords ask for exact exchange."""
    functional = str(raw.get("input_dft", "")).lower().replace("-", "")
    return bool(raw.get("exx_fraction")) or functional in HYBRIDS


def k_pools(ranks: int, n_kpoints: int) -> int:
    """Return the largest divisor of the ranks that is not above the number of k-points."""
    return _divisor(ranks, n_kpoints)


def _divisor(number: int, most: int) -> int:
    """Return the largest divisor of a number that is at most so large, and 1 at least."""
    return max(n for n in range(1, number + 1) if number % n == 0 and n <= max(1, most))


def _task_groups(ranks: int, n_planes: int | None) -> int:
    """Return the fewest task groups whose ranks are not more than the planes."""
    if n_planes is None or ranks <= n_planes:
        return 1
    divisors = [n for n in range(2, MOST_TASK_GROUPS + 1) if ranks % n == 0]
    return next((n for n in divisors if ranks // n <= n_planes), max(divisors, default=1))


def _square(ranks: int, n_bands: int) -> int:
    """Return the ranks for matrices: a square number, 1 for small ones."""
    side = min(isqrt(ranks), max(1, n_bands // BANDS_PER_RANK_OF_MATRIX))
    return side * side


def _given(words: list[str], spellings: tuple[str, ...]) -> int | None:
    """Return the number that a flag is given with; 1 where it is not a number."""
    for index, word in enumerate(words):
        if word in spellings:
            value = words[index + 1] if index + 1 < len(words) else ""
            return max(1, int(value)) if value.isdigit() else 1
    return None
