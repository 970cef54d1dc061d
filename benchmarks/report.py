"""How long `campaign report` takes for 10,000 candidates, and how large its file is.

    python benchmarks/report.py [--candidates N]

Bars: 10 s and 10 MB. The time is that of the whole command in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "plugins"))

from synthetic_tables import publish_campaign

LONGEST_S = 10.0
LARGEST_MB = 10.0
PROGRAM = (sys.executable, "-c", "from runner.cli import main; main()")


def main() -> int:
    """Print both numbers; return 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=10_000)
    wanted = parser.parse_args().candidates
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        publish_campaign(folder / "data" / "tables", "large", wanted)
        environment = {
            **os.environ,
            "MATCAMPAIGN_DATA_DIR": str(folder / "data"),
            "MATCAMPAIGN_CONFIG_DIR": str(folder / "config"),
        }
        page = folder / "large.html"
        began = time.perf_counter()
        subprocess.run([*PROGRAM, "report", "large", "-o", page], check=True, env=environment)
        seconds = time.perf_counter() - began
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        megabytes = page.stat().st_size / 1e6
    cpu_s = used.ru_utime + used.ru_stime
    print(f"{wanted:,} candidates: {seconds:.1f} s (bar {LONGEST_S:g}; {cpu_s:.1f} s of CPU time), "
          f"{megabytes:.2f} MB "
          f"(bar {LARGEST_MB:g})")  # fmt: skip
    return int(seconds > LONGEST_S or megabytes > LARGEST_MB)


if __name__ == "__main__":
    sys.exit(main())
