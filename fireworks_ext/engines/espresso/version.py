"""The version of pw.x: some of its input is written in another way for another version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from fireworks_ext.engines.espresso.program import pw_code, pw_command
from schemas.errors import UserError
from schemas.profile import Code, Site

TESTED = "6.7"
"""The version that the tests run; decks for newer ones are compared with their documentation."""

_BANNER = re.compile(r"Program PWSCF v\.?\s*(\S+) starts")
_NUMBERS = re.compile(r"(\d+)\.(\d+)")
_PATIENCE_S = 60.0


class Version(NamedTuple):
    """A version of Quantum ESPRESSO: `7.3.1` is 7, 3; what stands behind changes no input."""

    major: int
    minor: int

    def __str__(self) -> str:
        """Return the version as it is printed."""
        return f"{self.major}.{self.minor}"


def parse_version(text: str) -> Version | None:
    """Return the version that a text begins with (`6.7MaX`, `7.3.1`), or None."""
    found = _NUMBERS.match(text)
    return Version(int(found[1]), int(found[2])) if found else None


def printed_version(site: Site) -> str | None:
    """Return the version in pw.x's own words (`6.7MaX`), or None where it says none.

    pw.x prints it before it refuses an empty input. It is asked once per program file: a file with
    another time of change or another size is asked again.
    """
    code = pw_code(site)
    path = shutil.which(code.command)
    if path is None:
        return None
    state = Path(path).stat()
    return _ask(path, state.st_size, state.st_mtime_ns, code.model_dump_json())


def version(site: Site) -> Version:
    """Return the version of the site's pw.x.

    Raises
    ------
    UserError
        When there is no such program, or when it does not say its version.
    """
    code = pw_code(site)
    if shutil.which(code.command) is None:
        raise UserError(
            f"no program '{code.command}' on PATH, so the version that the input is written for is "
            "not known; set codes.pw.command in the profile, or apt-get install quantum-espresso"
        )
    printed = printed_version(site)
    found = parse_version(printed or "")
    if found is None:
        said = f"says '{printed}'" if printed else "does not say one"
        raise UserError(
            f"the version of '{code.command}' is not known (it {said}), and Hubbard parameters are "
            f"written differently from version to version; `{code.command} < /dev/null` has to "
            "print 'Program PWSCF v.X.Y starts': look there for what it lacks (a library, an MPI "
            "launcher, a module to load), or set codes.pw.command to the program itself"
        )
    return found


@lru_cache(maxsize=32)
def _ask(path: str, _size: int, _mtime_ns: int, settings: str) -> str | None:
    code = Code.model_validate_json(settings).model_copy(update={"command": path})
    command = pw_command(Site(codes={"pw": code}), ranks=1)
    with tempfile.TemporaryDirectory() as folder:
        try:
            said = subprocess.run(
                command.argv[:-2],  # without -in FILE it reads standard input
                cwd=folder,
                input="",
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_PATIENCE_S,
                env={**_outside_of_mpi(), **command.environment},
                check=False,
            ).stdout
        except subprocess.TimeoutExpired as expired:
            said = _text(expired.stdout)
        except OSError:
            return None
    found = _BANNER.search(said)
    return found[1] if found else None


def _text(output: object) -> str:
    """Return what was read before the time was up: bytes even where text was asked for."""
    return output.decode(errors="replace") if isinstance(output, bytes) else str(output or "")


def _outside_of_mpi() -> dict[str, str]:
    """Return the environment without what makes a program join an MPI job around it."""
    joins = ("OMPI_COMM_WORLD_", "OMPI_UNIVERSE_", "PMI_", "PMIX_", "MPI_LOCAL")
    return {name: value for name, value in os.environ.items() if not name.startswith(joins)}
