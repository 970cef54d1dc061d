"""Failures of the machine, which every engine shares: memory, signals, disks, starts, schedulers.

They are read from `exit.json`, from standard error and from the logs that schedulers leave in a run
directory. Words of Slurm: 22.05 and later (https://slurm.schedmd.com/job_exit_code.html); of
launchers: Open MPI 4 and 5, MPICH's Hydra, Intel MPI.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from fireworks_ext.attempts.exits import Exit, read_exit
from fireworks_ext.attempts.rule import Finding, Place, Rule, finding
from schemas.failure import FailureName
from schemas.model import JsonValue

LOGS = (
    *("*.err", "*.stderr", "stderr", "stderr.*", "std_err.txt", "_scheduler-std*.txt"),
    *("slurm-*.out", "slurm-*.err", "*.e[0-9]*", "*.o[0-9]*", "fw_*.error", "fw_*.out"),
)
"""Names of the files in which launchers, schedulers and run-time libraries have their say."""
_HEAD_BYTES, _TAIL_BYTES = 64 * 1024, 256 * 1024
_SHELL_SIGNALS = 128
_CRASHES = (signal.SIGSEGV, signal.SIGILL, signal.SIGBUS, signal.SIGFPE, signal.SIGABRT)
_CRASH_NUMBERS = "|".join(str(int(one)) for one in _CRASHES)
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
"""Exit codes of shells and launchers (POSIX, "Exit Status for Commands")."""
_LOG: Place = "standard error and logs"

_STARTS = (
    Rule(
        FailureName.PROGRAM_NOT_FOUND,
        _LOG,
        r"unable to find the specified executable|execvp error|sh: .*not found\s*$"
        r"|error: execve\(\): .*No such file|failed to execute|could not access or execute",
    ),
    Rule(FailureName.LIBRARY_MISSING, _LOG, r"error while loading shared libraries: ([^:\s]+)"),
    Rule(
        FailureName.PARALLEL_START_FAILED,
        _LOG,
        r"not enough slots available|no allocated resources|orte_init failed|MPI_INIT failed"
        r"|MPI_Init.*failed|srun: error: Unable to|not built with SLURM's PMI|nodes which are "
        r"allocated for this job are already filled|attempt to run as root"
        r"|^mpi(?:run|exec): Error:",
    ),
)
"""Only for programs that never printed their banner: a batch script can say such things too."""

_ENDS = (
    Rule(
        FailureName.DISK_FULL,
        _LOG,
        r"No space left on device|[Dd]isk quota exceeded|File size limit exceeded",
    ),
    Rule(
        FailureName.OUT_OF_MEMORY,
        _LOG,
        r"oom-kill event|oom_kill|[Oo]ut.of.[Mm]emory|Cannot allocate memory|std::bad_alloc"
        r"|Allocation would exceed memory limit|insufficient virtual memory"
        r"|exceeded (?:job |step )?memory limit|Error allocating \d+ bytes",
    ),
    Rule(
        FailureName.KILLED_AT_WALLTIME,
        _LOG,
        r"DUE TO TIME LIMIT|job killed: walltime|TERM_RUNLIMIT",
    ),
    Rule(FailureName.PREEMPTED, _LOG, r"DUE TO PREEMPTION|TERM_PREEMPT"),
    Rule(
        FailureName.NODE_FAILED,
        _LOG,
        r"DUE TO NODE FAILURE|lost communication with a remote daemon"
        r"|daemon has unexpectedly failed",
    ),
    Rule(FailureName.CANCELLED, _LOG, r"CANCELLED AT \S+ \*\*\*"),
    Rule(
        FailureName.CRASHED,
        _LOG,
        r"Program received signal SIG(?:SEGV|ILL|BUS|FPE|ABRT)|Segmentation fault"
        rf"|exited on signal (?:{_CRASH_NUMBERS})\b|KILLED BY SIGNAL: (?:{_CRASH_NUMBERS})\b"
        r"|forrtl: severe \(17\d\)|Illegal instruction|EXIT CODE: 1(?:32|34|35|36|39)\b",
    ),
    Rule(
        FailureName.KILLED_BY_SIGNAL,
        _LOG,
        r"exited on signal (?P<number>\d+)|Program received signal (?P<named>SIG\w+)"
        r"|KILLED BY SIGNAL: (?P<other>\d+)|forrtl: error \(78\)|^(?:Killed|Terminated)\s*$"
        r"|CPU time limit exceeded\s*$|EXIT CODE: (?:9|15|137|143)\b",
    ),
)


def _exit_rule(name: FailureName, words: str) -> Rule:
    return Rule(name, "exit.json", words=f"`exit.json`: {words}")


_NEVER_RAN = _exit_rule(FailureName.PROGRAM_NOT_FOUND, "exit code 126, 127 or none, no output")
_WALLTIME = _exit_rule(FailureName.KILLED_AT_WALLTIME, "ended at its walltime, nothing saved")
_HUNG = _exit_rule(FailureName.HUNG, "ended because it was silent for too long")
_STOPPED = _exit_rule(FailureName.STOPPED_BY_REQUEST, "asked to stop, and it saved its state")
_KILLED = _exit_rule(FailureName.KILLED_BY_SIGNAL, "a signal ended it, or a stop without saving")
_CRASHED = _exit_rule(
    FailureName.CRASHED, "ended by a segmentation fault, illegal instruction, bus error or abort"
)

RULES = (*_STARTS, *_ENDS, _NEVER_RAN, _WALLTIME, _HUNG, _STOPPED, _KILLED, _CRASHED)


@dataclass(frozen=True)
class Said:
    """What the engine knows of the program's output, as it bears on the machine."""

    started: bool
    """The program printed its banner."""
    saved: bool
    """It ended by itself, and its state is on the disk."""
    words: bytes = b""
    """The output itself: launchers write there where both streams go to one file."""


