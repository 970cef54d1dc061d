"""What the text output of pw.x tells: how a run ended, and how self-consistency went.

The exit code is not needed: a run directory is judged by its files alone, because a directory that
another worker left behind has no exit code any more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from schemas.failure import Failure, FailureName
from schemas.model import JsonValue

STDOUT = "pw.out"
STDERR = "pw.err"

_ERROR = re.compile(r"Error in routine\s+(.+?)\s*\((-?\d+)\):\s*\n(.*?)\n\s*%%%", re.DOTALL)
_ACCURACY = re.compile(r"estimated scf accuracy\s+<\s*([-+.\dEeDd]+) Ry")
_SIGNAL = re.compile(
    r"exited on signal (\d+)|Program received signal (\w+)|Signal: (\w[\w ]*?) \(\d+\)"
)
_PSEUDOPOTENTIAL = re.compile(r"readpp|read_?ps|upf|gth|set_dft|pseudo|read_uspp", re.IGNORECASE)
_FORTRAN = re.compile(r"(?:At line .*\n)?Fortran runtime error: .*")
_SUMMARY = "bravais-lattice index"
"""Printed once all files of the input were read."""
_SCF_STARTS = "Self-consistent Calculation"
_TAIL_CHARACTERS = 600


@dataclass(frozen=True)
class Log:
    """Text that a run left: standard output and standard error."""

    out: str
    err: str

    @property
    def job_done(self) -> bool:
        """Tell whether pw.x ended by itself; it says so for unconverged runs as well."""
        return "JOB DONE." in self.out

    @property
    def reached_scf(self) -> bool:
        """Tell whether the setup was over."""
        return _SCF_STARTS in self.out

    def scf_accuracies_ry(self) -> list[float]:
        """Return the estimated accuracy after each iteration of the last scf cycle, in Ry."""
        last = self.out.rfind(_SCF_STARTS)
        return [
            float(number.lower().replace("d", "e"))
            for number in _ACCURACY.findall(self.out, max(last, 0))
        ]


def read_log(directory: Path) -> Log:
    """Read the text output of a run directory; absent files are empty."""
    return Log(*(_text(directory / name) for name in (STDOUT, STDERR)))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def failure_in(log: Log) -> Failure | None:
    """Return how the run failed as far as its text tells, or None for one that ended well."""
    return _error(log) or _ended_early(log) or _not_converged(log)


def _error(log: Log) -> Failure | None:
    both = log.out + log.err
    if "No space left on device" in both or "Disk quota exceeded" in both:
        return Failure(name=FailureName.DISK_FULL, message="No space left on device")
    found = _ERROR.search(log.out)
    if found:
        routine, code = found[1].strip(), int(found[2])
        message = " ".join(found[3].split())
        details: dict[str, JsonValue] = {"routine": routine, "code": code}
        return Failure(name=_name_of(routine, message, log), message=message, details=details)
    crash = _FORTRAN.search(log.err)
    if crash:
        # The deck is read with checks; what breaks a reader after it is another file.
        reading = _SUMMARY not in log.out
        return Failure(
            name=FailureName.PSEUDOPOTENTIAL_REFUSED if reading else FailureName.UNRECOGNISED,
            message=" ".join(crash[0].split()),
        )
    return None


def _name_of(routine: str, message: str, log: Log) -> FailureName:
    if _PSEUDOPOTENTIAL.search(routine) or "conflicting values" in message:
        return FailureName.PSEUDOPOTENTIAL_REFUSED
    return FailureName.UNRECOGNISED if log.reached_scf else FailureName.INPUT_REFUSED


def _ended_early(log: Log) -> Failure | None:
    details: dict[str, JsonValue] = {"stderr": log.err[-_TAIL_CHARACTERS:].strip()}
    if "Maximum CPU time exceeded" in log.out:
        return Failure(name=FailureName.OUT_OF_WALLTIME, message="Maximum CPU time exceeded")
    if "Program stopped by user request" in log.out:
        return Failure(name=FailureName.OUT_OF_WALLTIME, message="Program stopped by user request")
    if log.job_done:
        return None
    signal = _SIGNAL.search(log.err) or _SIGNAL.search(log.out)
    if signal:
        return Failure(name=FailureName.KILLED_BY_SIGNAL, message=signal[0], details=details)
    if not log.out and ("not found" in log.err or "unable to launch" in log.err):
        return Failure(
            name=FailureName.PROGRAM_NOT_FOUND, message="pw.x did not start", details=details
        )
    last = log.out.rstrip().rsplit("\n", 1)[-1].strip()
    return Failure(
        name=FailureName.OUTPUT_INCOMPLETE,
        message=f"the output ends without JOB DONE, after: {last!r}",
        details=details,
    )


def _not_converged(log: Log) -> Failure | None:
    last_scf = log.out.rfind(_SCF_STARTS)
    missed = re.compile(r"convergence NOT achieved after\s+\d+ iterations").search(
        log.out, max(last_scf, 0)
    )
    if missed:
        accuracies = log.scf_accuracies_ry()
        return Failure(
            name=FailureName.SCF_NOT_CONVERGED,
            message=missed[0],
            details={"scf_accuracy_ry": accuracies[-1] if accuracies else None},
        )
    for text in (
        "The maximum number of steps has been reached.",
        "history already reset at previous step: stopping",
        "bfgs failed",
    ):
        if text in log.out:
            return Failure(name=FailureName.IONIC_NOT_CONVERGED, message=text)
    return None
