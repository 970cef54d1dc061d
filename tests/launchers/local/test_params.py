import pytest
from pydantic import ValidationError

from launchers.local.params import LocalParams, TooManyCores, cpu_quota
from schemas.errors import UserError
from schemas.registry import launchers


def test_the_registry_finds_the_local_launcher():
    assert launchers.get("local").params is LocalParams


@pytest.mark.parametrize(
    ("slots", "cores_per_job", "usable", "seats"),
    [(None, 1, 2, 2), (None, 2, 5, 2), (3, 2, 6, 3), (1, 2, 2, 1)],
)
def test_slots_fill_the_machine_or_are_as_many_as_asked_for(slots, cores_per_job, usable, seats):
    assert LocalParams(slots=slots, cores_per_job=cores_per_job).seats(usable) == seats


@pytest.mark.parametrize(
    ("slots", "cores_per_job", "remedy"),
    [
        (3, 1, "3 x cores_per_job 1 = 3 cores, but 2 can be used.*set slots to 2 or less"),
        (2, 2, "2 x cores_per_job 2 = 4 cores, but 2 can be used.*set slots to 1 or less"),
        (None, 3, "1 x cores_per_job 3 = 3 cores, but 2 can be used.*set cores_per_job to 2"),
    ],
)
def test_more_cores_than_the_machine_has_are_refused_with_a_remedy(slots, cores_per_job, remedy):
    with pytest.raises(TooManyCores, match=remedy) as caught:
        LocalParams(slots=slots, cores_per_job=cores_per_job).seats(2)
    assert isinstance(caught.value, UserError)


def test_no_slots_at_all_are_refused():
    with pytest.raises(ValidationError):
        LocalParams(slots=0)


def test_a_cpu_quota_of_version_2_is_read_and_the_smallest_ancestor_counts(tmp_path):
    membership = tmp_path / "cgroup"
    membership.write_text("0::/user/job\n")
    (tmp_path / "fs/user/job").mkdir(parents=True)
    (tmp_path / "fs/user/job/cpu.max").write_text("max 100000\n")
    (tmp_path / "fs/user/cpu.max").write_text("150000 100000\n")
    assert cpu_quota(membership, tmp_path / "fs") == pytest.approx(1.5)


def test_a_cpu_quota_of_version_1_is_read(tmp_path):
    membership = tmp_path / "cgroup"
    membership.write_text("3:cpuset:/\n2:cpu,cpuacct:/job\n1:name=systemd:/\n")
    (tmp_path / "fs/cpu/job").mkdir(parents=True)
    (tmp_path / "fs/cpu/job/cpu.cfs_quota_us").write_text("400000\n")
    (tmp_path / "fs/cpu/job/cpu.cfs_period_us").write_text("100000\n")
    assert cpu_quota(membership, tmp_path / "fs") == pytest.approx(4.0)


def test_a_container_sees_its_own_quota_though_its_path_is_the_hosts(tmp_path):
    membership = tmp_path / "cgroup"
    membership.write_text("0::/docker/0123\n")
    (tmp_path / "fs").mkdir()
    (tmp_path / "fs/cpu.max").write_text("200000 100000\n")
    assert cpu_quota(membership, tmp_path / "fs") == pytest.approx(2.0)


def test_no_quota_is_none(tmp_path):
    membership = tmp_path / "cgroup"
    membership.write_text("0::/\n")
    (tmp_path / "fs").mkdir()
    (tmp_path / "fs/cpu.max").write_text("max 100000\n")
    assert cpu_quota(membership, tmp_path / "fs") is None
    assert cpu_quota(tmp_path / "missing", tmp_path / "fs") is None
