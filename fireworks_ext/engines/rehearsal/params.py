"""What a campaign says about a rehearsal: all that it says of pw.x, and what is to go wrong."""

from __future__ import annotations

from pydantic import Field, field_validator

from fireworks_ext.engines.espresso.params import EspressoParams
from fireworks_ext.engines.espresso.tasks import SINGLE_RUNS
from fireworks_ext.engines.rehearsal.recordings import names
from schemas.errors import suggestion
from schemas.model import JsonValue, Name

ALL = "all"
UNREPAIRABLE = "unrepairable"
_PHYSICS: dict[str, JsonValue] = {"physics": True, "tasks": list(SINGLE_RUNS)}
_NOT_PHYSICS: dict[str, JsonValue] = {"physics": False, "tasks": list(SINGLE_RUNS)}


def _name_the_failures(schema: dict[str, JsonValue]) -> None:
    """Have editors offer the names that are known, and refuse others."""
    schema.update(_PHYSICS, propertyNames={"enum": [*names(), ALL, UNREPAIRABLE]})


class RehearsalParams(EspressoParams):
    """Params of a rehearsal: those of espresso, and which failures are met how often."""

    pseudopotentials: Name = Field(
        default="rehearsal",
        description="Any name: a rehearsal uses a pretended family that has every element.",
        json_schema_extra=_NOT_PHYSICS,
    )
    time_scale: float = Field(
        default=0.1,
        ge=0,
        le=1000,
        description="Time that a rehearsed run takes, in that of the recorded one, which is some "
        "seconds; 0: as fast as it can be printed.",
        json_schema_extra=_NOT_PHYSICS,
    )
    failures: dict[str, float] = Field(
        default={},
        description="Failure: share of the calculations that meet it. `all` spreads its share over "
        "those that recovery repairs, `unrepairable` over the others. A task that cannot meet a "
        "failure meets none instead.",
        json_schema_extra=_name_the_failures,
    )
    again: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of the calculations with a repairable failure that meet another one "
        "after it.",
        json_schema_extra=_PHYSICS,
    )
    rehearsal_seed: int = Field(
        default=1,
        description="Decides which calculations meet which failure.",
        json_schema_extra=_PHYSICS,
    )

    @field_validator("failures")
    @classmethod
    def _can_be_rehearsed(cls, failures: dict[str, float]) -> dict[str, float]:
        known = (*names(), ALL, UNREPAIRABLE)
        problems = [
            f"no recording of '{name}'{suggestion(name, known)}"
            for name in failures
            if name not in known
        ]
        problems += [
            f"'{name}' is {share}, but shares are between 0 and 1"
            for name, share in failures.items()
            if not 0 <= share <= 1
        ]
        total = sum(failures.values())
        if not problems and total > 1 + 1e-9:
            problems.append(f"shares add up to {total:g}, which is more than all calculations")
        if problems:
            raise ValueError("; ".join(problems))
        return failures
