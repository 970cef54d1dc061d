"""The Java that Trino runs with, which is newer than what Debian has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

OLDEST_JAVA = 24
"""What Trino 476 asks for: https://trino.io/docs/476/installation/deployment.html"""
INSTALLED = Path("/usr/lib/jvm")


class NoJava(Exception):
    """There is no Java that is new enough; that is how most machines are."""

    def __init__(self) -> None:
        super().__init__(
            f"no Java from {OLDEST_JAVA} on (JAVA_HOME, PATH, {INSTALLED}); the recorded answers "
            "of Trino stand in for it"
        )


def find_java() -> Path:
    """Return the first Java that is new enough: of JAVA_HOME, on PATH, where packages put it.

    Raises
    ------
    NoJava
        Where there is none.
    """
    for java in _places():
        if java.exists() and _version(java) >= OLDEST_JAVA:
            return java
    raise NoJava


def _places() -> Iterator[Path]:
    if "JAVA_HOME" in os.environ:
        yield Path(os.environ["JAVA_HOME"]) / "bin/java"
    on_path = shutil.which("java")
    if on_path is not None:
        yield Path(on_path)
    yield from sorted(INSTALLED.glob("*/bin/java"))


def _version(java: Path) -> int:
    done = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', done.stderr)
    return int(found[1]) if found else 0
