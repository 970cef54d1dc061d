"""Every failure of a run, the cause first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from fireworks_ext.attempts import machine
from fireworks_ext.attempts.rule import Finding, Rule
from fireworks_ext.engines.espresso.recognition import (
    error_blocks,
    markers,
    outcome,
    plausibility,
    results,
)
from fireworks_ext.engines.espresso.recognition.run import Run, read_run
from schemas.failure import Failure
from schemas.failure import FailureName as Name

RULES: tuple[Rule, ...] = (
    *error_blocks.RULES,
    *markers.RULES,
    *outcome.RULES,
    *plausibility.RULES,
    *results.RULES,
    *machine.RULES,
)
"""Everything that is recognised, as data."""

_READERS: tuple[Callable[[Run], Iterable[Finding]], ...] = (
    error_blocks.findings,
    markers.findings,
    outcome.findings,
    plausibility.findings,
    results.findings,
)

CAUSES_FIRST: tuple[Name, ...] = (
    # What the machine did needs no other reason.
    *(Name.DISK_FULL, Name.OUT_OF_MEMORY, Name.NODE_FAILED, Name.PREEMPTED, Name.CANCELLED),
    *(Name.LIBRARY_MISSING, Name.PROGRAM_NOT_FOUND, Name.PARALLEL_START_FAILED),
    # A clean stop leaves an scf unconverged, and its parent may still report the walltime.
    *(Name.OUT_OF_WALLTIME, Name.STOPPED_BY_REQUEST, Name.KILLED_AT_WALLTIME, Name.HUNG),
    # What was given.
    *(Name.INPUT_NOT_WRITTEN, Name.UPSTREAM_LOST, Name.METHODS_MIXED, Name.FOLDER_NOT_WRITABLE),
    *(Name.PSEUDOPOTENTIAL_MISSING, Name.PSEUDOPOTENTIAL_REFUSED, Name.FUNCTIONAL_CONFLICT),
    *(Name.RESTART_UNREADABLE, Name.POOLS_WITHOUT_KPOINTS, Name.OCCUPATIONS_REFUSED),
    *(Name.TOO_FEW_BANDS, Name.TOO_MANY_BANDS, Name.ATOMS_OVERLAP, Name.INPUT_REFUSED),
    *(Name.FFT_GRID_SYMMETRY, Name.PHONON_REPRESENTATION_WRONG, Name.G_VECTOR_NOT_RECIPROCAL),
    # A structure that ran away breaks everything after it; so do numbers that are none.
    *(Name.UNPHYSICAL_VOLUME, Name.UNPHYSICAL_DISTANCE, Name.RADIAL_FFT_TOO_SMALL),
    *(Name.NOT_ORTHOGONAL_OPERATION, Name.ENERGY_NOT_FINITE),
    *(Name.CHARGE_WRONG, Name.EXCHANGE_NEGATIVE, Name.BROYDEN_FAILED, Name.CHOLESKY_FAILED),
    *(Name.S_MATRIX_NOT_POSITIVE, Name.ZHEGVD_FAILED, Name.QR_FAILED),
    *(Name.EIGENVECTORS_NOT_CONVERGED, Name.BANDS_NOT_CONVERGED),
    # The end of a program, where nothing above explains it.
    *(Name.CRASHED, Name.KILLED_BY_SIGNAL),
    # What was not reached.
    *(Name.BFGS_FAILED, Name.SCF_NOT_CONVERGED, Name.PHONON_NOT_CONVERGED),
    *(Name.IONIC_STEPS_EXHAUSTED, Name.PATH_STEPS_EXHAUSTED, Name.IONIC_NOT_CONVERGED),
    *(Name.HIGHEST_BAND_OCCUPIED, Name.FINAL_SCF_ABOVE_THRESHOLDS),
    *(Name.CHARGE_NOT_CONSERVED, Name.NEGATIVE_CHARGE_DENSITY, Name.MAGNETIC_COLLAPSE),
    # What is left behind.
    *(Name.OUTPUT_MISSING, Name.OUTPUT_EMPTY, Name.OUTPUT_NOT_TEXT, Name.UNRECOGNISED),
    *(Name.OUTPUT_INCOMPLETE, Name.XML_UNREADABLE, Name.XML_MISSING),
    Name.PHONON_QPOINTS_MISSING,
)
"""Which of two failures of one run is the reason for the other."""

_ENDINGS = frozenset({Name.CRASHED, Name.KILLED_BY_SIGNAL})
_TRACES = frozenset(
    {Name.OUTPUT_MISSING, Name.OUTPUT_EMPTY, Name.UNRECOGNISED}
    | {Name.OUTPUT_INCOMPLETE, Name.XML_MISSING}
)
"""Said only where nothing else says why: every end before the end leaves them."""
_DAMAGE = frozenset({Name.XML_UNREADABLE, Name.PHONON_QPOINTS_MISSING})
"""Left behind as well, but worth to be known in any case."""

_Mark: TypeAlias = "tuple[tuple[str, int, int], ...]"
_Answer: TypeAlias = "tuple[Failure, ...] | None"
_known: dict[Path, tuple[_Mark, tuple[Path, ...], _Answer]] = {}
_MOST_KNOWN = 64


def diagnose(directory: Path) -> tuple[Failure, ...] | None:
    """Return what went wrong in a run directory, the cause first; warnings say so in `details`.

    `()` is a run that went well; None a directory that no pw.x, ph.x or neb.x has left. Pure, from
    the files alone, and never raises for files, however damaged. The answer is kept until a file
    of the directory changes its size or time.
    """
    directory = Path(directory)
    try:
        mark = _mark(directory)
        kept = _known.get(directory)
        if kept is not None and kept[0] == (*mark, *_stats(kept[1])):
            return kept[2]
        run = read_run(directory)
    except OSError:
        return None
    answer = None if run is None else tuple(one.failure for one in findings(run))
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    further = _further(run)
    _known[directory] = ((*mark, *_stats(further)), further, answer)
    return answer


def forget() -> None:
    """Forget all answers, so that the next one is found anew."""
    _known.clear()
    results.forget()


def failures(directory: Path) -> tuple[Failure, ...]:
    """Return what fails the run in a directory, the cause first; () also where there is none."""
    return tuple(
        one for one in diagnose(directory) or () if one.details.get("severity") != "warning"
    )


def findings(run: Run) -> tuple[Finding, ...]:
    """Return what was met in a run, one for each name, the cause first and warnings last."""
    every = every_finding(run)
    unique: dict[Name, Finding] = {}
    for one in sorted(every, key=lambda one: not one.fails):
        unique.setdefault(one.failure.name, one)
    ordered = sorted(_told(unique.values()), key=lambda one: CAUSES_FIRST.index(one.failure.name))
    return tuple(sorted(ordered, key=lambda one: not one.fails))


def every_finding(run: Run) -> list[Finding]:
    """Return every rule that a run meets, also where one explains another, in no order."""
    said = machine.Said(started=run.started, saved=run.job_done, words=run.out)
    found = [one for read in _READERS for one in read(run)]
    return [*found, *machine.findings(run.directory, said)]


def _told(every: Iterable[Finding]) -> Iterator[Finding]:
    """Leave out what another failure explains.

    One rank that reports an error kills the others, so the signals are no news then; and a stop
    with everything saved is no kill, whatever the scheduler did next.
    """
    kept = tuple(every)
    names = {one.failure.name for one in kept if one.fails}
    hidden: set[Name] = set()
    if names & _explaining():
        hidden |= _ENDINGS
    if Name.CRASHED in names:
        hidden |= {Name.KILLED_BY_SIGNAL}
    if names - _TRACES - _DAMAGE:
        hidden |= _TRACES
    if Name.UNRECOGNISED in names:
        hidden |= {Name.OUTPUT_INCOMPLETE, Name.XML_MISSING}
    if names & {Name.OUT_OF_WALLTIME, Name.STOPPED_BY_REQUEST}:
        hidden |= {Name.KILLED_AT_WALLTIME, Name.SCF_NOT_CONVERGED, Name.CANCELLED}
        hidden |= {Name.IONIC_NOT_CONVERGED, Name.PHONON_NOT_CONVERGED, Name.XML_MISSING}
    if names & {Name.BFGS_FAILED, Name.IONIC_STEPS_EXHAUSTED, Name.SCF_NOT_CONVERGED}:
        hidden |= {Name.IONIC_NOT_CONVERGED}
    for one in kept:
        if one.failure.name not in hidden:
            yield one


def _explaining() -> frozenset[Name]:
    """Return the names that come before the signals: each is a reason to end."""
    return frozenset(CAUSES_FIRST[: CAUSES_FIRST.index(Name.CRASHED)])


def _mark(directory: Path) -> _Mark:
    """Return names, sizes and times of the files in a directory."""
    entries = sorted(directory.iterdir())
    return tuple((path.name, *_stat(path)) for path in entries)


def _stats(paths: Iterable[Path]) -> _Mark:
    return tuple((str(path), *_stat(path)) for path in paths)


def _stat(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns


def _further(run: Run | None) -> tuple[Path, ...]:
    """Return what a diagnosis read below the directory itself."""
    return () if run is None or run.xml is None else (run.xml,)
