"""The settings of a cluster: the few things that differ between two of them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from schemas.model import Model

PCLUSTER_VERSION = "3.16.1"
"""Of AWS ParallelCluster, whose schema the configuration was last checked against."""
SOFTWARE_OS: Final = "ubuntu2404"
"""The one whose packages `bootstrap.sh` installs: Python 3.12 and Quantum ESPRESSO."""

Capacity = Literal["spot", "on-demand"]
Deployment = Literal["SCRATCH_2", "PERSISTENT_1", "PERSISTENT_2"]


def _shaped(pattern: str, expected: str) -> AfterValidator:
    """Return a validator for texts of a shape that is easier said than shown."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{expected}; found '{text}'")
        return text

    return AfterValidator(check)


ClusterName = Annotated[
    str,
    _shaped(r"[a-z][a-z0-9-]{0,59}", "a name of small letters, digits and dashes, at most 60, "
            "that begins with a letter"),
]  # fmt: skip
QueueName = Annotated[
    str,
    _shaped(r"(?!default$)[a-z][a-z0-9-]{0,24}", "a name of small letters, digits and dashes, "
            "at most 25, that begins with a letter and is not 'default'"),
]  # fmt: skip
Region = Annotated[
    str, _shaped(r"[a-z]{2}(-[a-z]+)+-\d", "a name of a region, as us-east-2 or eu-west-1")
]
Subnet = Annotated[
    str,
    _shaped(
        r"subnet-([0-9a-z]{8}|[0-9a-z]{17})", "a subnet's id: subnet- and 17 digits or letters"
    ),
]
Addresses = Annotated[
    str,
    _shaped(r"\d{1,3}(\.\d{1,3}){3}/\d{1,2}|pl-[a-zA-Z0-9]+",
            "a range of addresses, as 203.0.113.7/32 for one, or a prefix list pl-..."),
]  # fmt: skip
Bucket = Annotated[
    str,
    _shaped(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9!_.*'()-]+)+",
            "a folder in S3, as s3://my-bucket/matcampaign, without a slash at the end"),
]  # fmt: skip
Mount = Annotated[
    str, _shaped(r"/[a-z0-9_-]+", "a folder at the root, as /fsx, of small letters and digits")
]
FileSystem = Annotated[
    str, _shaped(r"fs-[0-9a-z]{17}", "a file system's id: fs- and 17 digits or letters")
]
Secret = Annotated[
    str, _shaped(r"arn:[^:]+:secretsmanager:.+:secret:.+", "an ARN of a secret in Secrets Manager")
]
KeyName = Annotated[str, _shaped(r"[ -~]{1,255}", "a name of an EC2 key pair")]
Family = Annotated[
    str,
    _shaped(r"[a-z0-9][a-z0-9-]{0,62}", "a name of a family of pseudopotentials, as gth-pbe"),
]


class Subnets(Model):
    """Where the machines are; one for computing, because FSx for Lustre is in one zone."""

    head: Subnet = Field(description="Of the head node; public, where you log in from outside.")
    compute: Subnet = Field(description="Of the compute nodes; private, with a NAT gateway.")


class HeadNode(Model):
    """The machine on which `campaign run` lives; it computes nothing itself."""

    instance_type: str = Field(default="m6i.xlarge", description="Small: it steers the queue.")
    disk_gb: int = Field(default=100, ge=45, description="Holds system, home folders and store.")
    ssh_from: Addresses = Field(description="Who may log in: your address, as 203.0.113.7/32.")


class Lustre(Model):
    """The file system that all machines share."""

    mount: Mount = Field(default="/fsx")
    file_system: FileSystem | None = Field(
        default=None, description="One that exists; nothing else is then given. Default: a new one."
    )
    size_gb: int = Field(default=1200, gt=0, description="1200, or a multiple of 2400.")
    deployment: Deployment = Field(
        default="SCRATCH_2",
        description="SCRATCH_2: cheap, lost when its hardware fails. PERSISTENT_2: replicated.",
    )
    mb_s_per_tib: int | None = Field(
        default=None, description="Throughput per TiB; needed where persistent, and only there."
    )
    compressed: bool = Field(default=True, description="LZ4, done by the file system.")
    keep: bool = Field(default=False, description="Keep it when the cluster is deleted.")


