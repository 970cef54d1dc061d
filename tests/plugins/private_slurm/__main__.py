"""python -m private_slurm [--accounting] [--nodes N] [--cpus N] COMMAND..."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from private_slurm.programs import required
from private_slurm.slurm import private_slurm


def main(arguments: list[str]) -> int:
    """Run a command beside a Slurm; return how it ended."""
    parser = argparse.ArgumentParser(prog="private_slurm")
    parser.add_argument("--accounting", action="store_true")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--cpus", type=int, default=8)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    asked = parser.parse_args(arguments)
    with private_slurm(nodes=asked.nodes, cpus=asked.cpus, accounting=asked.accounting) as slurm:
        environment = {**os.environ, **slurm.environment}
        command = [required("setpriv"), "--pdeathsig=TERM", "--", *asked.command]
        return subprocess.run(command, env=environment, check=False).returncode


sys.exit(main(sys.argv[1:]))
