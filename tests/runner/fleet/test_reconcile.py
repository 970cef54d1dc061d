"""What became of a job: the scheduler's word first, then the job's own, then silence."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.fleet.reconcile import LAG_S, UNSURE_S, find
from runner.fleet.records import JobRecord
from schemas.failure import FailureName
from schemas.queue import JobRequest, JobSeen, JobShape

ASKED_AT = 1000.0


def job(**known: object) -> JobRecord:
    request = JobRequest(
        name="silicon-1",
        shape=JobShape(walltime_min=60),
        command=("pilot",),
        folder=Path("/nowhere"),
    )
    return JobRecord.model_validate(
        {"request": request, "kind": "pilot", "asked_at": ASKED_AT, **known}
    )


def seen(name: str = "silicon-1", phase: str = "running", **more: object) -> JobSeen:
    return JobSeen.model_validate(
        {"id": "7", "name": name, "phase": phase, "state": "RUNNING", **more}
    )


def found(record: JobRecord, *queue: JobSeen, after_s: float = 0.0, **said: object):
    told = {"ended": {}, "begun": (), "epilogues": {}, **said}
    return find(record, queue, now=ASKED_AT + after_s, **told)  # type: ignore[arg-type]  # as above


def test_a_job_without_an_answer_is_found_by_its_name() -> None:
    there = found(job(), seen(), seen("another", id="8"))
    assert there.standing == "alive"
    assert list(there.seen) == ["7"]


def test_a_job_without_an_answer_is_waited_for() -> None:
    assert found(job(), after_s=UNSURE_S - 1).standing == "unsure"


def test_a_job_that_never_showed_was_never_taken() -> None:
    assert found(job(), after_s=UNSURE_S + 1).standing == "never"


def test_a_job_without_an_answer_that_left_a_trace_was_taken() -> None:
    assert found(job(), after_s=UNSURE_S + 1, begun={"7"}).standing == "over"


def test_a_job_whose_id_was_told_may_show_a_little_later() -> None:
    assert found(job(id="7"), after_s=LAG_S / 2).standing == "unsure"
    assert found(job(id="7"), after_s=LAG_S + 1).standing == "over"


def test_what_the_scheduler_says_of_an_end_precedes_the_epilogue() -> None:
    killed = seen(phase="ended", state="OUT_OF_MEMORY", failure=FailureName.OUT_OF_MEMORY)
    over = found(job(id="7"), ended={"7": killed}, epilogues={"7": 137}, after_s=100)
    assert over.seen["7"] == killed


def test_where_the_scheduler_is_silent_the_epilogue_speaks() -> None:
    over = found(job(id="7"), epilogues={"7": 137}, after_s=100)
    assert over.standing == "over"
    assert "137" in over.seen["7"].reason


@pytest.mark.parametrize("gone", ["7", "8"])
def test_an_array_is_alive_as_long_as_one_of_its_elements_is(gone: str) -> None:
    elements = {one: seen(id=one, index=int(one) - 7) for one in ("7", "8")}
    record = job(id="7", seen=elements)
    left = [one for key, one in elements.items() if key != gone]
    assert found(record, *left, after_s=100).standing == "alive"
    assert found(record, after_s=100).standing == "over"
    assert found(record, after_s=100).seen.keys() == {"7", "8"}


def test_an_array_that_nobody_saw_is_over_once_its_elements_have_ended() -> None:
    elements = {one: seen(id=one, phase="ended", state="COMPLETED") for one in ("7_0", "7_1")}
    array = job(id="7")
    array = array.model_copy(update={"request": array.request.model_copy(update={"count": 2})})
    over = found(array, ended=elements, after_s=1)
    assert over.standing == "over"
    assert over.seen == elements


def test_a_job_that_ran_and_waits_again_was_put_back() -> None:
    before = job(id="7", seen={"7": seen()})
    there = found(before, seen(phase="waiting", state="PENDING", reason="BeginTime"))
    assert there.standing == "alive"
    (back,) = there.put_back(before.seen)
    assert (back.state, back.phase, back.failure) == ("REQUEUED", "waiting", FailureName.PREEMPTED)


def test_a_job_that_began_once_more_was_put_back_in_between() -> None:
    first, second = datetime(2026, 1, 1, 10, tzinfo=UTC), datetime(2026, 1, 1, 11, tzinfo=UTC)
    before = job(id="7", seen={"7": seen(began_at=first)})
    assert found(before, seen(began_at=first)).put_back(before.seen) == []
    (back,) = found(before, seen(began_at=second)).put_back(before.seen)
    assert back.phase == "running"


def test_a_job_that_begins_for_the_first_time_was_not_put_back() -> None:
    before = job(id="7", seen={"7": seen(phase="waiting", state="PENDING")})
    assert found(before, seen(began_at=datetime.now(UTC))).put_back(before.seen) == []
