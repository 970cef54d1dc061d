from pathlib import Path

import pytest

from fireworks_ext.attempts.exits import Exit, write_exit
from fireworks_ext.attempts.machine import RULES, Said, findings, logs
from schemas.failure import FailureName

SLURM = Path(__file__).parents[1] / "recorded" / "slurm-22.05"
NOTHING_SAID = Said(started=False, saved=False)
RUNNING = Said(started=True, saved=False)


def _names(directory: Path, said: Said) -> list[FailureName]:
    return [one.failure.name for one in findings(directory, said)]


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("time-limit", FailureName.KILLED_AT_WALLTIME),
        ("cancelled", FailureName.CANCELLED),
        ("preempted", FailureName.PREEMPTED),
        ("node-failure", FailureName.NODE_FAILED),
    ],
)
def test_slurm_says_why_it_ended_a_job(folder: str, name: FailureName) -> None:
    assert _names(SLURM / folder, RUNNING) == [name]


def test_want_of_memory_comes_before_the_kill_that_it_led_to() -> None:
    assert _names(SLURM / "oom-kill", RUNNING) == [
        FailureName.OUT_OF_MEMORY,
        FailureName.KILLED_BY_SIGNAL,
    ]


@pytest.mark.parametrize(
    ("ended", "said", "name"),
    [
        (Exit(exit_code=-9), RUNNING, FailureName.KILLED_BY_SIGNAL),
        (Exit(exit_code=143), RUNNING, FailureName.KILLED_BY_SIGNAL),
        (Exit(exit_code=-11), RUNNING, FailureName.CRASHED),
        (Exit(exit_code=139), RUNNING, FailureName.CRASHED),
        (Exit(exit_code=None), NOTHING_SAID, FailureName.PROGRAM_NOT_FOUND),
        (Exit(exit_code=127), NOTHING_SAID, FailureName.PROGRAM_NOT_FOUND),
        (Exit(exit_code=-9, reason="walltime"), RUNNING, FailureName.KILLED_AT_WALLTIME),
        (Exit(exit_code=-9, reason="hung", silent_s=900), RUNNING, FailureName.HUNG),
        (Exit(exit_code=-15, reason="stopped"), RUNNING, FailureName.KILLED_BY_SIGNAL),
        (
            Exit(exit_code=2, reason="checkpoint"),
            Said(started=True, saved=True),
            FailureName.STOPPED_BY_REQUEST,
        ),
    ],
)
def test_the_end_that_the_parent_saw_has_a_name(
    ended: Exit, said: Said, name: FailureName, tmp_path: Path
) -> None:
    write_exit(tmp_path, ended)
    assert _names(tmp_path, said) == [name]


@pytest.mark.parametrize("code", [0, 1, 2, 3, 127, 255])
def test_a_program_that_ended_by_itself_has_no_failure_of_the_machine(
    code: int, tmp_path: Path
) -> None:
    write_exit(tmp_path, Exit(exit_code=code))
    assert _names(tmp_path, Said(started=True, saved=True)) == []


def test_words_of_a_batch_script_do_not_count_once_the_program_ran(tmp_path: Path) -> None:
    (tmp_path / "slurm-1.out").write_text("bash: line 3: module: command not found\n")
    assert _names(tmp_path, NOTHING_SAID) == [FailureName.PROGRAM_NOT_FOUND]
    assert _names(tmp_path, RUNNING) == []


def test_words_are_found_at_both_ends_of_a_huge_log(tmp_path: Path) -> None:
    noise = b"frame in a backtrace\n" * 100_000
    (tmp_path / "pw.err").write_bytes(b"oom-kill event\n" + noise + b"No space left on device\n")
    assert set(_names(tmp_path, RUNNING)) == {FailureName.OUT_OF_MEMORY, FailureName.DISK_FULL}


def test_logs_of_launchers_and_schedulers_are_known_by_name(tmp_path: Path) -> None:
    for name in ("slurm-7.out", "job.e123", "pw.err", "scf.out", "pw.in", "_scheduler-stderr.txt"):
        (tmp_path / name).touch()
    names = [path.name for path in logs(tmp_path)]
    assert names == ["_scheduler-stderr.txt", "job.e123", "pw.err", "slurm-7.out"]
    assert logs(tmp_path / "absent") == ()


def test_every_rule_says_what_it_is_recognised_by() -> None:
    assert all(rule.recognised_by for rule in RULES)
