"""What the commands about clusters print."""

from __future__ import annotations

from collections.abc import Mapping

import typer

from runner.parallelcluster.aws_check import ClusterCheck
from runner.parallelcluster.files import ClusterFiles
from runner.show import as_json, print_part, rich_table


def written(files: ClusterFiles, profiles: Mapping[str, str], *, json: bool) -> None:
    """Print what was written, what the cluster is at most, the profiles, and what comes next."""
    if json:
        as_json("cluster init", files)
        return
    table = rich_table("queue", "capacity", "machines", "cores each", "GB each", "cores")
    for one in files.queues:
        cores = one.cores or 0
        numbers = (f"0 to {one.machines}", one.cores, one.memory_gb, one.machines * cores)
        table.add_row(one.name, one.capacity, *map(str, numbers))
    print_part(table)
    if not files.profiles:
        for name, text in profiles.items():
            typer.echo(f"\nprofiles/{name}.yaml:\n{text}")
    others = [files.bootstrap] if files.bootstrap else []
    typer.echo(f"written: {' '.join([files.file, *others, *files.profiles])}")
    typer.echo(f"Next: campaign cluster check {files.file}")
    if files.bootstrap:
        typer.echo(f"      aws s3 cp {files.bootstrap} {files.staging}/bootstrap.sh")
    typer.echo(
        f"      pcluster create-cluster --cluster-name {files.cluster} "
        f"--cluster-configuration {files.file}"
    )


def checked(found: ClusterCheck, *, json: bool) -> None:
    """Print that a configuration is right, and how far that was checked."""
    if json:
        as_json("cluster check", found)
        return
    for remark in found.remarks:
        typer.echo(f"{remark.level.lower()}: {remark.what}: {remark.text}")
    typer.echo(
        f"{found.file}: right by the schema of AWS ParallelCluster {found.pcluster} and "
        f"{found.rules_checked} of its rules.\n"
        f"{found.rules_left_out} groups of rules ask AWS: "
        f"pcluster create-cluster --dryrun true --cluster-name NAME "
        f"--cluster-configuration {found.file}"
    )