def findings(directory: Path, said: Said) -> tuple[Finding, ...]:
    """Return what the machine did to a run, from `exit.json` and the logs in its directory."""
    ended = read_exit(directory)
    found = [] if ended is None else list(_of_exit(ended, said))
    for text in (*(_ends(path) for path in logs(directory)), _both_ends(said.words)):
        found += [one for rule in _rules(said) for one in _of_text(rule, text)]
    unique = {one.failure.name: one for one in reversed(found)}
    return tuple(reversed(unique.values()))


def logs(directory: Path) -> tuple[Path, ...]:
    """Return the files of launchers and schedulers in a directory, sorted by name."""
    try:
        names = sorted(entry.name for entry in directory.iterdir() if entry.is_file())
    except OSError:
        return ()
    return tuple(
        directory / name for name in names if any(fnmatch(name, pattern) for pattern in LOGS)
    )


def _ends(path: Path) -> bytes:
    """Return head and tail of a file: a thousand ranks can each have left a backtrace."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES + _TAIL_BYTES)
            size = file.seek(0, 2)
            if size <= len(head):
                return head
            file.seek(size - _TAIL_BYTES)
            return head[:_HEAD_BYTES] + b"\n" + file.read()
    except OSError:
        return b""


def _both_ends(text: bytes) -> bytes:
    if len(text) <= _HEAD_BYTES + _TAIL_BYTES:
        return text
    return text[:_HEAD_BYTES] + b"\n" + text[-_TAIL_BYTES:]


def _rules(said: Said) -> Iterator[Rule]:
    if not said.started:
        yield from _STARTS
    yield from _ENDS


def _of_text(rule: Rule, text: bytes) -> Iterator[Finding]:
    found = re.search(rule.pattern.encode(), text, re.MULTILINE)
    if found is None:
        return
    start = text.rfind(b"\n", 0, found.start()) + 1
    end = text.find(b"\n", found.end())
    line = text[start : end if end >= 0 else len(text)].decode("utf-8", "replace")
    details: dict[str, JsonValue] = {}
    if rule.name is FailureName.LIBRARY_MISSING:
        details["library"] = found[1].decode("utf-8", "replace")
    number = found.groupdict().get("number") or found.groupdict().get("other")
    if number:
        details["signal"] = int(number)
    yield finding(rule, line, **details)


def _of_exit(ended: Exit, said: Said) -> Iterator[Finding]:
    """Yield at most one: why the parent process ended the program, else how it ended."""
    minutes = ended.seconds / 60
    if ended.reason == "hung":
        yield finding(
            _HUNG,
            f"no output for {ended.silent_s:.0f} s, before that for at most "
            f"{ended.longest_silence_s:.0f} s",
            silent_s=ended.silent_s,
        )
    elif ended.reason == "walltime" and not said.saved:
        yield finding(_WALLTIME, f"ended after {minutes:.1f} min, its walltime")
    elif ended.reason in {"stopped", "checkpoint"}:
        why = "for a checkpoint" if ended.reason == "checkpoint" else "because its worker stopped"
        if said.saved:
            yield finding(_STOPPED, f"asked to stop {why}", reason=ended.reason)
        else:
            yield finding(_KILLED, f"ended {why}; its state is not saved", reason=ended.reason)
    elif ended.exit_code is None or (
        ended.exit_code in {_NOT_FOUND, _NOT_EXECUTABLE} and not said.started
    ):
        yield finding(_NEVER_RAN, "the program did not start", exit_code=ended.exit_code)
    else:
        yield from _of_signal(ended.exit_code, said)


def _of_signal(code: int, said: Said) -> Iterator[Finding]:
    number = -code if code < 0 else code - _SHELL_SIGNALS
    if said.saved or number not in {int(one) for one in signal.Signals}:
        return
    named = signal.Signals(number).name
    rule = _CRASHED if number in set(_CRASHES) else _KILLED
    yield finding(rule, f"the program was ended by signal {number} ({named})", signal=number)
