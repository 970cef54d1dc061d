"""Against the real programs: a private slurmctld and slurmd."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from private_slurm import PrivateSlurm

from launchers.slurm import SlurmParams, SlurmScheduler, plugin
from schemas.failure import FailureName
from schemas.queue import JobRequest, JobSeen, Refused, Silent

WAIT_S = 60.0
SHOW = (
    "import json, os, sys; from launchers.slurm import SlurmParams, plugin; "
    "params = SlurmParams.model_validate_json(sys.argv[1]); "
    "print(plugin.scheduler(params).allocation(os.environ).model_dump_json())"
)
STOPPABLE = "trap 'touch saved; exit 3' USR1; touch began; while :; do sleep 0.1; done"


class Site:
    """A user who hands jobs in."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        defaults = {"tasks_per_node": 1, "walltime_min": 5, "memory_gb": 0.1}
        self.params = SlurmParams.model_validate({**defaults, **settings})
        self.scheduler = plugin.scheduler(self.params)
        self.folder = folder

    def submit(self, command: str | tuple[str, ...], **changes: Any) -> str:
        argv = ("bash", "-c", command) if isinstance(command, str) else command
        values = {"name": "a-job", "shape": self.params.shape, "folder": self.folder}
        request = JobRequest(**{**values, "command": argv, **changes})
        path = self.folder / "job.sh"
        path.write_text(self.scheduler.script(request))
        return self.scheduler.submit(request, path)

    def seen(self) -> dict[str, JobSeen]:
        return {job.id: job for job in self.scheduler.seen()}

    def end_of(self, job: str, wait_s: float = WAIT_S) -> JobSeen:
        until(lambda: job in self.scheduler.ended([job]), wait_s=wait_s)
        return self.scheduler.ended([job])[job]

    def record(self, job: str, restarts: int = 0) -> int:
        path = self.folder / f"ended-{job}-{restarts}.json"
        until(path.exists)
        code: int = json.loads(path.read_text())["exit"]
        return code

    def output(self, job: str) -> str:
        return (self.folder / f"out-{job}.txt").read_text()


def until(ready: Callable[[], bool], *, wait_s: float = WAIT_S) -> None:
    end = time.monotonic() + wait_s
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture
def site(slurm: PrivateSlurm, tmp_path: Path) -> Site:
    assert slurm.environment
    return Site(tmp_path)


def test_a_job_is_seen_and_its_end_too(site: Site) -> None:
    job = site.submit("touch began; sleep 1; exit 7", name="a-name.of_mine-1")
    (seen,) = site.scheduler.seen()
    assert (seen.id, seen.name, seen.index, seen.failure) == (job, "a-name.of_mine-1", None, None)
    until((site.folder / "began").exists)
    (seen,) = site.scheduler.seen()
    assert (seen.phase, seen.state) == ("running", "RUNNING")
    assert seen.began_at is not None
    assert abs(seen.began_at.timestamp() - time.time()) < WAIT_S
    ended = site.end_of(job)
    assert (ended.phase, ended.state, ended.failure) == ("ended", "FAILED", None)
    assert ended.reason == "NonZeroExitCode"
    assert site.record(job) == 7
    assert site.scheduler.seen() == []


def test_a_job_that_waits_says_why(site: Site) -> None:
    job = site.submit("true", shape=site.params.shape.model_copy(update={"cores": 8}))
    site.end_of(job)
    first = site.submit("sleep 60", shape=site.params.shape.model_copy(update={"cores": 8}))
    until(lambda: site.seen()[first].phase == "running")
    second = site.submit("true")
    until(lambda: site.seen()[second].reason == "Resources")
    assert site.seen()[second].phase == "waiting"
    assert site.seen()[second].began_at is None


def test_what_the_scheduler_never_heard_of_has_no_end(site: Site) -> None:
    assert site.scheduler.ended(["999999", "999999_3"]) == {}
    assert site.scheduler.ended([]) == {}


def test_a_cancelled_job_is_told_and_ends_as_cancelled(site: Site) -> None:
    job = site.submit("trap 'touch saved; exit 4' TERM; touch began; while :; do sleep 0.1; done")
    until((site.folder / "began").exists)
    site.scheduler.cancel([job, "999999"])
    assert site.end_of(job).failure == FailureName.CANCELLED
    assert (site.folder / "saved").exists()
    assert site.record(job) == 4
    site.scheduler.cancel([job])  # over already
    site.scheduler.cancel([])


