"""Compare what `campaign plan` says of a campaign's second run with what that run took.

    python benchmarks/plan_interval.py rocksalt [--replace OLD NEW] [--data FOLDER] [--profile P]

Runs a shipped campaign once, edits its file so that everything has to be computed again, plans,
runs again and compares. The bar: the interval holds the true core-hours, and its ends differ by a
factor of 3 at most. Takes two runs of the campaign, some minutes each; what is in FOLDER already
is not computed again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BAR = 3.0
GOOD_ENDS = (0, 3)
"""Settled, and settled with failures: what failed was paid for, too."""


def campaign(arguments: list[str], data: Path) -> tuple[int, dict[str, Any], float]:
    """Return the exit code, the answer and the seconds of a command."""
    environment = {**os.environ, "MATCAMPAIGN_DATA_DIR": str(data), "OMP_NUM_THREADS": "1"}
    program = [sys.executable, "-c", "from runner.cli import main; main()"]
    began = time.perf_counter()
    done = subprocess.run(
        [*program, *arguments, "--json"],
        env=environment | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])},
        cwd=data,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    if not done.stdout:
        sys.exit(f"campaign {' '.join(arguments)} ended with {done.returncode} and said nothing")
    return done.returncode, json.loads(done.stdout)["data"], seconds


def run(spec: Path, data: Path, more: list[str]) -> float:
    """Run a campaign to its end and return the core-hours of its finished attempts."""
    code, answer, seconds = campaign(["run", str(spec), *more], data)
    if code not in GOOD_ENDS:
        sys.exit(f"{spec.name}: the run ended with {code}")
    for stage in answer["status"]["stages"]:
        print(f"  {stage['stage']}: {stage['ok']} ok, {stage['failed']} failed, {seconds:.0f} s")
    return float(answer["status"]["core_hours"])


def show(plan: dict[str, Any], seconds: float) -> None:
    """Print a plan's core-hours."""
    for stage in (*plan["stages"], {"stage": "all", **plan, "basis": f"{seconds:.1f} s to plan"}):
        hours = stage["core_hours"]
        print(
            f"  {stage['stage']}: {hours['low']:.4f} to {hours['high']:.4f} core-hours, "
            f"{hours['expected']:.4f} expected ({stage['basis']})"
        )


def compare(name: str, edit: tuple[str, str], data: Path, more: list[str]) -> bool:
    """Run, edit, plan, run; return whether the plan met the bar."""
    shipped = Path(__file__).resolve().parents[1] / "campaigns" / f"{name}.yaml"
    text = shipped.read_text()
    if edit[0] not in text:
        sys.exit(f"{shipped.name} holds no '{edit[0]}'")
    spec = data / f"{name}.yaml"
    spec.write_text(text)
    print("plan of the first run:")
    _, plan, seconds = campaign(["plan", str(spec), *more], data)
    show(plan, seconds)
    first = run(spec, data, more)
    print(f"first run: {first:.4f} core-hours")
    spec.write_text(text.replace(*edit))
    print("plan of the second run:")
    _, plan, seconds = campaign(["plan", str(spec), *more], data)
    show(plan, seconds)
    truth = run(spec, data, more) - first
    low, high = plan["core_hours"]["low"], plan["core_hours"]["high"]
    ratio = high / low if low else float("inf")
    print(f"second run: {truth:.4f} core-hours; ends differ by a factor of {ratio:.2f}")
    return low <= truth <= high and ratio <= BAR


def main() -> None:
    """Print both plans and both truths; exit 1 where the second plan misses the bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", default="rocksalt")
    parser.add_argument("--replace", nargs=2, default=["ecutwfc_ry: 40", "ecutwfc_ry: 44"])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--profile")
    given = parser.parse_args()
    more = ["--profile", given.profile] if given.profile else []
    edit = (given.replace[0], given.replace[1])
    with tempfile.TemporaryDirectory() as temporary:
        data = (given.data or Path(temporary)).absolute()
        data.mkdir(parents=True, exist_ok=True)
        met = compare(given.name, edit, data, more)
    print("the interval holds it" if met else "MISSED")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
