"""Whether a run came to its end: relaxations, phonons, and outputs that break off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from fireworks_ext.attempts.rule import Finding, Rule, finding
from fireworks_ext.engines.espresso.recognition import course
from fireworks_ext.engines.espresso.recognition.run import Run
from schemas.failure import FailureName as Name

_PW = ("pw",)
_CONVERGED = (
    b"End of BFGS Geometry Optimization",
    b"bfgs converged in",
    b"Damped Dynamics: convergence achieved",
    b"FIRE: convergence achieved",
)
_RELAXATIONS = ("relax", "vc-relax")
IONIC = Rule(
    Name.IONIC_NOT_CONVERGED,
    "output",
    words="a relaxation with `JOB DONE.` that never said that it converged",
    programs=_PW,
)
FINAL_SCF = Rule(
    Name.FINAL_SCF_ABOVE_THRESHOLDS,
    "output",
    words="forces or stress of the final scf of a cell relaxation are above its thresholds",
    programs=_PW,
    severity="warns",
)
QPOINTS = Rule(
    Name.PHONON_QPOINTS_MISSING,
    "output",
    words="fewer dynamical matrices were diagonalised than the grid has q-points",
    programs=("ph",),
)
MISSING = Rule(Name.OUTPUT_MISSING, "files", words="a deck of pw.x, and no output")
EMPTY = Rule(Name.OUTPUT_EMPTY, "files", words="a deck of pw.x, and an output of 0 bytes")
NOT_TEXT = Rule(Name.OUTPUT_NOT_TEXT, "output", words="the output holds zero bytes, or is no text")
INCOMPLETE = Rule(Name.OUTPUT_INCOMPLETE, "output", words="the output ends without `JOB DONE.`")
CUT = Rule(
    Name.DISK_FULL,
    "files",
    words="pw.x with exit code 0 (it does not notice), whose output ends at a whole page "
    "without `JOB DONE.`; or results or CRASH of 0 bytes",
)
BROKEN_READ = (
    Rule(
        Name.RESTART_UNREADABLE,
        "standard error and logs",
        words="a Fortran run-time error at a file of the `.save` folder; `PARSE_ERR`",
    ),
    Rule(
        Name.PSEUDOPOTENTIAL_REFUSED,
        "standard error and logs",
        words="a Fortran run-time error after the deck was read and before its summary",
    ),
    Rule(
        Name.UNRECOGNISED,
        "standard error and logs",
        words="another Fortran run-time error",
    ),
)
RULES = (
    *(IONIC, FINAL_SCF, QPOINTS, MISSING, EMPTY, NOT_TEXT, INCOMPLETE, CUT),
    *BROKEN_READ,
)

_SUMMARY = b"bravais-lattice index"
"""Printed once all files of the input were read."""
_RUNTIME_ERROR = re.compile(
    rb"(?:At line [^\n]*\n)?Fortran runtime error: [^\n]*|^forrtl: severe[^\n]*|PARSE_ERR[^\n]*",
    re.MULTILINE,
)
_NOT_READING = re.compile(rb"No space left|Cannot allocate|SIG[A-Z]+|memory", re.IGNORECASE)
_SAVED_FILE = re.compile(rb"\.save/|PARSE_ERR|\.wfc\d|\.bfgs")
_PAGE_BYTES = 4096
_SHELL_SIGNALS = 128
_BINARY_SHARE = 0.1
_SAMPLE_BYTES = 64 * 1024
_QPOINTS = re.compile(rb"\(\s*(\d+)\s+q-points\)")
_PARTIAL = ("start_q", "last_q", "start_irr", "last_irr", "only_init", "only_wfc", "recover")
_FORCE = re.compile(rb"force =\s+(\S+)\s+(\S+)\s+(\S+)")
_STRESS = re.compile(rb"total\s+stress\s+[^\n]*\n((?:[^\n]*\n){3})")
_FORCE_DEFAULT_RY_BOHR, _PRESS_DEFAULT_KBAR = 1e-3, 0.5  # INPUT_PW


def findings(run: Run) -> Iterator[Finding]:
    """Yield how a run did not come to its end."""
    yield from _cut(run)
    yield from _runtime_error(run)
    if run.output is None:
        if not run.crash:
            yield finding(MISSING, "there is no output of pw.x")
    elif not run.out:
        yield finding(EMPTY, f"{run.output.name} is empty")
    elif _is_binary(run.out):
        yield finding(NOT_TEXT, f"{run.output.name} is no text")
    elif not run.job_done:
        last = run.out.rstrip().rpartition(b"\n")[2].strip().decode("utf-8", "replace")
        yield finding(INCOMPLETE, f"the output ends without JOB DONE, after: {last!r}")
    if run.program == "pw":
        yield from _ions(run)
        yield from _final_scf(run)
    if run.program == "ph":
        yield from _qpoints(run)


def _is_binary(out: bytes) -> bool:
    sample = out[:_SAMPLE_BYTES]
    odd = len(sample.translate(None, bytes(range(32, 127)) + b"\t\n\r\f"))
    return b"\0" in sample or (odd > _BINARY_SHARE * len(sample))


def _cut(run: Run) -> Iterator[Finding]:
    """Yield a disk that was full: gfortran's runtime drops what it cannot write, and says nothing.

    Measured with pw.x 6.7 on a small tmpfs: exit code 0, an output of 8192 bytes, empty files.
    """
    saved = run.xml.parent if run.xml is not None else None
    empty = [path for path in (run.directory / "CRASH", run.xml) if path is not None]
    if saved is not None and saved != run.directory:
        empty += [*saved.glob("wfc*.dat"), *saved.glob("charge-density.*")]
    names = sorted(path.name for path in empty if _is_empty(path))
    ended = run.exit
    code = 0 if ended is None else ended.exit_code or 0
    if code < 0 or code > _SHELL_SIGNALS:
        return  # a signal met it while it wrote
    if names:
        yield finding(CUT, f"empty files of results: {', '.join(names[:3])}", files=len(names))
        return
    whole_pages = run.out and not run.job_done and len(run.out) % _PAGE_BYTES == 0
    if whole_pages and ended is not None and ended.exit_code == 0 and ended.reason is None:
        yield finding(CUT, f"exit code 0, and an output cut off after {len(run.out)} bytes")


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False


def _runtime_error(run: Run) -> Iterator[Finding]:
    found = _RUNTIME_ERROR.search(run.err) or _RUNTIME_ERROR.search(run.out[-_SAMPLE_BYTES:])
    if found is None or _NOT_READING.search(found[0]):
        return
    restart, pseudopotential, other = BROKEN_READ
    rule = other
    if _SAVED_FILE.search(found[0]):
        rule = restart
    elif run.started and run.program == "pw" and _SUMMARY not in run.out:
        rule = pseudopotential
    yield finding(rule, found[0].decode("utf-8", "replace"))


def _ions(run: Run) -> Iterator[Finding]:
    relaxes = run.task in _RELAXATIONS or (
        run.task is None and b"BFGS Geometry Optimization" in run.out
    )
    if not relaxes or not run.job_done or run.asked("nstep") == "0":
        return
    if not any(run.out.rfind(words) >= 0 for words in _CONVERGED):
        yield finding(IONIC, IONIC.words)


def _final_scf(run: Run) -> Iterator[Finding]:
    """Compare the largest force and stress components, as the minimiser itself does."""
    start = run.out.rfind(b"Final scf calculation at the relaxed structure")
    if start < 0 or not run.job_done:
        return
    force = _largest(_FORCE.findall(run.out, run.out.rfind(b"Forces acting on atoms", start)))
    limit = course.number_after(run.out, b"force convergence thresh. =")
    limit = limit or _asked(run, "forc_conv_thr") or _FORCE_DEFAULT_RY_BOHR
    if force is not None and force > limit:
        message = f"a force component of {force:g} Ry/bohr, above {limit:g}"
        yield finding(FINAL_SCF, message, force_ry_per_bohr=force, threshold_ry_per_bohr=limit)
        return
    stress = _stress_kbar(run, start)
    limit = course.number_after(run.out, b"press convergence thresh. =")
    limit = limit or _asked(run, "press_conv_thr") or _PRESS_DEFAULT_KBAR
    if stress is not None and stress > limit:
        message = f"a stress component of {stress:g} kbar, above {limit:g}"
        yield finding(FINAL_SCF, message, stress_kbar=stress, threshold_kbar=limit)


def _largest(rows: list[tuple[bytes, ...]]) -> float | None:
    numbers = [course.to_float(word) for row in rows for word in row]
    known = [abs(number) for number in numbers if number is not None]
    return max(known, default=None)


def _stress_kbar(run: Run, start: int) -> float | None:
    """Return the largest deviation of a stress component from the pressure that was asked for."""
    if run.asked("cell_dofree") not in {None, "all"}:
        return None
    block = _STRESS.search(run.out, start)
    if block is None:
        return None
    target = _asked(run, "press") or 0.0
    found = []
    for index, line in enumerate(block[1].splitlines()):
        numbers = [course.to_float(word) for word in line.split()[3:6]]
        for column, number in enumerate(numbers):
            if number is None:
                return None
            found.append(abs(number - (target if column == index else 0.0)))
    return max(found, default=None)


def _asked(run: Run, keyword: str) -> float | None:
    text = run.asked(keyword)
    return course.to_float(text.encode()) if text else None


def _qpoints(run: Run) -> Iterator[Finding]:
    grid = _QPOINTS.search(run.out, 0, course.START_BYTES)
    if grid is None or any(run.asked(keyword) is not None for keyword in _PARTIAL):
        return
    wanted, done = int(grid[1]), run.out.count(b"Diagonalizing the dynamical matrix")
    only_set_up = run.job_done and not run.calculated
    if done < wanted and not only_set_up:
        yield finding(QPOINTS, f"{done} of {wanted} q-points were computed", done=done, of=wanted)
