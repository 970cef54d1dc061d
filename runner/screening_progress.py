"""A screening as people see it: how far it is, how fast, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from runner import show
from runner.load import LoadedCampaign
from runner.place import Place
from runner.results import plain
from runner.screening import Survivor
from runner.screenings import screen
from schemas.model import JsonValue
from schemas.reports import FilterCounts
from schemas.screening_reports import Screened

QUIET_S = 30.0
"""Between two lines where the output is no terminal."""


def screen_with_progress(
    loaded: LoadedCampaign, place: Place, *, workers: int | None = None
) -> Screened:
    """Screen a campaign's space, tell how it goes, and return what came of it."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    began = time.monotonic()
    console = show.console(stderr=True)
    columns = (
        TextColumn("screening"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    said = began
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=None, rate="")

        def tell(done: int, total: int | None) -> None:
            nonlocal said
            now = time.monotonic()
            rate = done / max(now - began, 1e-9)
            bar.update(task, completed=done, total=total, rate=f"{rate:,.0f} candidates/s")
            if not console.is_terminal and now - said > QUIET_S:
                said = now
                console.print(_line(done, total, rate))

        survivors, counts = screen(loaded, place, tell, workers=workers)
    names, rows = _table(loaded, survivors)
    return Screened(
        campaign=loaded.campaign.campaign,
        enumerated=counts["enumerated"],
        survivors=counts["survivors"],
        filters=tuple(FilterCounts.model_validate(one) for one in counts["filters"]),
        wall_s=time.monotonic() - began,
        tables=str(place.tables),
        lake=place.lake,
        decisive=_decisive(loaded),
        columns=names,
        rows=rows,
    )


def _decisive(loaded: LoadedCampaign) -> tuple[str, ...]:
    """Return the columns that conditions and ranks name, the last first."""
    named = [
        name
        for step in reversed(loaded.steps)
        for name in (*step.compared, *sorted(step.keep.names if step.keep else ()))
    ]
    return tuple(dict.fromkeys(named))


def _line(done: int, total: int | None, rate: float) -> str:
    if total is None:
        return f"screening: {done:,} candidates, {rate:,.0f}/s"
    left = (total - done) / max(rate, 1e-9)
    return f"screening: {done:,} of {total:,} candidates, {rate:,.0f}/s, {left:.0f} s to go"


def _table(
    loaded: LoadedCampaign, survivors: Iterable[Survivor]
) -> tuple[tuple[str, ...], tuple[tuple[JsonValue, ...], ...]]:
    """Return the candidates that go on with their scores, the best of the last `top` first."""
    own = [
        column.name
        for source in loaded.generators
        for column in source.plugin.columns(source.params)
    ]
    scores = [column.name for step in loaded.steps for column in step.columns()]
    names = tuple(dict.fromkeys(["formula", "candidate_id", "control", "choice", *own, *scores]))
    rows = [
        {
            **one.candidate.row(),
            **one.scores,
            "candidate_id": one.candidate_id,
            "control": one.control,
        }
        for one in survivors
    ]
    best = next((step for step in reversed(loaded.steps) if step.by), None)
    if best is not None and best.by is not None:
        sign, by = (1.0 if best.order == "ascending" else -1.0), best.by

        def rank(row: Mapping[str, object]) -> tuple[bool, float]:
            value = row.get(by)
            known = isinstance(value, int | float)
            return (not known, sign * float(value) if known else 0.0)  # type: ignore[arg-type]  # a number where it is known

        rows.sort(key=rank)
    return names, tuple(tuple(plain(row.get(name)) for name in names) for row in rows)