class Queue(Model):
    """A Slurm partition, whose machines are started when jobs wait and ended when idle."""

    name: QueueName
    instance_types: tuple[str, ...] = Field(
        min_length=1, description="Of as many cores each; AWS takes what it has, cheapest first."
    )
    capacity: Capacity = Field(description="spot: cheap, taken away at two minutes' notice.")
    max_count: int = Field(ge=1, description="Machines at most.")
    min_count: int = Field(default=0, ge=0, description="Machines that always run, and cost.")
    efa: bool = Field(
        default=False, description="AWS's fast network, for calculations over several machines."
    )
    price_cap_usd_per_hour: float | None = Field(
        default=None, gt=0, description="Of a spot instance. Default: the on-demand price."
    )
    walltime_min: float = Field(default=720, gt=0, description="Of one job, in the profile.")
    cores_per_node: int | None = Field(
        default=None, ge=1, description="For types that this version does not know: not vCPUs."
    )
    memory_gib_per_node: float | None = Field(default=None, gt=0, description="As above.")


class Accounting(Model):
    """A MySQL database for slurmdbd, so that `sacct` and limits of QOS work; it is not made."""

    host: str = Field(min_length=1, description="Host and port: accounting.example.com:3306.")
    user: str = Field(min_length=1)
    password_secret: Secret = Field(description="ARN of the secret that holds the password.")


class Limits(Model):
    """What a slip of the pen must not exceed; AWS Budgets watches what is spent."""

    cores: int = Field(default=2000, ge=1, description="Of all queues together, at full size.")


class ClusterSettings(Model):
    """A Slurm cluster on AWS."""

    cluster: ClusterName = Field(description="Its name; of the CloudFormation stack too.")
    project: str = Field(
        default="matcampaign", min_length=1, max_length=256, description="Tag on all that costs."
    )
    region: Region
    pcluster: str = Field(
        default=PCLUSTER_VERSION,
        pattern=r"^3\.\d+\.\d+$",
        description="Version of AWS ParallelCluster that makes the cluster.",
    )
    os: Literal["ubuntu2404", "ubuntu2204", "alinux2023", "rhel9", "rocky9"] = SOFTWARE_OS
    key_name: KeyName = Field(description="The EC2 key pair that logs in.")
    subnets: Subnets
    head_node: HeadNode
    staging: Bucket | None = Field(
        default=None,
        description="Folder with bootstrap.sh, the package and own families of pseudopotentials, "
        "which the head node puts on the shared file system. Default: nothing is installed.",
    )
    pseudopotentials: tuple[Family, ...] = Field(
        default=("gth-pbe",), description="Families that are made there, once."
    )
    lustre: Lustre = Lustre()
    queues: tuple[Queue, ...] = Field(
        default=(
            Queue(
                name="spot",
                instance_types=("c6i.32xlarge", "c6a.32xlarge", "m6i.32xlarge", "m6a.32xlarge"),
                capacity="spot",
                max_count=10,
            ),
            Queue(
                name="ondemand",
                instance_types=("c6i.32xlarge", "c6a.32xlarge"),
                capacity="on-demand",
                max_count=4,
            ),
        ),
        min_length=1,
        max_length=50,
    )
    idle_min: int = Field(
        default=5, ge=1, description="After so long without a job, a machine is ended."
    )
    accounting: Accounting | None = None
    limits: Limits = Limits()

    @property
    def home(self) -> PurePosixPath:
        """The folder on the shared file system that holds all of ours."""
        return PurePosixPath(self.lustre.mount) / "matcampaign"
