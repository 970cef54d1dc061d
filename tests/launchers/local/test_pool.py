import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from launchers.local import LocalParams, Pool, PoolFailed, TooManyCores, signals, slots
from launchers.local import pool as pool_module
from launchers.local.cores import CoreClaim
from launchers.local.params import Cores, usable_cores

CORES = len(usable_cores().numbers)
two_cores = pytest.mark.skipif(CORES < 2, reason="needs two cores")


@pytest.fixture(autouse=True)
def _targets(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


@pytest.fixture
def traces(tmp_path):
    folder = tmp_path / "traces"
    folder.mkdir()
    return folder


@pytest.fixture
def make(tmp_path, traces):
    pools = []

    def _make(target, *, slots=1, cores_per_job=1, grace_s=5.0, **arguments):
        pool = Pool(
            LocalParams(slots=slots, cores_per_job=cores_per_job, grace_s=grace_s),
            f"pool_targets:{target}",
            {"folder": str(traces)} | arguments,
            lock_folder=tmp_path / "locks",
            log=tmp_path / "workers.log",
        )
        pools.append(pool)
        pool.start()
        return pool

    yield _make
    for pool in pools:
        pool.close()


@pytest.fixture
def controller(tmp_path, traces):
    """Start a controller with one slot in a session of its own."""
    started = []

    def _start(target, *arguments):
        process = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("pool_targets.py")),
                *(str(traces), str(tmp_path / "locks"), target, *map(str, arguments)),
            ],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield _start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def until(condition, timeout_s=8.0):
    """Wait for the condition and return what it returned."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return value


def traced(folder, name, count=1):
    """Wait for that many traces and return process id -> text."""

    def found():
        paths = list(folder.glob(f"{name}-*"))
        return paths if len(paths) >= count else None

    return {int(path.name.rpartition("-")[2]): path.read_text() for path in until(found)}


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@two_cores
def test_programs_of_two_slots_run_on_disjoint_cores_with_one_thread_each(make, traces):
    pool = make("run_program", slots=2, seconds=0.1)
    programs = traced(traces, "program", 2)
    cores, threads = zip(*(text.split() for text in programs.values()), strict=True)
    assert len(set(cores)) == 2
    assert {int(core) for core in cores} <= set(usable_cores().numbers)
    assert threads == ("1", "1")
    held = until(lambda: len(pool.cores()) == 2 and pool.cores())
    assert not set(held[0]) & set(held[1])


@two_cores
def test_a_job_of_two_cores_gets_both(make, traces):
    make("run_program", cores_per_job=2, seconds=0.1)
    (text,) = traced(traces, "program").values()
    first, second = usable_cores().numbers[:2]
    assert text.split()[0] in {f"{first}-{second}", f"{first},{second}"}


def test_programs_are_not_pinned_where_only_their_cpu_time_is_limited(make, traces, monkeypatch):
    allowed = usable_cores().numbers
    monkeypatch.setattr(pool_module, "usable_cores", lambda: Cores(allowed[:1], pinned=False))
    pool = make("run_program", seconds=0.1)
    (program,) = traced(traces, "program")
    text = (traces / f"program-{program}").read_text().split()[0]
    assert text == Path("/proc/self/status").read_text().split("Cpus_allowed_list:")[1].split()[0]
    assert until(pool.cores) == {0: allowed[:1]}


def test_more_slots_than_cores_are_refused_before_anything_starts(make):
    with pytest.raises(TooManyCores, match="cores, but"):
        make("idle", slots=CORES + 1)


def test_two_pools_share_the_machine_without_sharing_a_core(make, traces):
    pools = [make("share_cores", slots=min(2, CORES), jobs=15) for _ in range(2)]
    assert all(pool.join(15.0) for pool in pools)
    done = traced(traces, "shared", 2 * pools[0].slots)
    assert set(done.values()) == {"15"}
    assert not (traces / "collision").exists()


def test_a_second_pool_waits_for_cores_and_drains_while_it_waits(make, traces):
    first = make("run_program", slots=CORES, seconds=30)
    traced(traces, "program", CORES)
    second = make("run_program", slots=CORES, seconds=30)
    until(lambda: len(second.pids()) == CORES)
    time.sleep(0.5)
    assert second.cores() == {}
    assert len(list(traces.glob("program-*"))) == CORES
    second.drain()
    assert second.join(2.0)
    first.stop()
    assert first.join(2.0)


def test_draining_finishes_the_work_at_hand_and_no_more(make, traces):
    pool = make("run_program", seconds=0.5)
    traced(traces, "program")
    pool.drain()
    assert pool.join(5.0)
    assert list(traced(traces, "done").values()) == ["0"]
    assert pool.poll() == []


def test_a_pool_that_is_drained_before_it_serves_takes_no_work(make, traces):
    pool = make("run_program", seconds=0.5)
    pool.drain()
    assert pool.join(5.0)
    assert list(traces.iterdir()) == []


def test_stopping_ends_the_program_and_the_worker(make, traces):
    pool = make("run_program", seconds=60)
    (program,) = traced(traces, "program")
    pool.stop()
    assert pool.join(3.0)
    assert gone(program)
    assert list(traced(traces, "done").values()) == [str(-signal.SIGTERM)]
    assert pool.poll() == []


def test_a_worker_that_does_not_stop_is_killed_after_the_grace(make, traces):
    pool = make("be_stubborn", grace_s=0.3)
    (worker,) = traced(traces, "idle")
    pool.stop()
    assert not pool.join(0.1)
    assert pool.join(3.0)
    assert gone(worker)


def test_sigterm_of_a_worker_calls_back_once_and_the_worker_is_replaced(make, traces):
    pool = make("note_stop")
    (worker,) = traced(traces, "idle")
    os.kill(worker, signal.SIGTERM)
    assert traced(traces, "stopped") == {worker: "2"}  # the second was registered after it
    (death,) = until(pool.poll)
    assert (death.slot, death.exit_code, death.restarted) == (0, 143, True)
    until(lambda: pool.poll() == [] and len(list(traces.glob("idle-*"))) == 2)


def test_workers_ignore_the_ctrl_c_of_the_terminal(make, traces):
    pool = make("idle")
    (worker,) = traced(traces, "idle")
    os.kill(worker, signal.SIGINT)
    os.kill(worker, signal.SIGHUP)
    time.sleep(0.2)
    assert list(pool.pids()) == [worker]


def test_a_killed_worker_is_reported_and_replaced(make, traces):
    pool = make("idle")
    (worker,) = traced(traces, "idle")
    os.kill(worker, signal.SIGKILL)
    (death,) = until(pool.poll)
    assert (death.slot, death.signal, death.restarted) == (0, signal.SIGKILL, True)
    assert str(death) == "worker 0 died (signal 9) and is replaced"
    until(lambda: pool.poll() == [] and len(list(traces.glob("idle-*"))) == 2)
    assert pool.alive() == 1


def test_workers_that_keep_dying_are_given_up_with_a_message(make, monkeypatch, tmp_path):
    monkeypatch.setattr(slots, "FIRST_WAIT_S", 0.001)
    pool = make("fail")
    with pytest.raises(PoolFailed, match=r"worker 0 died \(exit code 1\) and is not.*workers.log"):
        until(lambda: pool.poll() and False)
    assert pool.alive() == 0
    log = (tmp_path / "workers.log").read_text()
    assert log.count("ValueError: on purpose") == slots.MOST_RESTARTS + 1


def test_a_worker_that_returns_is_not_replaced(make, traces):
    pool = make("return_at_once")
    assert pool.join(5.0)
    assert len(list(traces.iterdir())) == 1
    assert pool.poll() == []


@pytest.mark.parametrize("target", ["no_such_module:serve", "pool_targets:no_such_name"])
def test_a_target_that_cannot_be_imported_fails_the_pool(tmp_path, target):
    with Pool(LocalParams(slots=1), target, {}, lock_folder=tmp_path) as pool:
        with pytest.raises(PoolFailed, match=f"cannot start: {target}: .*no_such"):
            until(lambda: pool.poll() and False)
        assert pool.alive() == 0


def test_the_loss_of_the_nursery_is_made_good(make, traces):
    pool = make("run_program", seconds=0.5)
    traced(traces, "program")
    (first,) = pool.pids()
    psutil.Process(first).parent().kill()
    until(lambda: pool.poll() == [] and len(list(traces.glob("idle-*"))) == 1)
    (second,) = traced(traces, "idle", 2).keys() - {first}
    assert set(until(lambda: len(pool.pids()) == 1 and pool.pids())) == {second}


def test_an_announcement_by_the_controller_wakes_a_sleeping_worker_at_once(make, traces):
    pool = make("note_wakes")
    traced(traces, "idle")
    time.sleep(0.1)
    announced = time.monotonic()
    pool.announce()
    until((traces / "awake-0").exists)
    assert float((traces / "awake-0").read_text()) - announced < 0.1


@two_cores
def test_an_announcement_by_a_worker_wakes_its_siblings_at_once(make, traces):
    make("announce_once", slots=2)
    until((traces / "awake-1").exists)
    announced = float((traces / "announced").read_text())
    assert float((traces / "awake-1").read_text()) - announced < 0.1


def test_threads_of_the_controller_that_hold_locks_do_not_hang_workers(make, traces):
    holding, done = threading.Event(), threading.Event()

    def hold():
        with logging.Handler().lock, logging._lock:
            holding.set()
            done.wait(10.0)

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait()
    try:
        pool = make("log_a_line", slots=CORES)
        assert len(traced(traces, "logged", CORES)) == CORES
        assert pool.join(5.0)
    finally:
        done.set()
        thread.join()


def test_an_orphaned_program_keeps_its_core_until_it_ends(controller, traces, tmp_path):
    process = controller("run_program", 60)
    (program,) = traced(traces, "program")
    worker = psutil.Process(program).ppid()
    os.kill(worker, signal.SIGKILL)
    process.kill()
    process.wait()
    until(lambda: gone(worker))
    core = int((traces / f"program-{program}").read_text().split()[0])
    claim = CoreClaim(tmp_path / "locks", [core], 1)
    assert not claim.try_take()
    os.kill(program, signal.SIGKILL)
    until(lambda: gone(program))
    assert until(claim.try_take)
    claim.release()


def test_workers_of_a_killed_controller_finish_their_work_and_leave(controller, traces):
    process = controller("run_program", 0.7)
    (program,) = traced(traces, "program")
    family = [worker.pid for worker in psutil.Process(process.pid).children(recursive=True)]
    process.kill()
    process.wait()
    assert list(traced(traces, "done").values()) == ["0"]
    assert program in family
    until(lambda: all(gone(pid) for pid in family), timeout_s=2.0)


def test_idle_workers_of_a_killed_controller_leave_at_once(controller, traces):
    process = controller("idle")
    traced(traces, "idle")
    family = [worker.pid for worker in psutil.Process(process.pid).children(recursive=True)]
    assert len(family) == 2
    process.kill()
    process.wait()
    until(lambda: all(gone(pid) for pid in family), timeout_s=1.0)


@pytest.mark.parametrize(
    ("sent", "outcome", "code"),
    [
        (["SIGINT"], "drained", "0"),
        (["SIGHUP"], "drained", "0"),
        (["SIGINT", "SIGINT"], "stopped", "-15"),
        (["SIGTERM"], "stopped", "-15"),
    ],
)
def test_a_terminal_drains_at_first_and_stops_at_the_second(
    controller, traces, sent, outcome, code
):
    process = controller("run_program", 1.0)
    traced(traces, "program")
    for name in sent:
        os.killpg(process.pid, signal.Signals[name])  # as a terminal does: all of the group
        time.sleep(0.1)
    assert process.wait(5.0) == 0
    assert process.stdout.read().strip() == outcome
    assert list(traced(traces, "done").values()) == [code]


def test_handlers_are_put_back(make):
    before = signal.getsignal(signal.SIGINT)
    with signals(make("return_at_once")) as interrupts:
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before
    assert interrupts.interrupted == "none"
