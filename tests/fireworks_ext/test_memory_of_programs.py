"""What a program is said to have taken is its own, and not that of the worker that started it."""

from __future__ import annotations

import subprocess
import sys
import time

from fireworks_ext.attempts.memory import KIB_PER_GIB, Scale, family

TAKES_200_MB = "b = bytearray(200_000_000); b[::4096] = b'x' * len(b[::4096]); input()"


def test_a_program_is_weighed_with_all_that_it_starts() -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {TAKES_200_MB!r}])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as program:
        scale = Scale(program.pid)
        deadline = time.monotonic() + 30
        while scale.largest_kib < 190_000 and time.monotonic() < deadline:
            scale.weigh()
            time.sleep(0.05)
        assert len(family(program.pid)) == 2
        program.communicate(b"\n")
    assert 0.18 < (scale.peak_gb(0) or 0) < 0.5


def test_what_the_kernel_carries_over_from_the_worker_is_not_believed() -> None:
    carried = bytearray(300_000_000)
    carried[::4096] = b"x" * len(carried[::4096])
    assert Scale(1).peak_gb(250_000) is None
    assert Scale(1, largest_kib=10 * 1024).peak_gb(250_000) == round(10 * 1024 / KIB_PER_GIB, 4)
    assert carried
