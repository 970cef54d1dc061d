"""Failures of the machine: what happens to a run that works when it is started again.

They need no recording of their own: a recorded run breaks off in the middle, with the words that
the program or its runtime prints in that case.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import Field

from schemas.failure import FailureName
from schemas.model import JsonValue, Model

AGAIN: dict[str, JsonValue] = {"again": True}
RESTART: dict[str, JsonValue] = {"restart": True}
SIGSEGV, SIGKILL = 11, 9

_BACKTRACE = (
    "\nProgram received signal SIGSEGV: Segmentation fault - invalid memory reference.\n"
    "\nBacktrace for this error:\n#0  0x7f0000000000 in ???\n"
)


class Accident(Model):
    """How a run breaks off."""

    at: float = Field(ge=0, le=1, description="The share of the output after which it happens.")
    remedies: tuple[dict[str, JsonValue], ...] = (AGAIN,)
    exit_code: int = Field(default=0, description="As Popen says it: -9 is signal 9.")
    out: str = Field(default="", description="Its last words on standard output.")
    err: str = Field(default="", description="On standard error.")
    hangs: bool = Field(default=False, description="It prints nothing more, and does not end.")
    stops: bool = Field(default=False, description="It stops by itself, its state saved.")
    mid_line: bool = Field(default=False, description="The output ends within a line.")
    xml_share: float = Field(default=0.0, description="Of the file of results that is written.")


ACCIDENTS: Mapping[FailureName, Accident] = MappingProxyType(
    {
        FailureName.KILLED_BY_SIGNAL: Accident(at=0.5, exit_code=-SIGKILL, mid_line=True),
        FailureName.CRASHED: Accident(at=0.4, exit_code=-SIGSEGV, err=_BACKTRACE),
        FailureName.HUNG: Accident(at=0.6, hangs=True),
        FailureName.OUT_OF_WALLTIME: Accident(at=0.5, remedies=(RESTART,), exit_code=2, stops=True),
        FailureName.OUTPUT_INCOMPLETE: Accident(at=0.7, mid_line=True),
        FailureName.XML_UNREADABLE: Accident(at=1.0, xml_share=0.6),
    }
)
"""By the name of the failure that recognition finds."""
