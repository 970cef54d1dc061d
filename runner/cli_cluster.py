"""The commands about clusters on AWS: `cluster settings`, `cluster init`, `cluster check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from runner.cli_arguments import Json

cluster_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Prepare a Slurm cluster on AWS, with AWS ParallelCluster.",
)

Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(cluster_app, name="cluster")


@cluster_app.command("settings")
def write_settings(
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path(
        "cluster-settings.yaml"
    ),
    force: Force = False,
) -> None:
    """Write commented settings of a cluster to start from."""
    from runner.parallelcluster.files import write_example

    write_example(output, force=force)
    typer.echo(f"{output} written. Next: edit it; campaign cluster init {output}")


@cluster_app.command()
def init(
    settings: Annotated[Path, typer.Argument(metavar="SETTINGS", help="A file of settings.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write; bootstrap.sh goes beside it.")
    ] = Path("cluster.yaml"),
    profiles: Annotated[
        Optional[Path],  # noqa: UP045  (Typer reads it when the program runs)
        typer.Option(
            "--profiles",
            metavar="DIR",
            help="Write a profile for each queue there. Default: print them.",
        ),
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Write the configuration of AWS ParallelCluster that settings describe.

    Nothing is made on AWS, and AWS is not asked.
    """
    from runner.parallelcluster import show
    from runner.parallelcluster.files import write
    from runner.parallelcluster.profiles import profiles as texts
    from runner.parallelcluster.settings_file import read_settings

    read = read_settings(settings)
    show.written(write(read, output, profiles, force=force), texts(read), json=json)


@cluster_app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A configuration.")],
    version: Annotated[
        Optional[str],  # noqa: UP045  (as above)
        typer.Option("--pcluster", metavar="VERSION", help="Of AWS ParallelCluster."),
    ] = None,
    python: Annotated[
        Optional[Path],  # noqa: UP045  (as above)
        typer.Option(
            "--python",
            help="A Python that has aws-parallelcluster. Default: one that is made at first use, "
            "in an environment of its own below the data folder (a minute, 200 MB).",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Check a configuration with AWS's own schema and rules, without an account."""
    import os

    from runner.parallelcluster import show
    from runner.parallelcluster.aws_check import check_cluster
    from runner.parallelcluster.aws_environment import interpreter
    from runner.parallelcluster.settings import PCLUSTER_VERSION

    chosen = python or interpreter(version or PCLUSTER_VERSION, os.environ)
    show.checked(check_cluster(file, chosen), json=json)
