"""What settings of a cluster may say, and what is said of those that AWS would refuse."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runner.parallelcluster.rules import problems
from runner.parallelcluster.settings import ClusterSettings
from schemas.errors import InvalidFile

Read = Callable[[str], ClusterSettings]


def complaints(read: Read, lines: str) -> str:
    with pytest.raises(InvalidFile) as caught:
        read(lines)
    return "\n".join(line.partition("settings.yaml:")[2] for line in caught.value.lines)


def queue(**keys: object) -> str:
    asked = {"name": "q", "instance_types": "[c6i.32xlarge]", "capacity": "spot", "max_count": 1}
    words = ", ".join(f"{key}: {value}" for key, value in (asked | keys).items())
    return f"queues:\n  - {{{words}}}\n"


def test_without_queues_there_is_a_spot_and_an_on_demand_one(read: Read) -> None:
    settings = read("")
    assert [(one.name, one.capacity) for one in settings.queues] == [
        ("spot", "spot"),
        ("ondemand", "on-demand"),
    ]
    assert settings.lustre.deployment == "SCRATCH_2"


def test_all_mistakes_of_a_file_are_told_at_once_with_their_lines(read: Read) -> None:
    told = complaints(
        read,
        """\
        lustre: {size_gb: 1300}
        queues:
          - name: spot
            instance_types: [c6a.32xlarge]
            capacity: spot
            max_count: 2
            efa: true
        idle_minutes: 5
        """,
    )
    assert told.splitlines() == ["13: idle_minutes: unknown key; did you mean 'idle_min'?"]
    told = complaints(read, "lustre: {size_gb: 1300}\n" + queue(efa="true", min_count=2))
    assert [line.split(":")[1].strip() for line in told.splitlines()] == [
        "lustre.size_gb",
        "queues[0].min_count",
    ]


def test_efa_is_refused_on_types_without_it_and_those_of_the_family_that_have_it_are_named(
    read: Read,
) -> None:
    told = complaints(read, queue(instance_types="[c6i.16xlarge]", efa="true"))
    assert told == (
        "7: queues[0].instance_types[0]: c6i.16xlarge has no Elastic Fabric Adapter, which "
        "`efa: true` asks for; of its family c6i.32xlarge has it, and jobs on one machine do not "
        "need it"
    )
    assert "no type of its family has it" in complaints(
        read, queue(instance_types="[c5a.16xlarge]", efa="true")
    )
    assert read(queue(efa="true")).queues[0].efa


def test_types_that_are_no_spot_instances_are_refused_in_a_spot_queue(read: Read) -> None:
    told = complaints(read, queue(instance_types="[hpc6a.48xlarge]"))
    assert "hpc6a.48xlarge is not offered as spot instance; use `capacity: on-demand`" in told


def test_types_of_one_queue_have_as_many_cores_not_as_many_threads(read: Read) -> None:
    told = complaints(read, queue(instance_types="[c6i.32xlarge, c7a.32xlarge]"))
    assert "(c6i.32xlarge 64, c7a.32xlarge 128)" in told
    assert read(queue(instance_types="[c6i.32xlarge, c7a.16xlarge]"))


def test_a_type_that_is_not_known_needs_its_size(read: Read) -> None:
    assert "did you mean 'c6i.32xlarge'?" in complaints(read, queue(instance_types="[c6i.32xlarg]"))
    new = {"instance_types": "[c99z.32xlarge]", "capacity": "on-demand"}
    assert "give cores_per_node and memory_gib_per_node" in complaints(read, queue(**new))
    assert read(queue(**new, cores_per_node=64, memory_gib_per_node=256))


def test_a_price_cap_is_for_spot_instances(read: Read) -> None:
    told = complaints(read, queue(capacity="on-demand", price_cap_usd_per_hour=2.5))
    assert "only spot instances have a price that changes" in told


def test_machines_of_two_architectures_are_refused(read: Read) -> None:
    told = complaints(read, queue(instance_types="[c7g.16xlarge]"))
    assert "c7g.16xlarge is arm64, but the head node (m6i.xlarge) is x86_64" in told


def test_two_queues_of_one_name_are_refused(read: Read) -> None:
    one = queue().removeprefix("queues:\n")
    assert "queues[1].name: a second queue 'q'" in complaints(read, "queues:\n" + one + one)


@pytest.mark.parametrize(
    ("lustre", "said"),
    [
        ("{size_gb: 3600}", "found 3600, expected 1200 or a multiple of 2400"),
        ("{mb_s_per_tib: 125}", "SCRATCH_2 has 200 MB/s per TiB, always"),
        ("{deployment: PERSISTENT_2}", "missing, expected one of 125, 250, 500, 1000"),
        ("{deployment: PERSISTENT_1, mb_s_per_tib: 125}", "expected one of 50, 100, 200"),
        ("{file_system: fs-0123456789abcdef0, size_gb: 1200}", "not together with `file_system`"),
        ("{file_system: fs-1}", "expected a file system's id"),
    ],
)
def test_a_file_system_that_fsx_does_not_make_is_refused(
    read: Read, lustre: str, said: str
) -> None:
    assert said in complaints(read, f"lustre: {lustre}\n")


@pytest.mark.parametrize(
    "lustre",
    ["{size_gb: 4800}", "{deployment: PERSISTENT_2, mb_s_per_tib: 125, keep: true}",
     "{file_system: fs-0123456789abcdef0, mount: /scratch}"],
)  # fmt: skip
def test_a_file_system_that_fsx_makes_is_taken(read: Read, lustre: str) -> None:
    assert read(f"lustre: {lustre}\n")


def test_more_cores_than_the_limit_are_a_mistake(read: Read) -> None:
    told = complaints(read, queue(max_count=40))
    assert "all queues at full size have 2560 cores (q 40 x 64)" in told
    assert read(queue(max_count=40) + "limits: {cores: 2560}\n")


def test_software_is_installed_on_the_system_whose_packages_are_known(read: Read) -> None:
    told = complaints(read, "staging: s3://bucket/folder\nos: alinux2023\n")
    assert "expected ubuntu2404 with `staging`" in told
    assert read("os: alinux2023\n")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("staging: s3://bucket/folder/\n", "expected a folder in S3"),
        ("staging: s3://bucket/a;b\n", "expected a folder in S3"),
        ("pseudopotentials: ['$(id)']\n", "expected a name of a family"),
        ("pcluster: 2.11.0\n", "pcluster: found '2.11.0'"),
        ("lustre: {mount: /fsx/deep}\n", "expected a folder at the root"),
    ],
)
def test_texts_that_reach_a_shell_have_a_shape(read: Read, lines: str, said: str) -> None:
    assert said in complaints(read, lines)


def test_accounting_shortens_the_name_that_a_cluster_may_have(read: Read) -> None:
    arn = "arn:aws:secretsmanager:us-east-2:111122223333:secret:slurm-AbCdEf"
    settings = read(f"accounting: {{host: 'db:3306', user: slurm, password_secret: '{arn}'}}\n")
    assert not problems(settings)
    (found,) = problems(settings.model_copy(update={"cluster": "c" * 41}))
    assert found.dotted() == "cluster"
    assert "at most 40 with accounting" in found.message
