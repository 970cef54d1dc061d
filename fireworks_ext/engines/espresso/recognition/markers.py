"""What the programs say outside of error blocks when a run goes wrong: literal texts.

Literal, because finding one in 50 MB takes 10 ms; regular expressions take a hundred times that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from fireworks_ext.attempts.rule import Finding, Rule, finding
from fireworks_ext.engines.espresso.recognition import course
from fireworks_ext.engines.espresso.recognition.run import Run
from schemas.failure import FailureName as Name
from schemas.model import JsonValue

_PW, _PH, _NEB = ("pw",), ("ph",), ("neb",)
_SCF_MISSED = "convergence NOT achieved after"
_FINAL = b"Final scf calculation at the relaxed structure"
_MOVES = (b"Geometry Optimization", b"Damped Dynamics", b"Entering Dynamics", b"Molecular Dynamics")
_ACCURACY = re.compile(rb"estimated scf accuracy\s+<\s*(\S+) Ry")
_ON_IMAGE = re.compile(r"on image\s+(\d+)")
_MD_TASKS = ("md", "vc-md")
_CRITERIA = re.compile(rb"criteria: energy <\s*(\S+)\s*Ry, force <\s*([-+.\dE]+)")

STEPS_EXHAUSTED = Rule(
    Name.IONIC_STEPS_EXHAUSTED,
    "output",
    "The maximum number of steps has been reached.",
    programs=_PW,
)
SCF_NOT_CONVERGED = Rule(Name.SCF_NOT_CONVERGED, "output", _SCF_MISSED)
SCF_ALLOWED = Rule(
    Name.SCF_NOT_CONVERGED,
    "output",
    words="the same, or an accuracy above the threshold, where the deck sets `scf_must_converge` "
    "to false or `electron_maxstep` to 0",
    severity="warns",
)
OUT_OF_WALLTIME = Rule(Name.OUT_OF_WALLTIME, "output", "Maximum CPU time exceeded")
KILLED_AT_WALLTIME = Rule(
    Name.KILLED_AT_WALLTIME,
    "output",
    words="`Maximum CPU time exceeded` without `JOB DONE.`: ended while it saved its state",
)
BFGS = (
    Rule(
        Name.BFGS_FAILED, "output", "history already reset at previous step: stopping", programs=_PW
    ),
    Rule(Name.BFGS_FAILED, "output", "bfgs failed after", programs=_PW, since="7.1"),
)
POOLS_IDLE = Rule(
    Name.POOLS_WITHOUT_KPOINTS, "output", "some nodes have no k-points", severity="warns"
)
STOPPED = (
    Rule(Name.STOPPED_BY_REQUEST, "output", "Program stopped by user request"),
    Rule(Name.STOPPED_BY_REQUEST, "output", "Signal Received, stopping"),
)
_PLAIN = (
    Rule(Name.G_VECTOR_NOT_RECIPROCAL, "output", "probably because G_par is NOT"),
    Rule(Name.QR_FAILED, "output", "[Q, R] = qr(X, 0) failed", since="6.3"),
    Rule(Name.PHONON_NOT_CONVERGED, "output", "No convergence has been achieved", programs=_PH),
    Rule(Name.PATH_STEPS_EXHAUSTED, "output", "reached the maximum number of", programs=_NEB),
    Rule(Name.SCF_NOT_CONVERGED, "output", "scf convergence NOT achieved on image", programs=_NEB),
)
RULES = (
    *_PLAIN,
    SCF_NOT_CONVERGED,
    SCF_ALLOWED,
    OUT_OF_WALLTIME,
    KILLED_AT_WALLTIME,
    *STOPPED,
    STEPS_EXHAUSTED,
    *BFGS,
    POOLS_IDLE,
)


def findings(run: Run) -> Iterator[Finding]:
    """Yield what a run says outside of error blocks; images of a path are said by number."""
    crash = b"" if run.job_done else run.crash
    for image, text in (("", run.out), *run.images, ("", crash)):
        details: dict[str, JsonValue] = {"image": int(image)} if image else {}
        for rule in _PLAIN:
            place = text.rfind(rule.pattern.encode())
            if place >= 0 and (not rule.programs or run.program in rule.programs):
                line = _line(text, place)
                found = _ON_IMAGE.search(line)
                yield finding(rule, line, **({"image": int(found[1])} if found else details))
        yield from _ended(text, details)
        yield from _scf(run, text, details)
    yield from _ions(run)
    place = run.out.find(POOLS_IDLE.pattern.encode())
    if place >= 0:
        yield finding(POOLS_IDLE, _line(run.out, place))


def _ended(text: bytes, details: Mapping[str, JsonValue]) -> Iterator[Finding]:
    """Yield how it was asked to end; the output of an image has no `JOB DONE.` of its own."""
    if text.rfind(OUT_OF_WALLTIME.pattern.encode()) >= 0:
        clean = bool(details) or text.rfind(b"JOB DONE.") >= 0
        yield finding(
            OUT_OF_WALLTIME if clean else KILLED_AT_WALLTIME, OUT_OF_WALLTIME.pattern, **details
        )
    for rule in STOPPED:
        if text.rfind(rule.pattern.encode()) >= 0:
            yield finding(rule, rule.pattern, **details)


def _scf(run: Run, text: bytes, details: Mapping[str, JsonValue]) -> Iterator[Finding]:
    """Yield an unconverged self-consistency: where it happened, and how far it came."""
    allowed = run.asked("scf_must_converge") in {".false.", "f", ".f.", "false"}
    allowed = allowed or run.asked("electron_maxstep") == "0"
    place = text.rfind(_SCF_MISSED.encode())
    if place < 0:
        yield from _claimed(text) if allowed else ()
        return
    before = text[max(0, text.rfind(b"Self-consistent Calculation", 0, place)) : place]
    accuracies = _ACCURACY.findall(before)
    where = "scf"
    if any(text.rfind(word, 0, place) >= 0 for word in _MOVES):
        where = "final scf" if text.rfind(_FINAL, 0, place) >= 0 else "relaxation"
    elif run.task in {"relax", "vc-relax"}:
        where = "relaxation"
    yield finding(
        SCF_ALLOWED if allowed else SCF_NOT_CONVERGED,
        _line(text, place),
        where=where,
        scf_accuracy_ry=course.to_float(accuracies[-1]) if accuracies else None,
        iterations=len(accuracies),
        **details,
    )


def _claimed(text: bytes) -> Iterator[Finding]:
    """Yield an scf that need not converge and did not, though pw.x 6.7 says that it did."""
    limit = course.number_after(text, b"scf convergence threshold =")
    last = course.number_after(text, b"estimated scf accuracy    <", last=True)
    if limit is not None and last is not None and last > limit:
        yield finding(SCF_ALLOWED, SCF_ALLOWED.words, where="scf", scf_accuracy_ry=last)


def _ions(run: Run) -> Iterator[Finding]:
    """Yield a relaxation that used up its steps, or lost its history in the last of them."""
    place = run.out.rfind(STEPS_EXHAUSTED.pattern.encode())
    moved = run.task in _MD_TASKS or (run.task is None and b"Molecular Dynamics" in run.out)
    if place >= 0 and not moved:
        steps = run.asked("nstep")
        nstep = int(steps) if steps is not None and steps.isdigit() else None
        yield finding(STEPS_EXHAUSTED, _line(run.out, place), nstep=nstep)
    for rule in BFGS:
        place = run.out.rfind(rule.pattern.encode())
        # A step after the message: the minimiser did go on.
        went_on = run.out.find(b"number of bfgs steps", place) >= 0
        if place >= 0 and not went_on and not _meets_criteria(run.out[place:]):
            yield finding(rule, _line(run.out, place))


def _meets_criteria(text: bytes) -> bool:
    """Tell whether the last step is relaxed; pw.x says that it converged in any case."""
    criteria = _CRITERIA.search(text)
    if criteria is None:
        return False
    errors = [
        course.number_after(text, words, last=True)
        for words in (b"Energy error            =", b"Gradient error          =")
    ]
    limits = [course.to_float(limit) for limit in criteria.groups()]
    return all(
        error is not None and limit is not None and error < limit
        for error, limit in zip(errors, limits, strict=True)
    )


def _line(text: bytes, place: int) -> str:
    end = text.find(b"\n", place)
    start = text.rfind(b"\n", 0, place) + 1
    return text[start : end if end >= 0 else None].decode("utf-8", "replace").strip()
