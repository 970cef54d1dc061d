"""Configurations as AWS's own schema reads them: the package `aws-parallelcluster`, no account.

The first test of a machine makes the environment of that package, which takes a minute.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from runner.parallelcluster.aws_check import check_cluster
from runner.parallelcluster.configuration import text
from runner.parallelcluster.settings import PCLUSTER_VERSION, ClusterSettings
from schemas.errors import InvalidFile, UserError

Read = Callable[[str], ClusterSettings]
EVERYTHING = """\
staging: s3://my-bucket/matcampaign
lustre: {size_gb: 4800, deployment: PERSISTENT_2, mb_s_per_tib: 250, keep: true, mount: /scratch}
queues:
  - {name: spot, instance_types: [c6i.32xlarge, c7a.16xlarge], capacity: spot, max_count: 3,
     price_cap_usd_per_hour: 2.5, efa: false}
  - {name: wide, instance_types: [c6in.32xlarge], capacity: spot, max_count: 3, efa: true}
  - {name: new, instance_types: [c99z.32xlarge], capacity: on-demand, max_count: 1, min_count: 1,
     cores_per_node: 64, memory_gib_per_node: 256, efa: true}
accounting:
  host: accounting.example.com:3306
  user: slurm
  password_secret: arn:aws:secretsmanager:us-east-2:111122223333:secret:slurm-AbCdEf
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cluster.yaml"


def refused(file: Path, said: str, python: Path) -> list[str]:
    file.write_text(said)
    with pytest.raises(InvalidFile) as caught:
        check_cluster(file, python)
    return [line.partition("cluster.yaml:")[2] for line in caught.value.lines]


@pytest.mark.slow
def test_the_cluster_that_ships_is_right_by_awss_schema_and_rules(
    example: ClusterSettings, file: Path, aws_python: Path
) -> None:
    file.write_text(text(example))
    found = check_cluster(file, aws_python)
    assert found.pcluster == PCLUSTER_VERSION
    assert found.rules_checked > 40
    assert [remark.level for remark in found.remarks] == ["INFO"]
    assert "will be deleted" in found.remarks[0].text


@pytest.mark.slow
@pytest.mark.parametrize(
    "lines",
    ["", EVERYTHING, "lustre: {file_system: fs-0123456789abcdef0}\n", "os: alinux2023\n"],
    ids=["smallest", "everything", "existing-file-system", "another-system"],
)
def test_whatever_settings_are_taken_make_what_aws_takes(
    read: Read, file: Path, aws_python: Path, lines: str
) -> None:
    file.write_text(text(read(lines)))
    assert check_cluster(file, aws_python).rules_checked > 40


@pytest.mark.slow
def test_mistakes_are_told_in_our_words_with_their_lines(
    example: ClusterSettings, file: Path, aws_python: Path
) -> None:
    said = text(example)
    for right, wrong in (
        ("ScaledownIdletime", "ScaledownIdleTime"),
        ("CapacityType: SPOT", "CapacityType: SPOTTY"),
        ("StorageCapacity: 1200", "StorageCapacity: much"),
        ("  InstanceType: m6i.xlarge\n", ""),
    ):
        assert right in said
        said = said.replace(right, wrong)
    assert "\n".join(refused(file, said, aws_python)) == dedent(
        """\
        14: HeadNode.InstanceType: missing, and AWS's schema asks for it
        43: Scheduling.SlurmSettings.ScaledownIdleTime: unknown key; did you mean 'ScaledownIdletime'?
        51: Scheduling.SlurmQueues[0].CapacityType: found 'SPOTTY', expected one of CAPACITY_BLOCK, ONDEMAND, SPOT
        101: SharedStorage[0].FsxLustreSettings.StorageCapacity: found 'much'; AWS's schema: Not a valid integer."""  # noqa: E501  (lines of a report)
    )


@pytest.mark.slow
def test_what_the_schema_passes_and_a_rule_of_aws_refuses_is_refused(
    example: ClusterSettings, file: Path, aws_python: Path
) -> None:
    said = text(example).replace("StorageCapacity: 1200", "StorageCapacity: 1300")
    said = said.replace("KillWait: 120", "SlurmUser: me").replace("us-east-2", "us-nowhere-2")
    told = "\n".join(refused(file, said, aws_python))
    assert "Capacity for FSx SCRATCH_2 file systems is 1,200 GB" in told
    assert "is not allowed: SlurmUser" in told
    assert "Region 'us-nowhere-2' is not yet officially supported" in told


@pytest.mark.slow
def test_what_cannot_be_read_without_aws_is_said(
    example: ClusterSettings, file: Path, aws_python: Path
) -> None:
    reserved = "MaxCount: 10\n          CapacityReservationTarget:\n            "
    reserved += "CapacityReservationId: cr-0123456789abcdef0"
    file.write_text(text(example).replace("MaxCount: 10", reserved))
    with pytest.raises(UserError, match="capacity reservations, which cannot be read without AWS"):
        check_cluster(file, aws_python)


def test_a_python_without_the_package_is_named(example: ClusterSettings, file: Path) -> None:
    file.write_text(text(example))
    with pytest.raises(UserError, match="No module named 'marshmallow'; expected a Python with"):
        check_cluster(file, Path(sys.executable))
    with pytest.raises(UserError, match="cannot be used to check"):
        check_cluster(file, file.parent / "no-python")
