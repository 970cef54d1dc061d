"""From settings to the configuration file that `pcluster create-cluster` takes; pure."""

from __future__ import annotations

from io import StringIO

from runner.parallelcluster.machines import has_two_threads
from runner.parallelcluster.settings import Accounting, ClusterSettings, Lustre, Queue
from schemas.model import JsonValue

REMEMBERED_S = 3600
"""Slurm forgets ended jobs after 300 s otherwise; without accounting nothing else knows them. What
stands in CustomSlurmSettings precedes ParallelCluster's own lines (its issue 6648)."""
GRACE_S = 120
"""Between SIGTERM and SIGKILL at `scancel` and at the walltime: a large calculation that saves its
state needs longer than Slurm's 30 s, and no longer than the notice of a spot instance."""
ALLOCATION = {"spot": "price-capacity-optimized", "on-demand": "lowest-price"}
CAPACITY_TYPE = {"spot": "SPOT", "on-demand": "ONDEMAND"}
FILE_SYSTEM_NAME = "shared"
LINE_WIDTH = 100


def configuration(settings: ClusterSettings) -> dict[str, JsonValue]:
    """Return the configuration, in the words of AWS's schema."""
    return {
        "Region": settings.region,
        "Image": {"Os": settings.os},
        "Imds": {"ImdsSupport": "v2.0"},
        "Tags": [
            {"Key": "project", "Value": settings.project},
            {"Key": "cluster", "Value": settings.cluster},
        ],
        "HeadNode": _head_node(settings),
        "Scheduling": {
            "Scheduler": "slurm",
            "SlurmSettings": _slurm(settings),
            "SlurmQueues": [_queue(queue, settings.subnets.compute) for queue in settings.queues],
        },
        "SharedStorage": [_lustre(settings.lustre)],
    }


def text(settings: ClusterSettings) -> str:
    """Return the configuration as YAML, with a head comment that says what comes next."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = LINE_WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = StringIO()
    yaml.dump(configuration(settings), out)
    return f"{_head_comment(settings)}{out.getvalue()}"


def _head_comment(settings: ClusterSettings) -> str:
    return (
        f"# Cluster {settings.cluster}, for AWS ParallelCluster {settings.pcluster}. Made from "
        "settings by\n"
        "# `campaign cluster init`: change those and make it again.\n"
        f"# pcluster create-cluster --cluster-name {settings.cluster} "
        "--cluster-configuration THIS_FILE\n"
    )


def _head_node(settings: ClusterSettings) -> JsonValue:
    head = settings.head_node
    node: dict[str, JsonValue] = {
        "InstanceType": head.instance_type,
        "Networking": {"SubnetId": settings.subnets.head},
        "Ssh": {"KeyName": settings.key_name, "AllowedIps": head.ssh_from},
        "LocalStorage": {
            "RootVolume": {"Size": head.disk_gb, "VolumeType": "gp3", "Encrypted": True}
        },
        "Imds": {"Secured": True},
    }
    return node | _bootstrap(settings)


def _bootstrap(settings: ClusterSettings) -> dict[str, JsonValue]:
    """Return the part of the head node that installs the software, and its right to read it."""
    if settings.staging is None:
        return {}
    bucket, _, prefix = settings.staging.removeprefix("s3://").partition("/")
    arguments = [settings.staging, settings.lustre.mount, *settings.pseudopotentials]
    return {
        "CustomActions": {
            "OnNodeConfigured": {
                "Script": f"{settings.staging}/bootstrap.sh",
                "Args": list[JsonValue](arguments),
            }
        },
        "Iam": {
            "S3Access": [
                {"BucketName": bucket, "KeyName": f"{prefix}/*", "EnableWriteAccess": False}
            ]
        },
    }


def _slurm(settings: ClusterSettings) -> JsonValue:
    slurm: dict[str, JsonValue] = {
        "ScaledownIdletime": settings.idle_min,
        # What runs when the configuration changes goes on; its machine is replaced afterwards.
        "QueueUpdateStrategy": "DRAIN",
        # Without it a job may take memory that it did not ask for from those beside it.
        "EnableMemoryBasedScheduling": True,
        "CustomSlurmSettings": [{"MinJobAge": REMEMBERED_S}, {"KillWait": GRACE_S}],
    }
    if settings.accounting is not None:
        slurm["Database"] = _database(settings.accounting)
    return slurm


def _database(accounting: Accounting) -> JsonValue:
    return {
        "Uri": accounting.host,
        "UserName": accounting.user,
        "PasswordSecretArn": accounting.password_secret,
    }


def _queue(queue: Queue, subnet: str) -> JsonValue:
    resource: dict[str, JsonValue] = {
        "Name": queue.name,
        "Instances": [{"InstanceType": one} for one in queue.instance_types],
        "MinCount": queue.min_count,
        "MaxCount": queue.max_count,
    }
    if has_two_threads(queue):
        # One MPI rank per core: a second thread on a core slows plane-wave codes down, and
        # Slurm would count it as a core.
        resource["DisableSimultaneousMultithreading"] = True
    if queue.price_cap_usd_per_hour is not None:
        resource["SpotPrice"] = queue.price_cap_usd_per_hour
    networking: dict[str, JsonValue] = {"SubnetIds": [subnet]}
    if queue.efa:
        resource["Efa"] = {"Enabled": True}
        networking["PlacementGroup"] = {"Enabled": True}
    return {
        "Name": queue.name,
        "CapacityType": CAPACITY_TYPE[queue.capacity],
        "AllocationStrategy": ALLOCATION[queue.capacity],
        "Networking": networking,
        "ComputeResources": [resource],
    }


def _lustre(lustre: Lustre) -> JsonValue:
    made: dict[str, JsonValue]
    if lustre.file_system is not None:
        made = {"FileSystemId": lustre.file_system}
    else:
        made = {
            "StorageCapacity": lustre.size_gb,
            "DeploymentType": lustre.deployment,
            "DeletionPolicy": "Retain" if lustre.keep else "Delete",
        }
        if lustre.mb_s_per_tib is not None:
            made["PerUnitStorageThroughput"] = lustre.mb_s_per_tib
        if lustre.compressed:
            made["DataCompressionType"] = "LZ4"
    return {
        "Name": FILE_SYSTEM_NAME,
        "MountDir": lustre.mount,
        "StorageType": "FsxLustre",
        "FsxLustreSettings": made,
    }
