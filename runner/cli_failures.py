"""The commands about what went wrong: `failures`, `retry`, `logs`, `diagnose`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from runner.cli_arguments import Json, Name, Profile, StoreOption, opened, spec_of


def add_to(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for command in (failures, retry, logs, diagnose):
        app.command()(command)


def failures(
    name: Name, profile: Profile = None, store: StoreOption = None, json: Json = False
) -> None:
    """Show what failed, grouped by cause: how often, an example, why, and what to type.

    Only what recovery could not repair is listed; a last line says what it did repair.
    `campaign retry` sends the calculations of a cause on their way again.
    """
    from runner import show_failures
    from runner.failures import failures as found

    store_opened, campaign = opened(name, profile, store)
    show_failures.failures(found(store_opened, campaign), json=json)


def retry(
    name: Name,
    cause: Annotated[
        Optional[str],  # noqa: UP045  (Typer reads it when the program runs)
        typer.Option("--cause", metavar="FAILURE", help="Only what failed so: out_of_memory, ..."),
    ] = None,
    stage: Annotated[
        Optional[str],  # noqa: UP045  (as above)
        typer.Option("--stage", metavar="STAGE", help="Only this stage."),
    ] = None,
    candidate: Annotated[
        Optional[str],  # noqa: UP045  (as above)
        typer.Option(
            "--candidate",
            metavar="ID",
            help="Only this candidate: its formula, or how its id begins.",
        ),
    ] = None,
    setting: Annotated[
        Optional[list[str]],  # noqa: UP045  (as above)
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Change something of them first; may be given again. resources.memory_gb=64, "
            "resources.walltime_min=2880, resources.cores=4, or a param of the engine that does "
            "not change what is computed: mixing_beta=0.2, electron_maxstep=200, ionic_steps=300.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    profile: Profile = None,
    store: StoreOption = None,
    json: Json = False,
) -> None:
    """Send failed and held calculations on their way again; without options, all of them.

    A `campaign run` that is going on takes them up by itself; else run it again. What is set stays
    set for these calculations, and a later retry adds to it. What changes the physics (cutoffs,
    k-points, smearing) makes another calculation: edit the campaign file instead.

    Example: campaign retry perovskites --cause out_of_memory --set resources.memory_gb=64
    """
    from runner import show_failures
    from runner.cases import Request
    from runner.retry import retry as send

    store_opened, campaign = opened(name, profile, store)
    spec = spec_of(name)
    request = Request(
        cause=cause,
        stage=stage,
        candidate=candidate,
        settings=tuple(setting or ()),
        dry_run=dry_run,
        spec=str(spec) if spec else None,
    )
    show_failures.retry(send(store_opened, campaign, request), json=json)


def logs(
    name: Name,
    candidate: Annotated[
        str,
        typer.Argument(metavar="CANDIDATE", help="Its formula, or the beginning of its id."),
    ],
    stage: Annotated[
        Optional[str],  # noqa: UP045  (as above)
        typer.Argument(metavar="[STAGE]", help="Only this stage.", show_default=False),
    ] = None,
    attempt: Annotated[
        Optional[int],  # noqa: UP045  (as above)
        typer.Option("--attempt", metavar="N", help="Show the texts of this attempt."),
    ] = None,
    files: Annotated[
        bool, typer.Option("--files", help="List the files of the run directories too.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Whole texts of all attempts, not only the last lines.")
    ] = False,
    profile: Profile = None,
    store: StoreOption = None,
    json: Json = False,
) -> None:
    """Show how the calculations of a candidate went: attempts, repairs, input, last output.

    Of every stage the attempts are listed with what recovery changed, and of the last one the
    input, the last lines of the output and of the error output, and what the scheduler said.

    Example: campaign logs perovskites SrTiO3 relax
    """
    from runner import show_failures
    from runner.logs import logs as read

    store_opened, campaign = opened(name, profile, store)
    found = read(store_opened, campaign, candidate, stage, attempt=attempt, files=files, full=full)
    show_failures.logs(found, json=json)


def diagnose(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder in which a program has run.")
    ],
    json: Json = False,
) -> None:
    """Say what went wrong in any run directory, also in one that this program did not make.

    It reads the files that are there and nothing else: no store, no settings, no campaign.
    Exit code 0: nothing went wrong, or only warnings; 3: failures were found; 2: no output of a
    program that an engine knows.

    Example: campaign diagnose ~/calculations/srtio3
    """
    from runner import show_failures
    from runner.diagnose import diagnose as examine
    from schemas.errors import ExitCode

    found = examine(directory)
    show_failures.diagnosis(found, json=json)
    sys.exit(ExitCode.SETTLED_WITH_FAILURES if found.failed else ExitCode.SETTLED)
