"""Worker bodies and a controller for the tests of the pool; each leaves its traces in a folder."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = """
import os, pathlib, sys, time
status = pathlib.Path("/proc/self/status").read_text()
cores = status.split("Cpus_allowed_list:")[1].split()[0]
me = pathlib.Path(sys.argv[1]) / f"program-{os.getpid()}"
new = me.with_name("." + me.name)
new.write_text(f"{cores} {os.environ['OMP_NUM_THREADS']}")
new.rename(me)
time.sleep(float(sys.argv[2]))
"""


def start_program(context, folder, seconds):
    return subprocess.Popen(
        [sys.executable, "-S", "-c", PROGRAM, folder, str(seconds)],
        pass_fds=context.inherit_fds,
        start_new_session=True,
    )


def trace(folder, name, text=""):
    new = Path(folder) / f".{name}-{os.getpid()}"
    new.write_text(text)
    new.rename(Path(folder) / name)


def run_program(context, folder, seconds):
    """Run one program to its end, then idle."""
    program = start_program(context, folder, seconds)
    context.on_stop(program.terminate)
    program.wait()
    context.on_stop(None)
    trace(folder, f"done-{os.getpid()}", str(program.returncode))
    idle(context, folder)


def idle(context, folder):
    trace(folder, f"idle-{os.getpid()}", str(context.slot))
    while not context.draining():
        context.wait_for_work(10.0)


def note_wakes(context, folder):
    """Note when an announcement was noticed."""
    trace(folder, f"idle-{os.getpid()}")
    while not context.draining():
        if context.wait_for_work(10.0):
            trace(folder, f"awake-{context.slot}", str(time.monotonic()))


def announce_once(context, folder):
    """Slot 0 waits for the others to sleep and announces; they note when they noticed."""
    if context.slot:
        note_wakes(context, folder)
    while not list(Path(folder).glob("idle-*")):
        time.sleep(0.01)
    time.sleep(0.1)
    trace(folder, "announced", str(time.monotonic()))
    context.announce()
    idle(context, folder)


def share_cores(context, folder, jobs):
    """Occupy the cores exclusively for moments, letting go in between; complain of company."""
    mine = 0
    while mine < jobs and not context.draining():
        for core in context.cores:
            try:
                os.close(os.open(Path(folder) / f"busy-{core}", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                trace(folder, "collision")
        time.sleep(0.01)
        for core in context.cores:
            (Path(folder) / f"busy-{core}").unlink(missing_ok=True)
        mine += 1
        context.wait_for_work(0.02)
    trace(folder, f"shared-{os.getpid()}", str(mine))


def note_stop(context, folder):
    """Count what SIGTERM calls."""
    calls = []
    context.on_stop(lambda: calls.append(1))
    trace(folder, f"idle-{os.getpid()}")
    while not context.stopping():
        context.wait_for_work(10.0)
    os.kill(os.getpid(), signal.SIGTERM)
    context.on_stop(lambda: calls.append(1))
    trace(folder, f"stopped-{os.getpid()}", str(len(calls)))


def be_stubborn(context, folder):
    trace(folder, f"idle-{os.getpid()}")
    while True:
        time.sleep(1)


def fail(context, folder):
    raise ValueError("on purpose")


def return_at_once(context, folder):
    trace(folder, f"returned-{os.getpid()}")


def log_a_line(context, folder):
    import logging

    logging.getLogger("pool").warning("a line")
    trace(folder, f"logged-{os.getpid()}")


def control(folder, locks, target, *arguments):
    """Be a controller in a process of its own."""
    from launchers.local import LocalParams, Pool, signals

    given = {"folder": folder} | ({"seconds": float(arguments[0])} if arguments else {})
    params = LocalParams(slots=1)
    with (
        Pool(params, f"pool_targets:{target}", given, lock_folder=Path(locks)) as pool,
        signals(pool) as interrupts,
    ):
        pool.join()
    print(interrupts.interrupted)


if __name__ == "__main__":
    control(*sys.argv[1:])
