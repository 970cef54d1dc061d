"""Files of weights: where packages keep them, and what they hash to."""

from __future__ import annotations

from functools import cache
from hashlib import file_digest
from importlib.util import find_spec
from pathlib import Path


def installed(package: str) -> bool:
    """Tell whether a package can be imported, without importing it."""
    return find_spec(package) is not None


def missing(packages: tuple[str, ...], install: str) -> str | None:
    """Return which of the packages are not installed and how to install them, or None."""
    absent = [package for package in packages if not installed(package)]
    if not absent:
        return None
    verb = "is" if len(absent) == 1 else "are"
    return f"{' and '.join(absent)} {verb} not installed; install with: {install}"


def packaged(package: str, file: str) -> Path | None:
    """Return a file that an installed package ships, or None; the package is not imported."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / file
    return path if path.is_file() else None


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file; remembered as long as its size and time stay."""
    known = path.stat()
    return _sha256(path, known.st_size, known.st_mtime_ns)


@cache
def _sha256(path: Path, _size: int, _mtime_ns: int) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
