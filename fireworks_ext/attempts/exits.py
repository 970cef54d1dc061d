"""How a program ended, written beside its output by the one who started it.

Recognition reads a run directory alone; what only the parent process can know (a signal, the end of
the walltime, a silence) stands in this file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from schemas.model import Model

EXIT_FILE = "exit.json"

Reason = Literal["walltime", "hung", "stopped", "checkpoint"]


class Exit(Model):
    """The end of one run of a program."""

    exit_code: int | None = Field(description="As Popen says it: -9 for signal 9; None: never ran.")
    reason: Reason | None = Field(
        default=None,
        description="Why it was ended from outside: walltime, hung (no output), stopped (the "
        "worker was), checkpoint (to go on at once). None: it ended by itself.",
    )
    seconds: float = Field(default=0.0, description="Elapsed time of the run.")
    silent_s: float = Field(default=0.0, description="Without output when it ended, in s.")
    longest_silence_s: float = Field(default=0.0, description="Before that, in s.")
    peak_memory_gb: float | None = Field(
        default=None, description="Largest resident memory of one of its processes, in GB."
    )
    cpu_s: float | None = Field(default=None, description="CPU time of all its processes, in s.")


def write_exit(directory: Path, ended: Exit) -> None:
    """Write how a program ended."""
    (directory / EXIT_FILE).write_text(ended.model_dump_json() + "\n", encoding="utf-8")


def read_exit(directory: Path) -> Exit | None:
    """Return how the program ended, or None where nobody wrote it down."""
    try:
        return Exit.model_validate_json((directory / EXIT_FILE).read_bytes())
    except (OSError, ValidationError):
        return None
