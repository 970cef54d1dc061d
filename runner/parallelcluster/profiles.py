"""The profile with which `campaign run` uses a queue of the cluster; pure."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO

from runner.parallelcluster.machines import cores_per_node, memory_per_node_gb
from runner.parallelcluster.settings import ClusterSettings, Queue
from schemas.model import JsonValue

MPIRUN = "/opt/amazon/openmpi/bin/mpirun"
"""On every machine that ParallelCluster makes, and it knows EFA."""


def profile(settings: ClusterSettings, queue: Queue) -> dict[str, JsonValue]:
    """Return the profile of a queue."""
    home = settings.home
    launcher: dict[str, JsonValue] = {
        "kind": "slurm",
        "partition": queue.name,
        "nodes_per_job": 1,
        "tasks_per_node": cores_per_node(queue),
        "memory_gb": memory_per_node_gb(queue),
        "walltime_min": queue.walltime_min,
        "max_jobs": queue.max_count,
        "requeue": True,
        "exchange": str(home / "exchange"),
    }
    if settings.staging is None:
        return {"launcher": launcher, "paths": {"artefacts": str(home / "runs")}}
    return {
        "launcher": launcher | {"python": str(home / "environment" / "bin" / "python")},
        "codes": {
            "pw": {
                "command": str(home / "espresso" / "bin" / "pw.x"),
                "mpi": [MPIRUN, "--bind-to", "none", "-n", "{ranks}"],
            }
        },
        "paths": {
            "pseudopotentials": [str(home / "pseudopotentials")],
            "artefacts": str(home / "runs"),
        },
    }


def profiles(settings: ClusterSettings) -> Mapping[str, str]:
    """Return the text of each queue's profile, by the profile's name."""
    return {f"{settings.cluster}-{queue.name}": _text(settings, queue) for queue in settings.queues}


def _text(settings: ClusterSettings, queue: Queue) -> str:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = False
    out = StringIO()
    yaml.dump(profile(settings, queue), out)
    types = ", ".join(queue.instance_types)
    return (
        f"# Queue {queue.name} of the cluster {settings.cluster}: {queue.capacity}, {types}.\n"
        "# Cores are physical ones; memory is what Slurm gives to jobs.\n"
        f"{out.getvalue()}"
    )
