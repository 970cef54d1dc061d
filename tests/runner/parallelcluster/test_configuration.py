"""The configuration that settings become, and the profiles of its queues."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from runner.parallelcluster.configuration import configuration, text
from runner.parallelcluster.instance_types import instance_types
from runner.parallelcluster.profiles import profiles
from runner.parallelcluster.settings import ClusterSettings
from runner.settings import read_profile

GOLDEN = Path(__file__).with_name("example.cluster.yaml")
Read = Callable[[str], ClusterSettings]


def queues(settings: ClusterSettings) -> Any:
    made: Any = configuration(settings)
    return {one["Name"]: one for one in made["Scheduling"]["SlurmQueues"]}


def test_the_settings_that_ship_become_the_configuration_that_was_checked(
    example: ClusterSettings,
) -> None:
    assert text(example) == GOLDEN.read_text()


def test_the_text_is_the_configuration(example: ClusterSettings) -> None:
    from ruamel.yaml import YAML

    assert YAML(typ="safe").load(text(example)) == configuration(example)


def test_efa_comes_with_a_placement_group(example: ClusterSettings) -> None:
    made = queues(example)
    assert made["wide"]["ComputeResources"][0]["Efa"] == {"Enabled": True}
    assert made["wide"]["Networking"]["PlacementGroup"] == {"Enabled": True}
    assert "Efa" not in made["spot"]["ComputeResources"][0]
    assert "PlacementGroup" not in made["spot"]["Networking"]


def test_second_threads_are_off_where_cores_have_two(example: ClusterSettings) -> None:
    made = queues(example)
    key = "DisableSimultaneousMultithreading"
    assert made["spot"]["ComputeResources"][0][key] is True
    assert key not in made["wide"]["ComputeResources"][0]


def test_a_price_cap_reaches_the_spot_queue(read: Read) -> None:
    settings = read(
        "queues: [{name: q, instance_types: [c6i.32xlarge], capacity: spot, max_count: 1, "
        "price_cap_usd_per_hour: 2.5}]\n"
    )
    assert queues(settings)["q"]["ComputeResources"][0]["SpotPrice"] == 2.5


def test_without_staging_the_head_node_runs_nothing_and_reads_no_bucket(read: Read) -> None:
    made: Any = configuration(read(""))
    assert not {"CustomActions", "Iam"} & made["HeadNode"].keys()


def test_a_file_system_that_exists_is_named_and_nothing_else(read: Read) -> None:
    made: Any = configuration(read("lustre: {file_system: fs-0123456789abcdef0}\n"))
    (storage,) = made["SharedStorage"]
    assert storage["FsxLustreSettings"] == {"FileSystemId": "fs-0123456789abcdef0"}


def test_a_profile_has_the_size_of_its_queues_machines_as_slurm_sees_them(
    example: ClusterSettings, tmp_path: Path
) -> None:
    made = {}
    for name, said in profiles(example).items():
        path = tmp_path / f"{name}.yaml"
        path.write_text(said)
        made[name] = read_profile(path).launcher
    assert {name: one["tasks_per_node"] for name, one in made.items()} == {
        "screening-spot": 64,
        "screening-ondemand": 64,
        "screening-wide": 96,
    }
    spot = made["screening-spot"]
    assert (spot["kind"], spot["partition"], spot["max_jobs"]) == ("slurm", "spot", 10)
    # 95 % of 256 GiB, the smallest machine's, in GB
    assert spot["memory_gb"] == 261


def test_a_profile_of_a_cluster_without_our_software_names_no_programs(
    read: Read, tmp_path: Path
) -> None:
    path = tmp_path / "profile.yaml"
    path.write_text(profiles(read(""))["screening-spot"])
    profile = read_profile(path)
    assert not profile.codes
    assert profile.paths.artefacts == Path("/fsx/matcampaign/runs")


def test_the_table_of_instance_types_says_what_ec2_says() -> None:
    moto = find_spec("moto")  # importing it takes seconds
    if moto is None or moto.origin is None:
        pytest.skip("moto is not installed")
    packed = Path(moto.origin).parent / "ec2" / "resources" / "instance_types.json.gz"
    said = json.loads(gzip.decompress(packed.read_bytes()))
    assert len(instance_types()) > 700
    for name, one in instance_types().items():
        theirs = said[name]
        assert (one.cores, one.vcpus, one.architecture, one.efa, one.spot) == (
            theirs["VCpuInfo"]["DefaultCores"],
            theirs["VCpuInfo"]["DefaultVCpus"],
            *theirs["ProcessorInfo"]["SupportedArchitectures"],
            theirs["NetworkInfo"]["EfaSupported"],
            "spot" in theirs["SupportedUsageClasses"],
        ), name
        # the table has six digits
        assert one.memory_gib == pytest.approx(theirs["MemoryInfo"]["SizeInMiB"] / 1024, rel=1e-5)