def test_elements_of_an_array_are_jobs_of_their_own(site: Site) -> None:
    wait = "until [ -e seen ]; do sleep 0.1; done; "
    job = site.submit(wait + 'echo "$SLURM_ARRAY_TASK_ID"; exit "$SLURM_ARRAY_TASK_ID"', count=3)
    elements = [f"{job}_{index}" for index in range(3)]
    assert {one.id: one.index for one in site.scheduler.seen()} == {
        element: index for index, element in enumerate(elements)
    }
    (site.folder / "seen").touch()
    for index, element in enumerate(elements):
        assert site.end_of(element).index == index
        assert site.record(element) == index
        assert site.output(element) == f"{index}\n"
    assert sorted(site.scheduler.ended([job])) == elements


def test_an_element_of_an_array_can_be_cancelled_alone_or_all_together(site: Site) -> None:
    job = site.submit("sleep 60", count=3)
    site.scheduler.cancel([f"{job}_1"])
    until(lambda: f"{job}_1" not in site.seen())
    assert {f"{job}_0", f"{job}_2"} <= set(site.seen())
    site.scheduler.cancel([job])
    until(lambda: not site.seen())
    assert {one.failure for one in site.scheduler.ended([job]).values()} == {FailureName.CANCELLED}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"partition": "nope"}, "invalid partition specified: nope"),
        ({"tasks_per_node": 999}, "More processors requested than permitted"),
        ({"memory_gb": 9999}, "Memory specification can not be satisfied"),
        ({"constraint": "nope"}, "Invalid feature specification"),
        ({"gres": "gpu:1"}, "Invalid generic resource (gres) specification"),
        ({"reservation": "nope"}, "Requested reservation is invalid"),
        ({"extra": ["--no-such-option"]}, "unrecognized option"),
    ],
)
def test_what_cannot_run_here_is_refused_for_good_in_slurms_words(
    slurm: PrivateSlurm, tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(Refused) as refused:
        Site(tmp_path, **settings).submit("true")
    assert words in refused.value.words
    assert not refused.value.for_now
    assert slurm.run("squeue", "--noheader") == ""


def test_the_jobs_allocation_is_what_was_asked_for(slurm: PrivateSlurm, tmp_path: Path) -> None:
    site = Site(tmp_path, tasks_per_node=3, memory_gb=0.5, walltime_min=7)
    show = (sys.executable, "-c", SHOW, site.params.model_dump_json())
    before = time.time()
    job = site.submit(show, count=2)
    for index in range(2):
        site.end_of(f"{job}_{index}")
        found = json.loads(site.output(f"{job}_{index}"))
        assert (found["job"], found["index"], found["restarts"]) == (f"{job}_{index}", index, 0)
        assert found["cores"] == 3
        assert found["memory_gb"] == pytest.approx(0.5, abs=0.002)  # whole MiB
        assert before + 7 * 60 - 1 <= found["ends_at"] <= time.time() + 7 * 60
    assert slurm.run("squeue", "--noheader") == ""


def test_an_odd_folder_takes_the_output_and_is_the_working_directory(
    slurm: PrivateSlurm, tmp_path: Path
) -> None:
    folder = tmp_path / "50% of $HOME; %j (mine) #1"
    folder.mkdir()
    site = Site(folder)
    job = site.submit("pwd")
    assert site.record(job) == 0
    assert slurm.environment
    assert site.output(job) == f"{folder}\n"


def test_names_of_other_peoples_making_disturb_nothing(site: Site, slurm: PrivateSlurm) -> None:
    odd = "a|b\x1f,c 'd' \"e\"\nf %j"
    wait = ("--hold", "--wrap=true", "--mem=1", "--output=/dev/null")
    other = slurm.run("sbatch", "--parsable", f"--job-name={odd}", *wait)
    job = site.submit("sleep 60")
    assert set(site.seen()) == {other, job}
    assert site.seen()[other].name == odd
    assert site.seen()[other].reason == "JobHeldUser"


@pytest.mark.slow  # 12 s: programs wait for a controller
def test_without_a_controller_it_is_silent_and_the_jobs_go_on(
    site: Site, slurm: PrivateSlurm
) -> None:
    job = site.submit("touch began; until [ -e go ]; do sleep 0.1; done; exit 5")
    until((site.folder / "began").exists)
    slurm.save()
    slurm.kill_controller()
    calls: list[Callable[[], object]] = [
        lambda: site.submit("true"),
        site.scheduler.seen,
    ]
    for call in calls:
        with pytest.raises(Silent, match=r"Unable to contact slurm controller|Connection re"):
            call()
    slurm.start_controller()
    (site.folder / "go").touch()
    assert site.end_of(job).failure is None
    assert site.record(job) == 5


@pytest.mark.slow  # 13 s: until it is started again
def test_a_job_that_is_requeued_starts_again_and_counts(site: Site, slurm: PrivateSlurm) -> None:
    again = 'echo "${SLURM_RESTART_COUNT:-0}"; [ -n "${SLURM_RESTART_COUNT:-}" ] || sleep 60'
    job = site.submit(again)
    until(lambda: (site.folder / f"out-{job}.txt").exists() and bool(site.output(job)))
    slurm.run("scontrol", "requeue", job)
    until(lambda: site.seen()[job].phase == "waiting")
    assert site.end_of(job).state == "COMPLETED"
    assert site.output(job).splitlines()[-1] == "1"
    assert site.record(job, restarts=1) == 0


def test_a_job_that_may_not_be_requeued_ends_preempted(slurm: PrivateSlurm, tmp_path: Path) -> None:
    site = Site(tmp_path, partition="spot", tasks_per_node=8)
    job = site.submit("touch began; sleep 60")
    until((tmp_path / "began").exists)
    urgent = Site(tmp_path, partition="urgent", tasks_per_node=8)
    urgent.submit("true", name="urgent")
    assert site.end_of(job).failure == FailureName.PREEMPTED
    assert slurm.environment


def test_a_lost_node_is_told_from_a_failure(slurm: PrivateSlurm, tmp_path: Path) -> None:
    site = Site(tmp_path, requeue=False)
    job = site.submit("touch began; sleep 60")
    until((tmp_path / "began").exists)
    slurm.fail_node()
    assert site.end_of(job).failure == FailureName.NODE_FAILED


def test_on_a_drained_node_jobs_wait_and_say_why(site: Site, slurm: PrivateSlurm) -> None:
    slurm.drain()
    job = site.submit("true")
    until(lambda: "DRAINED" in site.seen()[job].reason or "NotAvail" in site.seen()[job].reason)
    slurm.resume()
    assert site.end_of(job).state == "COMPLETED"


def test_workers_start_once_on_every_node_and_are_told_there(
    slurm_pair: PrivateSlurm, tmp_path: Path
) -> None:
    site = Site(tmp_path, nodes_per_job=2, tasks_per_node=2)
    mine = "began-$SLURM_PROCID"
    told = f"trap 'touch saved-$SLURM_PROCID; exit 3' USR1; echo $SLURM_CPUS_ON_NODE > {mine}"
    job = site.submit(f"{told}; while :; do sleep 0.1; done")
    until(lambda: len(list(tmp_path.glob("began-*"))) == 2)
    until(lambda: (tmp_path / "began-1").read_text() == "2\n")
    slurm_pair.run("scancel", "--batch", "--signal=USR1", job)
    assert site.end_of(job).state == "FAILED"
    assert len(list(tmp_path.glob("saved-*"))) == 2
    assert site.record(job) == 3


def test_a_large_calculation_starts_on_one_of_its_nodes_only(
    slurm_pair: PrivateSlurm, tmp_path: Path
) -> None:
    site = Site(tmp_path, nodes_per_job=2, tasks_per_node=2)
    job = site.submit('echo "$SLURM_JOB_NUM_NODES $SLURM_NTASKS"', per_node=False)
    assert site.end_of(job).state == "COMPLETED"
    assert site.output(job) == "2 4\n"
    assert slurm_pair.environment


@pytest.mark.slow  # 40 s: Slurm looks at limits every half minute
def test_before_the_limit_the_worker_is_told(slurm: PrivateSlurm, tmp_path: Path) -> None:
    site = Site(tmp_path, walltime_min=1, stop_before_s=30)
    job = site.submit(STOPPABLE)
    assert site.end_of(job, wait_s=100).failure is None
    assert (tmp_path / "saved").exists()
    assert site.record(job) == 3
    assert slurm.environment


@pytest.mark.slow  # 80 s: the shortest limit is a minute
def test_a_job_that_hears_nothing_is_killed_at_its_limit(
    slurm: PrivateSlurm, tmp_path: Path
) -> None:
    site = Site(tmp_path, walltime_min=1, stop_before_s=30)
    job = site.submit("trap '' USR1 TERM; touch began; while :; do sleep 0.1; done")
    ended = site.end_of(job, wait_s=200)
    assert (ended.state, ended.failure) == ("TIMEOUT", FailureName.KILLED_AT_WALLTIME)
    assert not list(tmp_path.glob("ended-*"))
    assert slurm.environment


def test_a_scheduler_can_be_made_from_the_plugin(site: Site) -> None:
    assert isinstance(site.scheduler, SlurmScheduler)
