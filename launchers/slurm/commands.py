"""Running Slurm's programs: without a shell, never waiting for ever."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from schemas.errors import UserError
from schemas.queue import Silent

TIMEOUT_S = 60.0
"""squeue of 22.05 gives up after 9 s without a controller, scontrol after 18 s."""
DEFAULTS_OF_USERS = re.compile(r"^(?:SLURM|SBATCH|SQUEUE|SACCT|SCANCEL|SCONTROL)_")
"""Variables that change what the programs do, or come from an allocation that we run in."""
SITE_DEFAULTS = {
    "SBATCH_ACCOUNT": "account",
    "SBATCH_PARTITION": "partition",
    "SBATCH_QOS": "qos",
    "SBATCH_CONSTRAINT": "constraint",
    "SBATCH_RESERVATION": "reservation",
}
"""Users' own defaults that hold where the setting of that name is not given."""
SECRET_NAME = re.compile(
    r"SECRET|TOKEN|PASSW|CREDENTIAL|PRIVATE_?KEY|ACCESS_?KEY|API_?KEY", re.IGNORECASE
)
SECRET_VALUE = re.compile(r"://[^/@\s]*:[^/@\s]*@")
READABLE = {"SLURM_TIME_FORMAT": "%s", "SLURM_BITSTR_LEN": "0", "LC_ALL": "C"}
"""Makes answers ones that a program reads: Unix time, arrays' indices in full, no translation."""
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(frozen=True, slots=True)
class Answer:
    """How a program ended and what it said."""

    code: int
    output: str
    errors: str


class Commands:
    """Slurm's programs, as one user calls them."""

    def __init__(
        self, environment: Mapping[str, str] | None = None, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._given = os.environ if environment is None else environment
        self._timeout_s = timeout_s

    def ask(self, *argv: str, defaults: frozenset[str] = frozenset()) -> Answer:
        """Run a program and return its answer.

        Parameters
        ----------
        defaults
            The settings that the user's own variables (`SITE_DEFAULTS`) may decide.

        Raises
        ------
        UserError
            When the program is not installed.
        Silent
            When it gives no answer in time; it is ended then.
        """
        environment = environment_of(self._given, defaults)
        if argv[0] != "sbatch":  # whose environment jobs inherit
            environment |= READABLE
        program = shutil.which(argv[0], path=environment.get("PATH"))
        if program is None:
            raise UserError(
                f"launcher.kind: slurm needs Slurm's program {argv[0]}, which is not on PATH; run "
                "this on a login node of the cluster (perhaps after `module load slurm`), or use "
                "`kind: local`"
            )
        try:
            done = subprocess.run(
                [program, *argv[1:]],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                env=environment,
                timeout=self._timeout_s,
                # Ctrl-C is for the campaign: a job that is being handed in gets its number.
                process_group=0,
                preexec_fn=_dies_with(os.getpid()),
            )
        except subprocess.TimeoutExpired as error:
            raise Silent(f"{argv[0]} gave no answer within {self._timeout_s:g} s") from error
        return Answer(
            done.returncode,
            done.stdout.decode(errors="replace"),
            done.stderr.decode(errors="replace"),
        )


def environment_of(given: Mapping[str, str], defaults: frozenset[str]) -> dict[str, str]:
    """Return the environment of Slurm's programs, which jobs inherit: without secrets.

    A job gets what the user's shell had (modules, paths); passwords stay on the head node, since
    Slurm writes the environment of jobs to its disks.
    """
    kept = {
        name: value
        for name, value in given.items()
        if not DEFAULTS_OF_USERS.match(name)
        and not SECRET_NAME.search(name)
        and not SECRET_VALUE.search(value)
    }
    for name, setting in SITE_DEFAULTS.items():
        if name in given and setting in defaults:
            kept[name] = given[name]
    if "SLURM_CONF" in given:
        kept["SLURM_CONF"] = given["SLURM_CONF"]
    return kept


def _dies_with(parent: int) -> Callable[[], None]:
    """Return what a child calls so that the kernel ends it with us.

    A controller that was killed must not have its submission come through after another one has
    looked for it.
    """
    prctl = ctypes.CDLL(None).prctl

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return prepare
