"""The blocks between lines of percent signs in which Quantum ESPRESSO reports errors.

pw.x, ph.x and neb.x stop through one routine, `errore` (UtilXlib/error_handler.f90), which writes
such a block to standard output and, in other words, to the file CRASH. In parallel every rank
writes one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fireworks_ext.attempts.rule import Finding, Rule, finding
from fireworks_ext.engines.espresso.keywords import KEYWORDS
from fireworks_ext.engines.espresso.recognition.run import Run
from schemas.failure import FailureName as Name
from schemas.model import JsonValue

_FRAME = b"%%%%%%%%%%%%%%%%%%%%"
_WORDS = b"Error in routine"
_BLOCK = re.compile(
    r"(?:Error in routine\s+(?P<routine>\S.*?)\s*\(\s*(?P<code>-?\d+)\s*\)\s*:"
    r"|from\s+(?P<crash_routine>\S.*?)\s*:\s*error #\s*(?P<crash_code>-?\d+))"
    r"[ \t]*\r?\n(?P<message>.*?)\s*(?:%{20,}|\n\s*\n|\Z)",
    re.DOTALL,
)
_REGION_BYTES = 256 * 1024
"""From the first block on: what a thousand ranks repeat is not read."""

_BAD_LINE = re.compile(r'bad line in namelist &(\w+): "(.*)"')
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)\s*(?:\([\d,\s]*\))?\s*=")
_FILE = re.compile(r"file\s+(\S+)")
_WORD = re.compile(r"[A-Za-z_]\w+")


def _block(
    name: Name,
    pattern: str = "",
    routine: str = "",
    *,
    words: str = "",
    programs: tuple[str, ...] = (),
) -> Rule:
    return Rule(name, "error block", pattern, routine, words, programs)


_NUMERICS = (
    _block(Name.CHARGE_WRONG, "charge is wrong", "electrons"),
    _block(Name.EXCHANGE_NEGATIVE, "dexx is negative", "electrons"),
    _block(Name.BROYDEN_FAILED, "factorization|DSYTRI", "broyden"),
    _block(Name.CHOLESKY_FAILED, "problems computing cholesky"),
    _block(Name.BANDS_NOT_CONVERGED, "too many bands are not converged"),
    _block(Name.S_MATRIX_NOT_POSITIVE, "S matrix not positive definite"),
    _block(Name.ZHEGVD_FAILED, "(?:zhegv|dsygv)[dx]? failed", "ppcg"),
    _block(Name.EIGENVECTORS_NOT_CONVERGED, "eigenvectors failed to converge"),
    _block(Name.TOO_FEW_BANDS, "too few (?:spin )?(?:up |dw )?bands|increase nbnd"),
    _block(Name.TOO_FEW_BANDS, "cannot bracket Ef", "efermi.*"),
    _block(Name.TOO_MANY_BANDS, "too many bands, or too few plane waves|more bands than PWs"),
    _block(
        Name.NOT_ORTHOGONAL_OPERATION,
        "not orthogonal operation|symmetry operations? (?:is )?not satisfied",
        "checkallsym",
    ),
    _block(
        Name.POOLS_WITHOUT_KPOINTS,
        "some nodes have no k-points|pools with no k-points|invalid number of pools",
    ),
    _block(Name.FFT_GRID_SYMMETRY, "FFT grid incompatible with symmetry|lone vector"),
    _block(Name.RADIAL_FFT_TOO_SMALL, "Not enough space allocated for radial FFT"),
    _block(Name.BFGS_FAILED, "dE0s is positive|step-length unreasonably short", "bfgs"),
    _block(Name.ATOMS_OVERLAP, r"atoms #.*overlap|overlapping atoms"),
    _block(
        Name.PHONON_REPRESENTATION_WRONG, "wrong representation", "set_irr_sym.*", programs=("ph",)
    ),
)
_FILES = (
    _block(Name.OUT_OF_MEMORY, "cannot allocate|error allocating|allocation (?:failed|error)"),
    _block(
        Name.FOLDER_NOT_WRITABLE,
        "cannot be created or accessed|(?:unable to|cannot) create|non writable|error opening",
    ),
    _block(Name.DISK_FULL, "error writing|failed writing"),
    _block(
        Name.RESTART_UNREADABLE,
        "fatal error reading xml file|starting and expected charges differ|cannot open restart"
        "|error reading|Wavefunctions in collected format not available",
        "read_conf_from_file|read_xml_file.*|potinit|read_rhog|read_wfc|pw_restart.*|davcio"
        "|read_file.*|phq_readin|read_restart",
    ),
    _block(Name.FUNCTIONAL_CONFLICT, "conflicting (?:matching )?values|inconsistent DFT"),
    _block(Name.PSEUDOPOTENTIAL_MISSING, "file .* not found", "readpp|read_pseudo.*"),
    _block(
        Name.PSEUDOPOTENTIAL_REFUSED,
        routine="readpp|read_?ps.*|read_upf.*|upf.*|readgth|read_ncpp|read_uspp|read_?pseudo.*"
        "|import_upf|set_dft.*|scan_begin|readrrkj|readvan",
    ),
    _block(
        Name.OCCUPATIONS_REFUSED,
        "fixed occupations and lsda|specify occupations|strange occupations"
        "|wrong fixed occupations|smearing is needed|occupations .*not (?:allowed|compatible)",
    ),
)
_TOO_LARGE = _block(Name.INPUT_REFUSED, "n_iter too big", "mix_rho")
_INPUT = _block(
    Name.INPUT_REFUSED,
    words="an error block before the first calculation begins that is none of the others",
)
_OTHER = _block(Name.UNRECOGNISED, words="an error block that is none of the others")
RULES = (*_NUMERICS, *_FILES, _TOO_LARGE, _INPUT, _OTHER)
"""The first that fits a block names it."""


@dataclass(frozen=True)
class Block:
    """One error: the routine that reports it, its code, and its words."""

    routine: str
    code: int
    message: str


def findings(run: Run) -> Iterator[Finding]:
    """Yield what the error blocks of a run tell, in the order in which they were written.

    A CRASH file beside an output that ends well is of an earlier run.
    """
    places = [run.out, *(text for _, text in run.images), run.err]
    if not run.job_done:
        places.append(run.crash)
    seen: set[tuple[str, str]] = set()
    for text in places:
        for block in blocks(text):
            if (block.routine, block.message) not in seen:
                seen.add((block.routine, block.message))
                yield _named(block, run)


def blocks(text: bytes) -> Iterator[Block]:
    """Yield the error blocks of a text, those without their frame as well."""
    first = text.find(_WORDS)
    if first < 0:
        first = text.find(_FRAME)
    if first < 0:
        return
    region = text[first : first + _REGION_BYTES].decode("utf-8", "replace")
    for found in _BLOCK.finditer(region):
        yield Block(
            routine=found["routine"] or found["crash_routine"],
            code=int(found["code"] or found["crash_code"]),
            message=" ".join(found["message"].split()),
        )


def _named(block: Block, run: Run) -> Finding:
    rule = next((one for one in RULES[:-2] if _fits(one, block, run)), None)
    if rule is None:
        rule = _INPUT if run.started and not run.calculated else _OTHER
    details: dict[str, JsonValue] = {"routine": block.routine, "code": block.code}
    if rule is _TOO_LARGE:
        details["keyword"] = "mixing_ndim"
    elif rule.name in {Name.INPUT_REFUSED, Name.OCCUPATIONS_REFUSED}:
        details |= _refused(block.message)
    file = _FILE.search(block.message)
    if file and rule.name is not Name.INPUT_REFUSED:
        details["file"] = file[1]
    return finding(rule, block.message, **details)


def _fits(rule: Rule, block: Block, run: Run) -> bool:
    return (
        (not rule.programs or run.program in rule.programs)
        and (not rule.routine or re.fullmatch(rule.routine, block.routine) is not None)
        and re.search(rule.pattern, block.message) is not None
    )


def _refused(message: str) -> dict[str, JsonValue]:
    """Return the namelist and the keyword that were refused, as far as the words tell.

    A bad line is quoted whole; where it sets several keywords, the first that pw.x does not know
    is the one, and where it knows all, the line says no more.
    """
    bad = _BAD_LINE.search(message)
    if bad:
        assigned = _ASSIGNED.findall(bad[2])
        unknown = [word for word in assigned if word.lower() not in KEYWORDS]
        chosen = unknown or (assigned if len(assigned) == 1 else [])
        return {"namelist": bad[1].lower(), "keyword": chosen[-1] if chosen else None}
    named = [word for word in _WORD.findall(message) if word.lower() in KEYWORDS]
    return {"keyword": named[0]} if named else {}
