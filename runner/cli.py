"""The `campaign` command. Every heavy import happens inside the command that needs it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, Optional

import typer

from runner import (
    cli_cluster,
    cli_dashboard,
    cli_export,
    cli_failures,
    cli_jobs,
    cli_models,
    cli_pausing,
    cli_repair,
    cli_report,
    cli_screening,
    cli_sql,
    cli_workers,
)
from runner.cli_arguments import Json, Name, Profile, Spec, StoreOption, opened, place_for

if TYPE_CHECKING:
    from fireworks_ext.store import Store
    from runner.place import Place

app = typer.Typer(
    name="campaign",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Run campaigns of materials calculations described in one YAML file.\n\n"
    "Start with `campaign init --list`, then `campaign init silicon` and "
    "`campaign run silicon.yaml`.",
    epilog="Exit codes: 0 settled, 1 internal error, 2 bad input, 3 settled with failures, "
    "4 stopped by the budget, 5 drained, 130 interrupted.",
)


def main() -> NoReturn:
    """Run the command line; mistakes of the user end in one message and exit code 2."""
    from schemas.errors import ExitCode, UserError

    try:
        app(standalone_mode=True)
    except UserError as error:
        typer.echo(str(error), err=True)
        sys.exit(ExitCode.BAD_INPUT)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    sys.exit(0)


@app.command()
def init(
    name: Annotated[
        Optional[str],  # noqa: UP045  (as above)
        typer.Argument(metavar="NAME", help="A shipped campaign: silicon, perovskite, ..."),
    ] = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045  (as above)
        typer.Option("--output", "-o", help="File to write. Default: NAME.yaml, here."),
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="Show what there is.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    json: Json = False,
) -> None:
    """Write a commented campaign file to start from."""
    from runner import shipped, show

    if listing or name is None:
        show.shipped(shipped.listing(), json=json)
        return
    show.written(shipped.write(name, output, force=force), json=json)


@app.command()
def validate(spec: Spec, profile: Profile = None, json: Json = False) -> None:
    """Check a campaign file: all mistakes at once, each with its line."""
    from runner import show
    from runner.load import load
    from runner.place import place_of

    loaded = load(spec)
    place_of(loaded, profile=profile)
    show.validation(loaded, json=json)


@app.command()
def plan(
    spec: Spec,
    profile: Profile = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Screen all candidates, however long it takes.")
    ] = False,
    json: Json = False,
) -> None:
    """Say what a run would compute and what it would take; nothing is started."""
    from runner import show
    from runner.load import load
    from runner.place import place_of
    from runner.plan import plan as make_plan

    loaded = load(spec)
    place = place_of(loaded, profile=profile)
    with _store_if_there(place) as store:
        show.plan(make_plan(loaded, place, store, exact=exact), json=json)


@app.command()
def run(
    spec: Spec,
    profile: Profile = None,
    workers: Annotated[
        bool,
        typer.Option(
            "--workers/--no-workers",
            help="Compute here. Without, `campaign worker` or `campaign hand-over` elsewhere does.",
        ),
    ] = True,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach",
            help="Go on in the background, also after a logout; `campaign stop` ends it.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Screen, compute and publish; run it again at any time to continue.

    Ctrl-C once finishes what runs and stops; twice stops at once. Either way nothing is lost. Jobs
    in the queue of a cluster go on: `campaign run` takes their results in, and `campaign jobs NAME
    --cancel` takes them out of the queue.
    """
    from runner.load import load
    from runner.place import place_of
    from runner.progress import run_with_progress

    loaded = load(spec)
    place = place_of(loaded, profile=profile)
    if detach:
        from runner import show_jobs
        from runner.detach import detached_run

        show_jobs.detached(detached_run(loaded, place, sys.argv[1:]), json=json)
        return
    sys.exit(run_with_progress(loaded, place, computes=workers, json=json))


@app.command()
def status(
    name: Name, profile: Profile = None, store: StoreOption = None, json: Json = False
) -> None:
    """Show the funnel: enumerated, rejected by which filter, and where every stage stands."""
    from runner import monitor, show

    store_opened, campaign = opened(name, profile, store)
    show.status(monitor.status(store_opened, campaign), json=json)


@app.command()
def results(
    name: Name,
    stage: Annotated[
        Optional[str],  # noqa: UP045  (as above)
        typer.Option("--stage", help="Only this stage. Default: the last one."),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="All columns, as CSV.")] = False,
    profile: Profile = None,
    store: StoreOption = None,
    json: Json = False,
) -> None:
    """Show the results as a table."""
    from runner import show
    from runner.results import result_table

    store_opened, campaign = opened(name, profile, store)
    full = csv or json
    found = result_table(store_opened, campaign, stage, full=full)
    show.results(found, csv=csv, json=json, full=full)


cli_screening.add_to(app)
cli_export.add_to(app)
cli_sql.add_to(app)
cli_failures.add_to(app)
cli_repair.add_to(app)
cli_jobs.add_to(app)
cli_pausing.add_to(app)
cli_models.add_to(app)
cli_report.add_to(app)
cli_workers.add_to(app)
cli_cluster.add_to(app)
cli_dashboard.add_to(app)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def lpad(context: typer.Context) -> None:
    """Run FireWorks' own lpad on the same store: campaign lpad get_wflows -d more."""
    from runner.fireworks_cli import run_lpad

    sys.exit(run_lpad(place_for(None, None, None), context.args))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the language, for editors."""
    from json import dumps

    from runner.schema import language_schema

    typer.echo(dumps(language_schema(), indent=2))


@app.command()
def doctor(profile: Profile = None, store: StoreOption = None, json: Json = False) -> None:
    """Say what is missing on this machine, and what to do about it."""
    from runner import show
    from runner.doctor import diagnosis
    from schemas.errors import ExitCode

    found = diagnosis(place_for(None, profile, store))
    show.diagnosis(found, json=json)
    sys.exit(ExitCode.SETTLED if found.healthy else ExitCode.BAD_INPUT)


@contextmanager
def _store_if_there(place: Place) -> Iterator[Store | None]:
    from fireworks_ext.store import open_store
    from runner.place import has_store

    yield open_store(place.store) if has_store(place) else None
