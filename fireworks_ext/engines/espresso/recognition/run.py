"""A run directory as it is read: which program left it, and its texts.

Names of files do not matter: an output is known by the banner of its program, also when it is
compressed. Where a directory holds outputs of several runs, the newest speaks for it.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fireworks_ext.attempts import machine
from fireworks_ext.attempts.exits import Exit, read_exit
from fireworks_ext.engines.espresso.log import STDERR, STDOUT

DECK_FILES = ("pw.in", "deck.json")
"""A directory with one of these is a run of pw.x, even before it printed anything."""
OWN_DECK = DECK_FILES[1]
"""With this one it was laid out by this engine, and files have the engine's names."""
CRASH_FILE = "CRASH"
XML_NAMES = ("data-file-schema.xml", "data-file-schema.xml.gz")

_PROGRAMS = {b"PWSCF": "pw", b"PHONON": "ph", b"NEB": "neb", b"DOS": "dos"}
_BANNER = re.compile(rb"Program (PWSCF|PHONON|NEB|DOS)\s+v\.?\s*(\d+(?:\.\d+)*)")
_HEAD_BYTES = 64 * 1024
"""Modules and launchers print before the banner."""
_MOST_BYTES = 1 << 30
_NOT_OUTPUTS = (
    *(".in", ".pwi", ".json", ".xml", ".xml.gz", ".dat", ".upf", ".upf.gz", ".save", ".err"),
    *(
        ".py",
        ".sh",
        ".yaml",
        ".md",
        ".rst",
        ".html",
        ".hdf5",
        ".axsf",
        ".xyz",
        ".path",
        ".int",
        ".crd",
        ".png",
    ),
)
_OUTPUT_SUFFIXES = (".out", ".pwo", ".log", ".stdout")
_SHOWS_ERRORS = re.compile(
    rb"Error in routine|from \S.*: error #|G_par is NOT|\[Q, R\] = qr\(X, 0\) failed"
)
"""Outputs and CRASH files are known by these where the banner was cut off."""
_INPUT_NAMED = re.compile(rb"Reading input from (\S+)")
_NAMELISTS = re.compile(rb"^\s*&(?:control|inputph|path)\b", re.IGNORECASE | re.MULTILINE)
_ASSIGNED = rb"\s*(?:\([\d\s]*\))?\s*(?:=|\":)\s*([^,\s!/}]+)"
"""As in a namelist, or in the JSON of a deck."""
_IMAGE = re.compile(r"(?:^|_)(\d+)$")
_IMAGE_OUTPUTS = ("*_[0-9]*/PW.out", "*/*_[0-9]*/PW.out")
_XML_PLACES = ("", "out/pwscf.save")


@dataclass(frozen=True)
class Run:
    """The texts of one run. `output` is None where there is no file of it."""

    directory: Path
    ours: bool
    """This engine laid it out."""
    output: Path | None
    out: bytes
    err: bytes
    crash: bytes
    deck: bytes
    xml: Path | None
    images: tuple[tuple[str, bytes], ...]
    """Number and output of every image of a path."""
    exit: Exit | None

    @cached_property
    def banner(self) -> tuple[str, str] | None:
        """The program and its version, as it says them."""
        found = _BANNER.search(self.out, 0, _HEAD_BYTES)
        return (_PROGRAMS[found[1]], found[2].decode()) if found else None

    @property
    def program(self) -> str:
        """Which of pw, ph, neb and dos it is; pw where nothing tells."""
        return self.banner[0] if self.banner else "pw"

    @property
    def started(self) -> bool:
        """Whether the program said that it starts."""
        return self.banner is not None

    @cached_property
    def calculated(self) -> bool:
        """Whether it came beyond reading and setting up."""
        return b"Self-consistent Calculation" in self.out or b"Band Structure Calc" in self.out

    @cached_property
    def job_done(self) -> bool:
        """Whether the program ended by itself; it says so for unconverged runs as well."""
        return self.out.rfind(b"JOB DONE.") >= 0

    @cached_property
    def has_input(self) -> bool:
        """Whether the deck was found."""
        return bool(self.deck)

    def asked(self, keyword: str) -> str | None:
        """Return the value of a keyword in the deck as written, without quotes, or None."""
        pattern = rb"(?<![\w%])" + keyword.encode() + _ASSIGNED
        found = re.search(pattern, self._plain_deck, re.IGNORECASE)
        return found[1].decode("utf-8", "replace").strip("'\"").lower() if found else None

    @cached_property
    def _plain_deck(self) -> bytes:
        return re.sub(rb"!.*", b"", self.deck)

    @property
    def task(self) -> str | None:
        """What the deck asked pw.x for: scf, relax, vc-relax, ... ; None where it is unknown."""
        if self.program != "pw" or not self.has_input:
            return None
        return self.asked("calculation") or "scf"


