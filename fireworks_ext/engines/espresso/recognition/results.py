"""What the XML file of pw.x adds, where it is there: damage, occupations of the highest band.

Nothing needs it: a run is judged by its text where the file is missing.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from fireworks_ext.attempts.rule import Finding, Rule, finding
from fireworks_ext.engines.espresso.recognition import course
from fireworks_ext.engines.espresso.recognition.run import Run
from schemas.failure import FailureName as Name

HIGHEST_OCCUPATION = 0.01
"""Of a full band. AiiDA's check of the same thing takes 0.005."""
_PW = ("pw",)
MISSING = Rule(
    Name.XML_MISSING, "files", words="`JOB DONE.`, and no `data-file-schema.xml`", programs=_PW
)
UNREADABLE = Rule(
    Name.XML_UNREADABLE, "results", words="`data-file-schema.xml` is no whole XML file"
)
HIGHEST = Rule(
    Name.HIGHEST_BAND_OCCUPIED,
    "results",
    words=f"the highest band holds more than {HIGHEST_OCCUPATION:g} of what it can at a k-point; "
    "without the file of results: it lies below the Fermi energy",
    programs=_PW,
)
RULES = (MISSING, UNREADABLE, HIGHEST)

_read: dict[Path, tuple[tuple[int, int], ET.Element]] = {}
"""The last file that was read: the parser of the results wants what recognition has just seen."""


def read_xml(path: Path) -> ET.Element:
    """Return the root of an XML file, compressed or not.

    Raises
    ------
    OSError
        When it cannot be read.
    xml.etree.ElementTree.ParseError
        When it is damaged.
    """
    stat = path.stat()
    mark = (stat.st_size, stat.st_mtime_ns)
    if path not in _read or _read[path][0] != mark:
        root = _parse(path)
        _read.clear()
        _read[path] = (mark, root)
    return _read[path][1]


def _parse(path: Path) -> ET.Element:
    data = path.read_bytes()
    if path.name.endswith(".gz"):
        try:
            data = gzip.decompress(data)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ET.ParseError(f"damaged compression: {error}") from error
    try:
        return ET.fromstring(data)  # noqa: S314  (written by pw.x; expat refuses entity bombs)
    except (ValueError, LookupError) as error:  # an encoding that is none
        raise ET.ParseError(str(error)) from error


def forget() -> None:
    """Forget the last file."""
    _read.clear()


def findings(run: Run) -> Iterator[Finding]:
    """Yield what the file of results says of a run, or that it cannot be read."""
    if run.program != "pw":
        return
    if run.xml is None:
        if run.ours and run.job_done:
            yield finding(MISSING, MISSING.words)
        yield from _highest_by_text(run)
        return
    try:
        root = read_xml(run.xml)
    except (OSError, ET.ParseError) as error:
        yield finding(UNREADABLE, f"{run.xml.name}: {error}")
        yield from _highest_by_text(run)
        return
    if run.job_done:
        yield from _highest(root)


def _highest(root: ET.Element) -> Iterator[Finding]:
    bands = root.find("output/band_structure")
    if bands is None or bands.findtext("occupations_kind") == "fixed":
        return
    up = bands.findtext("nbnd_up") if bands.findtext("lsda") == "true" else None
    highest = 0.0
    for text in bands.iterfind("ks_energies/occupations"):
        words = (text.text or "").split()
        tops = [words[-1:], words[int(up) - 1 : int(up)] if up and up.isdigit() else []]
        for word in (word for top in tops for word in top):
            highest = max(highest, course.to_float(word.encode()) or 0.0)
    if highest > HIGHEST_OCCUPATION:
        yield finding(HIGHEST, f"the highest band is occupied by {highest:.3f}", occupation=highest)


def _highest_by_text(run: Run) -> Iterator[Finding]:
    found = course.band_tops_ev(run.out) if run.job_done else None
    if found is not None and found[0] < found[1]:
        top, fermi = found
        message = f"the highest band begins at {top:.2f} eV, the Fermi energy is {fermi:.2f} eV"
        yield finding(HIGHEST, message, band_ev=top, fermi_ev=fermi)
