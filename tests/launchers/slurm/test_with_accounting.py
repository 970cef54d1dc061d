"""Against a real Slurm with slurmdbd and MariaDB: sacct answers, and limits hold."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from private_slurm import PrivateSlurm

from launchers.slurm import SlurmParams, plugin
from schemas.failure import FailureName
from schemas.queue import JobRequest, Refused

SETTINGS = {"tasks_per_node": 1, "walltime_min": 5, "memory_gb": 0.1}


def submit(folder: Path, command: str, **changes: Any) -> str:
    params = SlurmParams.model_validate(SETTINGS)
    scheduler = plugin.scheduler(params)
    values = {"name": "a-job", "shape": params.shape, "folder": folder}
    request = JobRequest(**{**values, "command": ("bash", "-c", command), **changes})
    path = folder / "job.sh"
    path.write_text(scheduler.script(request))
    return scheduler.submit(request, path)


def until(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.1)


def forgotten(slurm: PrivateSlurm) -> bool:
    """Tell whether slurmctld knows of no job any more, so that only accounting can."""
    return not slurm.run("squeue", "--noheader", "--states=all")


@pytest.mark.slow  # 20 s with the start of the daemons
def test_accounting_knows_ends_that_the_controller_forgot(
    slurm_accounting: PrivateSlurm, tmp_path: Path
) -> None:
    scheduler = plugin.scheduler(SlurmParams.model_validate(SETTINGS))
    good = submit(tmp_path, "true", name="good.one")
    bad = submit(tmp_path, "exit 7")
    killed = submit(tmp_path, "kill -9 $PPID; sleep 10")
    array = submit(tmp_path, "sleep 60", count=3)
    lost = submit(tmp_path, "touch began; sleep 60")
    until((tmp_path / "began").exists)
    never_began = submit(tmp_path, "true", count=3, shape=_whole())
    scheduler.cancel([array, lost, never_began])
    until(lambda: forgotten(slurm_accounting))
    asked = [good, bad, killed, array, lost, never_began, "999999"]
    until(lambda: len(scheduler.ended(asked)) == 10)
    ended = scheduler.ended(asked)
    assert (ended[good].state, ended[good].failure) == ("COMPLETED", None)
    assert ended[good].name == "good.one"
    began = ended[good].began_at
    assert began is not None
    assert abs(began.timestamp() - time.time()) < 120
    assert (ended[bad].state, ended[bad].failure) == ("FAILED", None)
    assert ended[killed].failure == FailureName.KILLED_BY_SIGNAL
    assert ended[lost].failure == FailureName.CANCELLED
    for job in (array, never_began):
        for index in range(3):
            element = ended[f"{job}_{index}"]
            assert (element.index, element.failure) == (index, FailureName.CANCELLED)
    assert ended[f"{never_began}_1"].began_at is None


@pytest.mark.slow  # 10 s: until it is forgotten
def test_one_element_of_an_array_is_found_in_the_accounting(
    slurm_accounting: PrivateSlurm, tmp_path: Path
) -> None:
    scheduler = plugin.scheduler(SlurmParams.model_validate(SETTINGS))
    array = submit(tmp_path, 'exit "$SLURM_ARRAY_TASK_ID"', count=2)
    until(lambda: forgotten(slurm_accounting))
    until(lambda: list(scheduler.ended([f"{array}_1"])) == [f"{array}_1"])
    assert scheduler.ended([f"{array}_1"])[f"{array}_1"].state == "FAILED"


def test_a_limit_on_submissions_is_a_refusal_for_now_in_slurms_words(
    slurm_accounting: PrivateSlurm, tmp_path: Path
) -> None:
    slurm_accounting.limit("MaxSubmitJobsPerUser", 2)
    jobs = [submit(tmp_path, "sleep 60") for _ in range(2)]
    with pytest.raises(Refused, match="QOSMaxSubmitJobPerUserLimit") as refused:
        submit(tmp_path, "true")
    assert refused.value.for_now
    assert "Job violates accounting/QOS policy" in refused.value.words
    scheduler = plugin.scheduler(SlurmParams.model_validate(SETTINGS))
    scheduler.cancel(jobs)
    until(lambda: not scheduler.seen())
    submit(tmp_path, "true")


def test_an_array_that_is_larger_than_the_limit_is_refused_for_now(
    slurm_accounting: PrivateSlurm, tmp_path: Path
) -> None:
    slurm_accounting.limit("MaxSubmitJobsPerUser", 2)
    with pytest.raises(Refused) as refused:
        submit(tmp_path, "true", count=3)
    assert refused.value.for_now


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"account": "nope"}, "Invalid account or account/partition combination specified"),
        ({"qos": "nope"}, "Invalid qos specification"),
    ],
)
def test_an_account_or_a_qos_that_does_not_exist_is_refused_for_good(
    slurm_accounting: PrivateSlurm, tmp_path: Path, settings: dict[str, str], words: str
) -> None:
    params = SlurmParams.model_validate({**SETTINGS, **settings})
    scheduler = plugin.scheduler(params)
    request = JobRequest(name="a-job", shape=params.shape, command=("true",), folder=tmp_path)
    path = tmp_path / "job.sh"
    path.write_text(scheduler.script(request))
    with pytest.raises(Refused, match=words) as refused:
        scheduler.submit(request, path)
    assert not refused.value.for_now
    assert slurm_accounting.run("squeue", "--noheader") == ""


def _whole() -> Any:
    params = SlurmParams.model_validate({**SETTINGS, "tasks_per_node": 8})
    return params.shape
