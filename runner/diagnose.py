"""What went wrong in a run directory, as the engines tell it from its files alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from fireworks_ext import artefacts
from runner.advice import advice, kind
from runner.members import SHORTEST
from runner.remedies import installed, remedies_of
from schemas.errors import UserError
from schemas.failure import Failure
from schemas.failure_reports import DiagnosedFailure, RunDiagnosis
from schemas.registry import engines
from schemas.work import StageOrder


@dataclass(frozen=True)
class Place:
    """Where a run directory belongs: a calculation of a campaign, or nowhere that is known."""

    order: StageOrder | None

    @classmethod
    def of(cls, directory: Path) -> Place:
        """Return the place of a directory, from the order in it."""
        record = artefacts.read_record(directory, artefacts.ORDER) or {}
        try:
            return cls(StageOrder.model_validate(record.get("order")))
        except ValidationError:
            return cls(None)

    def engines(self) -> list[str]:
        """Return the engines that are asked: the one that ran there first, if that is known."""
        ran = self.order.engine if self.order else None
        return sorted(engines.names(), key=lambda name: name != ran)

    def advice(self, cause: str) -> str:
        """Return what to do; what concerns campaigns only where there is one."""
        if self.order is None:
            text = kind(cause).advice
            return "" if "{name}" in text else text
        order = self.order
        values = {"name": order.campaign, "candidate": order.candidate[:SHORTEST]}
        return advice(cause, {**values, "stage": order.stage}).text


def diagnose(directory: Path) -> RunDiagnosis:
    """Return the failures of a run directory, the cause first.

    Raises
    ------
    UserError
        When it is no folder, or holds no output of a program that an engine knows.
    """
    if directory.is_file():
        raise UserError(f"{directory}: expected a folder; it is a file, in {directory.parent}")
    try:
        empty = not any(directory.iterdir())
    except OSError as error:
        raise UserError(f"{directory}: cannot be read: {error.strerror}") from error
    place = Place.of(directory)
    for name in place.engines() if not empty else ():
        engine = installed(name)
        found = engine.diagnose(directory.absolute()) if engine is not None else None
        if found is not None:
            return RunDiagnosis(
                directory=str(directory),
                engine=name,
                failures=_described(found, name, place),
            )
    raise UserError(
        f"{directory}: no output of a program that an engine knows; engines: "
        f"{', '.join(engines.names())}"
    )


def _described(found: Sequence[Failure], engine: str, place: Place) -> tuple[DiagnosedFailure, ...]:
    """Return failures with what the catalogue and the engine's recovery say about them."""
    cause = next((one for one in found if not _is_warning(one)), None)
    remedies = remedies_of(engine)
    return tuple(
        DiagnosedFailure(
            name=one.name.value,
            severity="warning" if _is_warning(one) else "cause" if one is cause else "beside",
            message=one.message,
            details=one.details,
            meaning=kind(one.name.value).meaning,
            likely=kind(one.name.value).likely,
            remedies=remedies.get(one.name, ()),
            advice=place.advice(one.name.value),
        )
        for one in found
    )


def _is_warning(failure: Failure) -> bool:
    return failure.details.get("severity") == "warning"
