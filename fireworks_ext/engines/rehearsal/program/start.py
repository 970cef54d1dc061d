"""What is started in the place of pw.x: `python -I -S start.py [flags of pw.x] -in pw.in`."""

import sys
from os.path import dirname

LEVELS = 5
"""From this file up to the folder that holds the packages."""


def _start() -> int:
    folder = __file__
    for _ in range(LEVELS):
        folder = dirname(folder)  # noqa: PTH120  (pathlib takes as long to import as all the rest)
    sys.path.append(folder)
    from fireworks_ext.engines.rehearsal.program.play import main

    return main(sys.argv[1:])


if __name__ == "__main__":
    raise SystemExit(_start())
