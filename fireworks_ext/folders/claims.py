"""Claims on a folder, where there is no database to lease from: of all that want it, one gets it.

A claim is a file `claim-N` whose number counts up with every holder; who creates the next number
(which only one can, on any file system that creates exclusively, NFS from version 3 on included)
has the folder. Its holder touches it every `BEAT_S`; one that was not touched for `STALE_S`, or
whose process is known to be gone, may be succeeded.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fireworks_ext.processes import Process, is_gone, parse

BEAT_S = 20.0
STALE_S = 120.0
PREFIX = "claim-"


@contextmanager
def claimed(folder: Path, owner: Process) -> Iterator[bool]:
    """Hold the claim on a folder while the body runs; False where somebody else has it.

    The claim of an owner whose body came to its end is taken away: the folder is free again.
    """
    path = _claim(folder, owner)
    if path is None:
        yield False
        return
    done = threading.Event()
    beat = threading.Thread(target=_beat, args=(path, done), daemon=True)
    beat.start()
    try:
        yield True
    finally:
        done.set()
        beat.join()
        _give_back(path)


def _claim(folder: Path, owner: Process) -> Path | None:
    held = sorted(folder.glob(f"{PREFIX}*"), key=_number)
    if held and not _is_free(held[-1]):
        return None
    path = folder / f"{PREFIX}{_number(held[-1]) + 1 if held else 1}"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(owner.name)
    except (FileExistsError, FileNotFoundError):  # or its result was taken in, with the folder
        return None
    return path


def _is_free(path: Path) -> bool:
    """Tell whether a claim was given back, or its holder is gone."""
    try:
        name, touched = path.read_text(encoding="utf-8"), path.stat().st_mtime
        if name == GIVEN_BACK:
            return True
        process = parse(name)
        if process is not None and is_gone(process):
            return True
        return _now(path.parent) - touched > STALE_S
    except FileNotFoundError:
        return False  # it changes under our eyes: somebody is quicker


GIVEN_BACK = "-"


def _give_back(path: Path) -> None:
    """Mark a claim as given back; it stays, so that numbers only grow."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):  # whoever took the result in removed the folder
        aside.write_text(GIVEN_BACK, encoding="utf-8")
        aside.replace(path)


def _now(folder: Path) -> float:
    """Return the time as the file system has it: clocks of machines differ."""
    probe = folder / f".now-{os.getpid()}-{threading.get_ident()}"
    probe.touch()
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink()


def _beat(path: Path, done: threading.Event) -> None:
    while not done.wait(BEAT_S):
        with suppress(OSError):  # the next beat is another chance: STALE_S is six of them
            os.utime(path)


def _number(path: Path) -> int:
    number = path.name.removeprefix(PREFIX)
    return int(number) if number.isdigit() else 0
