"""`campaign run` as people see it: screening, then the stages as they fill."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from runner import show
from runner.controller import Run
from runner.fleet_words import fleet_lines
from runner.load import LoadedCampaign
from runner.observer import Observer
from runner.place import Place
from runner.results import result_table
from runner.submit import Counts
from schemas.errors import ExitCode
from schemas.reports import RunSummary, Status

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

QUIET_S = 30.0
"""Between two lines where the output is no terminal."""


def run_with_progress(
    loaded: LoadedCampaign, place: Place, *, computes: bool = True, json: bool
) -> ExitCode:
    """Run a campaign, show how it goes, and print what came of it.

    `computes`: with workers of its own; without, others do it.
    """
    began = time.monotonic()
    console = show.console(stderr=json)
    with Display(console) as display:
        run = Run(loaded, place, display.observer(), computes=computes)
        status, code = run.go()
    name = loaded.campaign.campaign
    last = loaded.stages[-1].name
    summary = RunSummary(
        status=status,
        exit_code=code,
        store=run.store.location,
        tables=place.lake or str(place.tables),
        folder=str(place.tables),
        unsent=run.unsent,
        query=_query(name, last),
        wall_s=time.monotonic() - began,
    )
    if not json:
        for part in show.status_parts(status):
            console.print(part)
        show.results(result_table(run.store, name, None, full=False))
    show.summary(summary, json=json)
    if not json:
        _say_how_to_go_on(code, loaded, paused=status.paused_at is not None)
    return code


def _query(campaign: str, stage: str) -> str:
    where = f"campaign = '{campaign}' AND stage = '{stage}'"
    return f'campaign sql "SELECT * FROM results WHERE {where}"'  # noqa: S608  (names have no quotes)


def _say_how_to_go_on(code: ExitCode, loaded: LoadedCampaign, *, paused: bool) -> None:
    import typer

    name = loaded.campaign.campaign
    again = f"campaign run {loaded.path.name}"
    why = f"campaign failures {name}"
    if paused and code is ExitCode.DRAINED:
        typer.echo(f"paused; `campaign resume {name}` and `{again}` continue", err=True)
        return
    words = {
        ExitCode.SETTLED_WITH_FAILURES: f"some calculations failed: `{why}` says why",
        ExitCode.STOPPED_BY_BUDGET: f"stopped by the budget; raise it and `{again}`",
        ExitCode.DRAINED: f"drained; `{again}` continues",
        ExitCode.INTERRUPTED: f"stopped; `{again}` continues",
    }
    if code in words:
        typer.echo(words[code], err=True)


class Display:
    """A live table on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._said = 0.0
        self._last = ""

    def __enter__(self) -> Self:
        """Take over the terminal, if it is one."""
        if self._console.is_terminal:
            from rich.live import Live

            self._live = Live(
                console=self._console, auto_refresh=False, transient=True, redirect_stdout=False
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the terminal back."""
        if self._live is not None:
            self._live.stop()

    def observer(self) -> Observer:
        """Return what the controller tells."""
        return Observer(
            screening=self._screening,
            submitted=self._submitted,
            repaired=lambda text: self._say(f"repaired: {text}"),
            told=self._say,
            status=self._status,
            waiting=lambda: self._say(
                "waiting for free cores: other campaigns run on this machine"
            ),
            watching=lambda owner: self._say(f"already running ({owner}); watching"),
        )

    def _say(self, text: str) -> None:
        self._console.print(text)

    def _screening(self, done: int, total: int | None) -> None:
        if self._live is not None:
            of = f" of {total}" if total is not None else ""
            self._live.update(f"screening: {done}{of} candidates", refresh=True)

    def _submitted(self, counts: Counts) -> None:
        self._say(
            f"submitted {counts.fireworks} calculations in {counts.workflows} workflows"
            + (f", took away {counts.retired}" if counts.retired else "")
        )

    def _status(self, status: Status) -> None:
        if self._live is not None:
            from rich.console import Group

            self._live.update(Group(*show.status_parts(status)), refresh=True)
            return
        line = "; ".join(
            f"{stage.stage}: {stage.ok} ok, {stage.running} running, {stage.unsettled} to go"
            + (f", {stage.troubled} failed or stuck" if stage.troubled else "")
            for stage in status.stages
        )
        if status.fleet is not None:
            line += f"; {next(fleet_lines(status.fleet))}"
        if line != self._last and time.monotonic() - self._said > QUIET_S:
            self._say(line)
            self._last, self._said = line, time.monotonic()
