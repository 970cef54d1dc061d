"""Which processes live, and ending a program with all that it started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from fireworks_ext import processes
from fireworks_ext.processes import end_session, is_gone, parse, running_in, this_process

SLEEP = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-I", "-S", "-c",
    "import os, signal, time; os.setpgid(0, 0); signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "open('rank', 'w').close(); time.sleep(60)"])
time.sleep(60)
"""


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_nobody_knows_of_processes_of_another_container_though_it_has_the_same_name(
    monkeypatch: Any,
) -> None:
    outside = this_process()
    processes.place_name.cache_clear()
    monkeypatch.setattr(processes, "FIRST_NAMESPACE", 1)
    inside = this_process()
    processes.place_name.cache_clear()
    monkeypatch.undo()
    ended = {"started": inside.started + 1}
    assert parse(inside.name) == inside
    assert is_gone(outside.model_copy(update=ended))
    assert not is_gone(inside.model_copy(update=ended))


def test_a_process_is_known_again_by_its_name() -> None:
    me = this_process()
    assert parse(me.name) == me
    assert not is_gone(me)
    assert parse("a worker of somebody else") is None
    assert parse("host:12") is None


def test_another_process_with_the_same_pid_does_not_count() -> None:
    assert is_gone(this_process().model_copy(update={"started": 1}))


def test_nothing_is_known_of_processes_elsewhere() -> None:
    assert not is_gone(this_process().model_copy(update={"host": "elsewhere", "started": 1}))


def test_a_process_that_ended_and_was_not_waited_for_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", ""])
    started = processes._started(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    known = this_process().model_copy(update={"pid": child.pid, "started": started or 1})
    assert is_gone(known)
    child.wait()


def test_programs_are_found_by_their_directory_also_through_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    program = subprocess.Popen(SLEEP, cwd=real)
    try:
        assert [one.pid for one in running_in(real)] == [program.pid]
        assert [one.pid for one in running_in(link)] == [program.pid]
        assert running_in(tmp_path) == []
    finally:
        program.kill()
        program.wait()
    assert running_in(real) == []


def test_a_program_that_ignores_sigterm_is_ended_with_its_ranks(tmp_path: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", STUBBORN], cwd=tmp_path, start_new_session=True
    )
    wait_for(tmp_path / "rank")
    assert len(running_in(tmp_path)) == 2
    end_session(program.pid, grace_s=0.2)
    program.wait(10)
    deadline = time.monotonic() + 10
    while any(one.status() != psutil.STATUS_ZOMBIE for one in running_in(tmp_path)):
        assert time.monotonic() < deadline
