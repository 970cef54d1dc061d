"""A million candidates enumerated, scored by five rules and written: rate and memory.

Compared with the same space a tenth as large, in a process of its own each: memory must not grow
by more than 100 MB. The ratio of the rates says whether time grows with the space alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from runner.crystal.elements import SYMBOLS

SIZES = (100_000, 1_000_000)
BAR_MB = 100.0
SPEC = """
version: 1
campaign: large
space:
  - kind: prototype
    prototype: perovskite-cubic
    species: {{A: {elements}, B: {elements}, X: {elements}}}
screening: {{order: written}}
filters:
  - {{score: composition}}
  - {{score: charge-neutral}}
  - {{score: tolerance-factor}}
  - {{score: elements}}
  - {{score: capacity}}
  - {{top: 100, by: tolerance_factor}}
stages:
  relax: {{engine: espresso, task: relax, pseudopotentials: gth-pbe}}
"""
ONE = """
import json, os, resource, sys, time
from pathlib import Path
from runner.load import load
from runner.screenings import screening_of

folder = Path(sys.argv[1])
loaded = load(folder / "large.yaml")
began, cpu = time.perf_counter(), time.process_time()
screening = screening_of(loaded, folder / "table")
survivors = sum(1 for _ in screening.survivors())
print(json.dumps({
    "rows": screening.funnel.enumerated,
    "survivors": survivors,
    "wall_s": time.perf_counter() - began,
    "cpu_s": time.process_time() - cpu,
    "steps": {step.label: step.seconds for step in screening.funnel.steps},
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "table_mb": sum(one.stat().st_size for one in (folder / "table").iterdir()) / 1e6,
}))
"""


def measure(rows: int) -> dict[str, Any]:
    """Screen a space of about so many candidates in a process of its own."""
    elements = json.dumps(SYMBOLS[: round(rows ** (1 / 3))])
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "large.yaml").write_text(SPEC.format(elements=elements))
        command = [sys.executable, "-c", ONE, folder]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> int:
    """Measure both sizes; return 1 where memory grows too much."""
    small, large = (measure(rows) for rows in SIZES)
    for one in (small, large):
        steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in one["steps"].items())
        print(
            f"{one['rows']:,} rows: {one['wall_s']:.1f} s wall, {one['cpu_s']:.1f} s CPU, "
            f"{one['rows'] / one['cpu_s']:,.0f} rows per CPU second, {one['peak_mb']:.0f} MB, "
            f"table {one['table_mb']:.1f} MB ({steps})"
        )
    growth = large["peak_mb"] - small["peak_mb"]
    rates = [one["rows"] / one["cpu_s"] for one in (small, large)]
    print(f"rate at 10^6 / rate at 10^5: {rates[1] / rates[0]:.2f}")
    print(f"memory grows by {growth:.0f} MB from 10^5 to 10^6 (bar: below {BAR_MB:.0f})")
    return int(growth >= BAR_MB)


if __name__ == "__main__":
    sys.exit(main())
