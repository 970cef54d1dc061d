"""Campaigns of no-op stages under random kills: every candidate is done exactly once.

    python benchmarks/chaos.py [--candidates 2000] [--workers 8] [--part kills | cuts] [--alone]

kills: workers are killed with SIGKILL at random, and the server (FerretDB on PostgreSQL, both)
three times. cuts: connections are cut at random by a proxy, and now and then none is let through.
The same campaign without any of that is the baseline, unless `--alone` leaves it out. Nobody
helps; every candidate must be completed, each stage with exactly one result, and the store be
consistent, or this fails.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in (".", "tests/plugins")]

from chaos import Chaos
from database_servers.ferret import Ferret
from database_servers.proxy import Proxy

NEVER_S = 1e6
KILL_S = 15.0
"""Between two kills of one of the workers, on average: each needs some seconds to come up again."""
CUTS_PER_S = 1.0
REFUSING_S = 5.0


def undisturbed(folder: Path, uri: str, candidates: int, workers: int) -> dict[str, Any]:
    """Run the campaign, and let nothing happen to it."""
    calm = Chaos(folder, f"{uri}chaos_calm", candidates, workers, kill_every_s=NEVER_S)
    return calm.run()


def kills(folder: Path, server: Ferret, candidates: int, workers: int) -> dict[str, Any]:
    """Run the campaign while workers are killed at random, and the server three times."""

    def restart() -> None:
        server.kill()
        time.sleep(1.0)
        server.start()

    events = {candidates * quarter // 4: restart for quarter in (1, 2, 3)}
    uri = f"{server.address['uri']}chaos_kills"
    return Chaos(folder, uri, candidates, workers, kill_every_s=KILL_S, events=events).run()


def cuts(folder: Path, server: Ferret, candidates: int, workers: int) -> dict[str, Any]:
    """Run the campaign while its connections are cut at random."""
    proxy = Proxy(f"{server.address['uri']}chaos_cuts")

    def refuse() -> None:
        proxy.drop()
        proxy.cut()
        time.sleep(REFUSING_S)
        proxy.drop(refused=False)

    proxy.cut_at_random(CUTS_PER_S, seed=1)
    events = {candidates * quarter // 4: refuse for quarter in (1, 2, 3)}
    try:
        return Chaos(
            folder,
            proxy.uri,
            candidates,
            workers,
            kill_every_s=NEVER_S,
            events=events,
            over=lambda: proxy.cut_at_random(0.0),
        ).run()
    finally:
        proxy.close()


def main() -> None:
    """Run the parts, and print what they took against the undisturbed campaign."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--candidates", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--part", choices=["kills", "cuts"])
    parser.add_argument("--alone", action="store_true", help="without the baseline")
    arguments = parser.parse_args()
    sizes = (arguments.candidates, arguments.workers)
    server = Ferret()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            calm = None
            if not arguments.alone:
                calm = undisturbed(Path(scratch) / "calm", server.address["uri"], *sizes)
                print(f"undisturbed: {calm}", flush=True)
            for name, part in {"kills": kills, "cuts": cuts}.items():
                if arguments.part in {None, name}:
                    found = part(Path(scratch) / name, server, *sizes)
                    print(f"{name}: {found}", flush=True)
                    if calm is not None:
                        ratio = found["seconds"] / calm["seconds"]
                        print(f"{name} / undisturbed: {ratio:.2f}", flush=True)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
