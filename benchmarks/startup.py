"""How long the commands take that people wait for: `--help`, `validate`, `plan`.

`campaign --help` is compared with a Python that only imports typer and pydantic (bar: 2 times as
long), `validate` of a file of 1,000 lines and `plan` of 10,000 candidates with one that imports
pydantic alone. Best of several runs each: other work on the machine only makes runs longer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HELP_BAR = 2.0
LINES = 1_000
CANDIDATES = 10_000

LONG = """\
version: 1
campaign: long
space: [{kind: prototype, prototype: rocksalt, species: {A: [Mg], X: [S]}}]
stages:
"""
STAGE = """\
  s{number}:
    engine: espresso
    task: scf
    pseudopotentials: gth-pbe
    ecutwfc_ry: {cutoff}
"""
WIDE = """\
version: 1
campaign: wide
space:
SPACES
filters:
  - {score: charge-neutral, keep: charge_neutral}
  - {score: tolerance-factor, keep: "0.80 <= tolerance_factor <= 1.05"}
defaults:
  espresso: {pseudopotentials: gth-pbe, ecutwfc_ry: 60, kspacing_per_ang: 0.5}
stages:
  relax: {engine: espresso, task: vc-relax}
"""
SPACE = """\
  - kind: prototype
    prototype: perovskite-cubic
    lattice_ang: {lattice_ang:.2f}
    species:
      A: [Li, Na, K, Rb, Cs, Be, Mg, Ca, Sr, Ba]
      B: [Ti, Zr, Hf, V, Nb, Ta, Cr, Mo, W, Mn, Fe, Ru, Co, Rh, Ni, Pd, Al, Ga, In, Si]
      X: [O, S, Se, Te, F, Cl, Br, I, N, P]
"""


def best_s(command: list[str], *, repeats: int, folder: Path) -> float:
    """Return the shortest wall time of a command, in seconds."""
    environ = {
        **{key: one for key, one in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
        "OMP_NUM_THREADS": "1",
        "MATCAMPAIGN_DATA_DIR": str(folder / "data"),
        "MATCAMPAIGN_CONFIG_DIR": str(folder / "config"),
    }
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        subprocess.run(command, check=True, cwd=folder, env=environ, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - began)
    return min(times)


def long_file() -> str:
    """Return a campaign file of LINES lines: stages and nothing else repeats."""
    stages = (LINES - LONG.count("\n")) // STAGE.count("\n")
    text = LONG + "".join(STAGE.format(number=one, cutoff=40 + one % 60) for one in range(stages))
    return text + "#\n" * (LINES - text.count("\n"))


def wide_file() -> str:
    """Return a campaign file with CANDIDATES candidates and two filters."""
    spaces = [SPACE.format(lattice_ang=3.8 + 0.05 * one) for one in range(CANDIDATES // 2000)]
    return WIDE.replace("SPACES\n", "".join(spaces))


def main() -> int:
    """Measure, print, and return 1 when `--help` is over its bar."""
    campaign = str(Path(sys.executable).with_name("campaign"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "long.yaml").write_text(long_file())
        (folder / "wide.yaml").write_text(wide_file())
        imports = [sys.executable, "-c", "import typer, pydantic"]
        pydantic_s = best_s([sys.executable, "-c", "import pydantic"], repeats=15, folder=folder)
        base_s = best_s(imports, repeats=15, folder=folder)
        help_s = best_s([campaign, "--help"], repeats=15, folder=folder)
        validate_s = best_s([campaign, "validate", "long.yaml"], repeats=3, folder=folder)
        plan_s = best_s([campaign, "plan", "--exact", "wide.yaml"], repeats=3, folder=folder)
    print(f"import pydantic: {pydantic_s:.3f} s; import typer, pydantic: {base_s:.3f} s")
    print(f"campaign --help: {help_s:.3f} s, {help_s / base_s:.2f} times (bar: {HELP_BAR:g})")
    for what, took_s in (
        (f"campaign validate, {LINES} lines", validate_s),
        (f"campaign plan --exact, {CANDIDATES} candidates", plan_s),
    ):
        print(f"{what}: {took_s:.2f} s, {took_s / pydantic_s:.0f} times import pydantic")
    return int(help_s > HELP_BAR * base_s)


if __name__ == "__main__":
    sys.exit(main())