def read_run(directory: Path) -> Run | None:
    """Return the run in a directory, or None when nothing in it is of these programs.

    Raises
    ------
    OSError
        When the directory cannot be listed.
    """
    names = {entry.name: entry for entry in directory.iterdir() if entry.is_file()}
    ours = OWN_DECK in names
    output = _output(names, ours=ours)
    crash = _read(names.get(CRASH_FILE))
    decks = any(name in names for name in DECK_FILES)
    if output is None and not decks and not _SHOWS_ERRORS.search(crash):
        return None
    out = _read(output)
    err = _read(names.get(STDERR)) if STDERR in names else b"".join(_errors(directory, output))
    return Run(
        directory=directory,
        ours=ours,
        output=output,
        out=out,
        err=err,
        crash=crash,
        deck=_deck(names, out, output),
        xml=find_xml(directory),
        images=tuple(_images(directory)) if b"Program NEB" in out[:_HEAD_BYTES] else (),
        exit=read_exit(directory),
    )


def _output(names: dict[str, Path], *, ours: bool) -> Path | None:
    """Return the output: ours by its name, others by banner, by errors, or by being empty."""
    for own in (STDOUT, STDOUT + ".gz"):
        if ours and own in names:
            return names[own]
    by_banner, by_error, empty = [], [], []
    deck = any(_is_deck(path) for path in names.values())
    for name, path in names.items():
        if name == CRASH_FILE or name.lower().endswith(_NOT_OUTPUTS):
            continue
        head = _head(path)
        if _BANNER.search(head):
            by_banner.append(path)
        elif _SHOWS_ERRORS.search(head):
            by_error.append(path)
        elif deck and name.endswith(_OUTPUT_SUFFIXES) and (not head or b"\0" in head):
            empty.append(path)
    candidates = by_banner or by_error or empty
    return max(candidates, key=lambda path: (path.stat().st_mtime_ns, path.name), default=None)


def _is_deck(path: Path) -> bool:
    return path.name.lower().endswith((".in", ".pwi", ".inp")) and bool(
        _NAMELISTS.search(_head(path))
    )


def _deck(names: dict[str, Path], out: bytes, output: Path | None) -> bytes:
    """Return the input: what the output names, else its namesake, else one by our name."""
    named = _INPUT_NAMED.search(out, 0, _HEAD_BYTES)
    wanted = [Path(named[1].decode("utf-8", "replace")).name if named else ""]
    if output is not None:
        stem = output.name.removesuffix(".gz").rpartition(".")[0]
        wanted += [stem + suffix for suffix in (".in", ".pwi", ".inp")]
    for name in (*wanted, *DECK_FILES):
        if name in names:
            return _read(names[name])
    decks = [path for path in names.values() if _is_deck(path)]
    return _read(decks[0]) if len(decks) == 1 else b""


def _errors(directory: Path, output: Path | None) -> Iterator[bytes]:
    for path in machine.logs(directory):
        if path != output:
            yield _read(path)[-_HEAD_BYTES:]


def _images(directory: Path) -> Iterator[tuple[str, bytes]]:
    for pattern in _IMAGE_OUTPUTS:
        for path in sorted(directory.glob(pattern)):
            number = _IMAGE.search(path.parent.name)
            if number:
                yield number[1], _read(path)


def find_xml(directory: Path) -> Path | None:
    """Return the file of results of pw.x, compressed or not; the newest where there are several."""
    for place in _XML_PLACES:
        for name in XML_NAMES:
            if (directory / place / name).is_file():
                return directory / place / name
    found = [
        path
        for pattern in ("*.save/", "*/*.save/")
        for name in XML_NAMES
        for path in directory.glob(pattern + name)
        if path.is_file()
    ]
    return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return b""
    if path.name.endswith(".gz"):
        try:
            return zlib.decompressobj(wbits=31).decompress(head, _HEAD_BYTES)
        except zlib.error:
            return b""
    return head


def _read(path: Path | None) -> bytes:
    """Return a file's bytes, decompressed as far as they go; absent files are empty."""
    if path is None:
        return b""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES)
    except OSError:
        return b""
    if not path.name.endswith(".gz"):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        try:
            return zlib.decompressobj(wbits=31).decompress(data, _MOST_BYTES)
        except zlib.error:
            return b""
