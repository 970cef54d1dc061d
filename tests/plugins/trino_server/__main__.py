"""python -m trino_server build | record [CLASS...] | ask QUERY | serve

`record` asks Trino the queries of the battery (of some classes) and writes its answers down.
`serve` keeps a Trino over the battery's tables until its input ends, and prints the variable with
which the other commands use that one.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from battery_tables import fingerprint, publish_battery_tables
from database_servers.missing import Missing

from trino_server.client import TrinoError
from trino_server.java import NoJava
from trino_server.lake import GIVEN, battery
from trino_server.program import build
from trino_server.recording import groups, record


def main(arguments: list[str]) -> int:
    """Run a command; return its exit code."""
    command, *words = arguments or [""]
    commands = {"build": _build, "record": _record, "ask": _ask, "serve": _serve}
    if command not in commands:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        return commands[command](words)
    except (Missing, NoJava, TrinoError, ValueError) as error:
        print(error, file=sys.stderr)
        # Most machines have no such Java, and need none.
        return 0 if command == "build" and isinstance(error, NoJava) else 1


def _build(_: list[str]) -> int:
    build()
    return 0


def _record(wanted: list[str]) -> int:
    unknown = sorted({*wanted} - {*groups()})
    if unknown:
        raise ValueError(f"no class {', '.join(unknown)}; there are {', '.join(groups())}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        publish_battery_tables(folder / "known")
        tables = fingerprint(folder / "known")
        with battery(folder) as trino:
            for group in wanted or groups():
                for query, found in record(trino, group, tables):
                    print(f"{query}: {found.error or f'{len(found.rows)} rows'}", flush=True)
    return 0


def _ask(words: list[str]) -> int:
    with tempfile.TemporaryDirectory() as name, battery(Path(name)) as trino:
        answer = trino.ask(" ".join(words))
        for row in [answer.columns, *answer.rows]:
            print(json.dumps(row, ensure_ascii=False))
    return 0


def _serve(_: list[str]) -> int:
    with tempfile.TemporaryDirectory() as name, battery(Path(name)) as trino:
        print(f"export {GIVEN}='{trino.url} {trino.catalog} {trino.schema}'", flush=True)
        sys.stdin.read()
    return 0


sys.exit(main(sys.argv[1:]))
