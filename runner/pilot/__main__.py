"""`python -m runner.pilot EXCHANGE JOB`: what the jobs of a campaign run."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

from schemas.errors import ExitCode, UserError

THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def main() -> int:
    """Be a pilot; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m runner.pilot", description=__doc__)
    parser.add_argument("exchange", type=Path, help="the exchange folder of a campaign")
    parser.add_argument("job", help="the name of a job in it")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    environ = dict(os.environ)
    # A library that starts threads here could hold a lock in every child, for ever.
    os.environ.update(dict.fromkeys(THREADS, "1"))
    from fireworks_ext.folders.exchange import Exchange
    from runner.pilot.flight import fly
    from runner.pilot.starts import NO_PROGRAMS

    try:
        why = fly(Exchange(given.exchange.absolute()), given.job, environ)
    except UserError as error:
        print(error, file=sys.stderr)
        return ExitCode.BAD_INPUT
    except OSError as error:
        print(f"{error}: the exchange folder cannot be used", file=sys.stderr)
        return ExitCode.INTERNAL_ERROR
    with suppress(OSError):  # its file may be on the disk that is full
        os.write(sys.stdout.fileno(), f"left: {why}\n".encode())
    # The job has failed then: where one after the other does, no more are asked for.
    return ExitCode.INTERNAL_ERROR if why.startswith(NO_PROGRAMS) else ExitCode.SETTLED


if __name__ == "__main__":
    sys.exit(main())
