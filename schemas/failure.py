"""The closed list of ways in which a calculation fails: a failure is a value that is stored."""

from enum import StrEnum

from pydantic import Field

from schemas.model import JsonValue, Model


class FailureName(StrEnum):
    """What went wrong; the value is what is stored and queried."""

    SCF_NOT_CONVERGED = "scf_not_converged"
    IONIC_NOT_CONVERGED = "ionic_not_converged"
    INPUT_REFUSED = "input_refused"
    PSEUDOPOTENTIAL_REFUSED = "pseudopotential_refused"
    OUT_OF_WALLTIME = "out_of_walltime"
    KILLED_BY_SIGNAL = "killed_by_signal"
    OUTPUT_INCOMPLETE = "output_incomplete"
    DISK_FULL = "disk_full"
    PROGRAM_NOT_FOUND = "program_not_found"
    INPUT_NOT_WRITTEN = "input_not_written"
    UNRECOGNISED = "unrecognised"


class Failure(Model):
    """One failed calculation: its name, the program's own words, and what helps to read it."""

    name: FailureName
    message: str = Field(description="The program's own words, or what was observed.")
    details: dict[str, JsonValue] = Field(default_factory=dict)
