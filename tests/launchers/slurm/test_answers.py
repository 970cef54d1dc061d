from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchers.slurm import accounting, queue
from launchers.slurm.elements import elements
from launchers.slurm.states import ENDED, WAITING, failure, phase, word
from schemas.failure import FailureName


def squeue_line(name: str, *, state: str = "RUNNING", job: str = "12", nodes: str = "n1") -> str:
    return queue.RECORD + queue.FIELD.join((job, state, "1795300982", nodes, "None", name)) + "\n"


@given(st.lists(st.text(st.characters(exclude_characters="\x1e\x00", exclude_categories=["Cs"]))))
def test_no_name_of_a_job_hides_or_adds_one(names: list[str]) -> None:
    seen = list(queue.jobs("".join(squeue_line(name) for name in names)))
    assert [job.name.rstrip("\n") for job in seen] == [name.rstrip("\n") for name in names]
    assert {job.id for job in seen} <= {"12"}


def test_a_running_job_began_at_a_time_in_utc() -> None:
    (job,) = queue.jobs(squeue_line("a"))
    assert job.began_at == datetime.fromtimestamp(1795300982, UTC)
    assert job.reason == ""


def test_a_job_that_waits_has_not_begun_whatever_is_expected() -> None:
    (job,) = queue.jobs(squeue_line("a", state="PENDING", nodes=""))
    assert job.began_at is None
    (cancelled,) = queue.jobs(squeue_line("a", state="CANCELLED", nodes=""))
    assert cancelled.began_at is None


@pytest.mark.parametrize(
    ("reason", "stuck"),
    [
        ("launch failed requeued held", True),
        ("JobHeldUser", False),
        ("Resources", False),
    ],
)
def test_a_job_that_slurm_gave_up_is_told_from_one_that_somebody_holds(
    reason: str, *, stuck: bool
) -> None:
    fields = ("12", "PENDING", "N/A", "", reason, "a")
    (job,) = queue.jobs(queue.RECORD + queue.FIELD.join(fields) + "\n")
    assert job.is_stuck is stuck


def test_no_answer_has_no_jobs() -> None:
    assert list(queue.jobs("")) == []
    assert list(accounting.jobs("")) == []


def sacct_line(state: str, exit_code: str = "0:0", job: str = "12") -> str:
    fields = (job, state, exit_code, "1795300982", "n1", "None", "a-job")
    return queue.FIELD.join(fields) + "\n"


@pytest.mark.parametrize(
    ("state", "exit_code", "name"),
    [
        ("COMPLETED", "0:0", None),
        ("FAILED", "7:0", None),
        ("FAILED", "0:9", FailureName.KILLED_BY_SIGNAL),
        ("TIMEOUT", "0:0", FailureName.KILLED_AT_WALLTIME),
        ("DEADLINE", "0:0", FailureName.KILLED_AT_WALLTIME),
        ("OUT_OF_MEMORY", "0:125", FailureName.OUT_OF_MEMORY),
        ("OUT_OF_ME+", "0:125", None),
        ("NODE_FAIL", "1:0", FailureName.NODE_FAILED),
        ("BOOT_FAIL", "1:0", FailureName.NODE_FAILED),
        ("PREEMPTED", "0:0", FailureName.PREEMPTED),
        ("CANCELLED by 1000", "0:0", FailureName.CANCELLED),
        ("RUNNING", "0:0", None),
    ],
)
def test_states_in_the_accounting_mean_failures(
    state: str, exit_code: str, name: FailureName | None
) -> None:
    (job,) = accounting.jobs(sacct_line(state, exit_code))
    assert job.failure == name
    assert " " not in job.state


def test_lines_that_belong_to_a_name_with_line_breaks_are_no_jobs() -> None:
    answer = (
        sacct_line("COMPLETED").rstrip("\n") + "\nrest of it\n" + sacct_line("FAILED", job="13")
    )
    assert [job.id for job in accounting.jobs(answer)] == ["12", "13"]


def test_a_reason_tells_a_lost_node_and_a_signal_from_an_exit_code() -> None:
    assert failure("FAILED", reason="JobLaunchFailure") == FailureName.NODE_FAILED
    assert failure("FAILED", reason="RaisedSignal:9(Killed)") == FailureName.KILLED_BY_SIGNAL
    assert failure("FAILED", reason="NonZeroExitCode") is None
    assert failure("COMPLETED", reason="RaisedSignal:9(Killed)") is None


def test_no_state_is_in_two_phases_and_an_unknown_one_holds_its_place() -> None:
    assert not WAITING & set(ENDED)
    assert phase("RUNNING") == phase("COMPLETING") == phase("NEW_IN_SLURM_99") == "running"
    assert phase(word("CANCELLED by 0")) == "ended"
    assert phase("CONFIGURING") == "waiting"


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        ("12", ["12"]),
        ("12_3", ["12_3"]),
        ("12_[0-2]", ["12_0", "12_1", "12_2"]),
        ("12_[0-1,5%2]", ["12_0", "12_1", "12_5"]),
        ("12_[0-4:2]", ["12_0", "12_2", "12_4"]),
        ("12_[7]", ["12_7"]),
    ],
)
def test_an_id_stands_for_the_elements_of_an_array(job: str, expected: list[str]) -> None:
    found = list(elements(job))
    assert [one for one, _ in found] == expected
    assert all(
        index == (int(one.partition("_")[2]) if "_" in one else None) for one, index in found
    )
