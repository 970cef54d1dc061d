"""How long it takes to tell what went wrong in a run directory, for usual outputs and for 50 MB.

Compared in the same process with what nobody can do without: reading the file once, and with the
plain way to look into it, one regular expression over all of it. The large output is a recorded
relaxation whose steps are repeated, with eigenvalues in between as a verbose run prints them.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from fireworks_ext.engines.espresso.recognition import diagnosis

RUNS = Path(__file__).parents[1] / "tests/fireworks_ext/engines/espresso/runs"
LARGE_MB = 50
BAR_S = 1.0
REPEATS = 5
STEP_ENDS = "     NEW-OLD atomic charge density approx. for the potential"
EIGENVALUES = "     " + "".join(f"{0.7312 * one - 11.2:9.4f}" for one in range(8)) + "\n"
SCAN = re.compile(rb"convergence NOT achieved|Error in routine|Maximum CPU time exceeded")


def large_output() -> str:
    """Return the output of a relaxation of many steps."""
    head, *steps, end = (RUNS / "ok-vc-relax/pw.out").read_text().split(STEP_ENDS)
    step = steps[0].replace("     total cpu time", EIGENVALUES * 400 + "     total cpu time")
    number = LARGE_MB * 1_000_000 // len(step) + 1
    return STEP_ENDS.join([head, *[step] * number, end])


def best_s(work: Callable[[], object]) -> float:
    """Return the shortest time of several calls, in seconds."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def diagnose_anew(directory: Path) -> object:
    """Diagnose a directory as if it had never been seen."""
    diagnosis.forget()
    return diagnosis.diagnose(directory)


def main() -> int:
    """Measure, print, and return 1 when 50 MB take longer than the bar."""
    usual = {path.name: best_s(lambda path=path: diagnose_anew(path)) for path in RUNS.glob("*/")}
    slowest = max(usual, key=usual.__getitem__)
    known_s = best_s(lambda: diagnosis.diagnose(RUNS / slowest))
    print(f"{len(usual)} usual runs: at most {1000 * usual[slowest]:.1f} ms ({slowest})")
    print(f"the same again, nothing changed: {1000 * known_s:.2f} ms")
    with tempfile.TemporaryDirectory() as name:
        output = Path(name) / "relax.out"
        output.write_text(large_output())
        size_mb = output.stat().st_size / 1e6
        read_s = best_s(output.read_bytes)
        scan_s = best_s(lambda: SCAN.findall(output.read_bytes()))
        took_s = best_s(lambda: diagnose_anew(Path(name)))
    print(f"{size_mb:.0f} MB: {took_s:.2f} s (bar: {BAR_S:g} s)")
    print(f"  {took_s / read_s:.0f} times reading the file once ({1000 * read_s:.0f} ms)")
    print(f"  {took_s / scan_s:.2f} times reading it and one regular expression ({scan_s:.2f} s)")
    return int(took_s > BAR_S)


if __name__ == "__main__":
    sys.exit(main())
