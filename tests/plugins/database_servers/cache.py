"""What is built for tests, in the user's cache and by the content of its sources."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_path

from database_servers.missing import NotBuilt

SOURCES = Path(__file__).parent
FOLDER = user_cache_path("matcampaign") / "test-servers"


def place(name: str, recipe: Path, sources: Path = SOURCES) -> Path:
    """Return the folder for what a recipe makes of the sources in `name/`, there or not."""
    digest = hashlib.sha256()
    for file in [recipe, *sorted((sources / name).iterdir())]:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return FOLDER / f"{name}-{digest.hexdigest()[:16]}"


def built(
    name: str, recipe: Path, build: Callable[[Path, Path], None], sources: Path = SOURCES
) -> Path:
    """Return the folder with what `build(sources, folder)` makes of the sources in `name/`.

    `sources` is the folder that has `name/`, `recipe` is the file that says how. Processes that ask
    at once wait for the first; what is killed half-way leaves nothing behind that counts.
    """
    done = place(name, recipe, sources)
    if done.exists():
        return done
    FOLDER.mkdir(parents=True, exist_ok=True)
    with locked(FOLDER / f"{name}.lock"):
        if not done.exists():
            scratch = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=FOLDER))
            try:
                build(sources / name, scratch)
                scratch.rename(done)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return done


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that all processes of this machine see."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def call(*command: str | Path, folder: Path, **environ: str) -> None:
    """Run a build step; what it said is in the error when it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotBuilt(" ".join(map(str, command)), done.stdout[-2000:].strip())
