"""What `campaign worker`, `hand-over` and `ingest` print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import typer

from runner.show import as_json
from schemas.handover import Delivery
from schemas.worker_reports import HandedOver, Served, StageEnd


def served(names: Sequence[str], code: int, *, json: bool) -> None:
    """Print why workers left."""
    if json:
        as_json("worker", Served(campaigns=tuple(names), exit_code=code))


def deliveries(command: str, done: Sequence[Delivery], *, json: bool) -> None:
    """Print how stages ended."""
    if json:
        as_json(command, [StageEnd.of(one) for one in done])
        return
    typer.echo(_counted(done))


def handed_over(folders: Sequence[str], done: Sequence[Delivery], *, json: bool) -> None:
    """Print what was written into a folder, and what came back."""
    if json:
        ended = tuple(StageEnd.of(one) for one in done)
        as_json("hand-over", HandedOver(folders=tuple(folders), ended=ended))
        return
    if done:
        typer.echo(_counted(done))


def _counted(done: Sequence[Delivery]) -> str:
    counts = Counter(one.ending.kind for one in done)
    parts = ", ".join(f"{number} {kind}" for kind, number in counts.most_common())
    return f"{len(done)} stages ended: {parts}" if done else "no stage ended"
