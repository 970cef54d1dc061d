"""The text output of pw.x: its names, and how self-consistency and magnetisation went in it.

What goes wrong is told by `recognition`.
"""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

STDOUT = "pw.out"
STDERR = "pw.err"

_ACCURACY = re.compile(r"estimated scf accuracy\s+<\s*([-+.\dEeDd]+) Ry")
_VECTOR = re.compile(
    r"total magnetization\s+=\s+(-?\d+\.\d+)\s+(-?\d+\.\d+)\s+(-?\d+\.\d+)\s+Bohr mag/cell"
)
_SCF_STARTS = "Self-consistent Calculation"


@dataclass(frozen=True)
class Log:
    """The standard output of a run."""

    out: str

    def scf_accuracies_ry(self) -> list[float]:
        """Return the estimated accuracy after each iteration of the last scf cycle, in Ry."""
        last = self.out.rfind(_SCF_STARTS)
        return [
            float(number.lower().replace("d", "e"))
            for number in _ACCURACY.findall(self.out, max(last, 0))
        ]

    def magnetisation_bohr(self) -> list[float]:
        """Return the last magnetisation of a non-collinear run, x, y, z in Bohr magnetons."""
        found = _VECTOR.findall(self.out)
        return [float(number) for number in found[-1]] if found else []


def read_log(directory: Path) -> Log:
    """Read the text output of a run directory, also a compressed one; an absent one is empty."""
    try:
        text = (directory / STDOUT).read_bytes()
    except FileNotFoundError:
        text = _compressed(directory / f"{STDOUT}.gz")
    except OSError:
        text = b""
    return Log(text.decode("utf-8", "replace"))


def _compressed(path: Path) -> bytes:
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error):
        return b""
