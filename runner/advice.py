"""What the catalogue of failures advises, with the names of a campaign filled in."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.catalogue import CATALOGUE, FailureKind
from schemas.failure import FailureName

COMMAND = re.compile(r"`(campaign [^`]+)`")
LOOK = "campaign logs {name} {candidate} {stage}"
"""What there is to type where the advice is to change something else."""


@dataclass(frozen=True)
class Advice:
    """What to do, as a sentence and as commands to copy."""

    text: str
    commands: tuple[str, ...]


def advice(cause: str, values: Mapping[str, str]) -> Advice:
    """Return what to do about a failure.

    Parameters
    ----------
    values
        What stands for `name` (of the campaign), `candidate` and `stage` in the commands.
    """
    quoted = {name: shlex.quote(value) for name, value in {**values, "cause": cause}.items()}
    text = filled(kind(cause).advice, quoted)
    commands = COMMAND.findall(text) or [filled(LOOK, quoted)]
    return Advice(text, tuple(commands))


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with `{name}` replaced; other braces, as in YAML, stay."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def kind(cause: str) -> FailureKind:
    """Return the catalogue's entry; a name of another version counts as not recognised."""
    known = cause if cause in set(FailureName) else FailureName.UNRECOGNISED.value
    return CATALOGUE[FailureName(known)]
