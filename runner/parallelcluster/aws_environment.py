"""An environment of its own for `aws-parallelcluster`, whose packages do not go with ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from runner.settings import data_folder
from schemas.errors import UserError

REQUIREMENTS = ("aws-parallelcluster=={version}", "setuptools<81")
"""It still imports pkg_resources, which setuptools has no more from 81 on."""
LONGEST_S = 600
SHOWN_CHARACTERS = 600


def interpreter(version: str, environ: Mapping[str, str]) -> Path:
    """Return a Python that has AWS ParallelCluster, made at first use (a minute, 200 MB).

    It is made aside and renamed at the end, so it is whole or not there; another process may make
    the same one meanwhile.

    Raises
    ------
    UserError
        When it cannot be made, with pip's own words.
    """
    folder = environment_folder(version, environ)
    python = folder / "bin" / "python"
    if python.exists():
        return python
    aside: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        _install(aside, version)
        aside.rename(folder)
    except OSError as error:
        if not python.exists():  # else another process was quicker
            raise UserError(
                f"the environment for AWS ParallelCluster cannot be made in {folder}: {error}"
            ) from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
    return python


def environment_folder(version: str, environ: Mapping[str, str]) -> Path:
    """Return where the environment of a version is."""
    return data_folder(environ) / "tools" / f"parallelcluster-{version}"


def _install(folder: Path, version: str) -> None:
    requirements = [requirement.format(version=version) for requirement in REQUIREMENTS]
    pip = (str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet",
           "--disable-pip-version-check")  # fmt: skip
    for command in ((sys.executable, "-m", "venv", str(folder)), (*pip, *requirements)):
        try:
            done = subprocess.run(
                command,
                check=False,
                capture_output=True,
                text=True,
                timeout=LONGEST_S,
                # Neither our packages nor the user's are seen from inside.
                env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
            )
        except subprocess.TimeoutExpired as error:
            raise UserError(f"{' '.join(command)}: no end after {LONGEST_S} s") from error
        if done.returncode:
            said = (done.stderr or done.stdout).strip()[-SHOWN_CHARACTERS:]
            raise UserError(
                f"AWS ParallelCluster {version} is not installed, and it could not be installed:\n"
                f"{said}\n"
                "Where there is no way to a package index, name a Python that has it: "
                "campaign cluster check FILE --python PATH"
            )
