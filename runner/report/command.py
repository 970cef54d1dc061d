"""What `campaign report` writes, and where."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from runner.place import Place
from runner.query import table_folders
from schemas.errors import UserError
from schemas.model import Model


class Written(Model):
    """What `campaign report --json` prints."""

    campaign: str
    files: tuple[str, ...] = Field(description="The files that were written, absolute.")


def write_report(
    campaign: str, place: Place, *, output: Path | None, notebook: Path | None
) -> Written:
    """Write the page, or the notebook where only that is asked for.

    Raises
    ------
    UserError
        When nothing is published of the campaign, plotly is missing, or a file cannot be written.
    """
    from runner.report.build import report, write
    from runner.report.notebook import notebook as made

    folders = table_folders(place)
    files = []
    if notebook is not None:
        write(notebook, made(folders, campaign))
        files.append(notebook)
    if notebook is None or output is not None:
        target = output or Path(f"{campaign}.html")
        write(target, report(folders, campaign, steps(place, campaign)))
        files.append(target)
    return Written(campaign=campaign, files=tuple(str(one.absolute()) for one in files))


def steps(place: Place, campaign: str) -> tuple[str, ...]:
    """Return the filters in the order of the last screening; empty where it was elsewhere."""
    from runner.screenings import last_counts

    try:
        return tuple(one["step"] for one in last_counts(place, campaign)["filters"])
    except UserError:  # the tables were published by another machine
        return ()
