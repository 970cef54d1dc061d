"""python -m database_servers build | keep NAME FOLDER | java COMMAND...

`java` runs a command with the URI of a mongo-java-server of its own as its last argument.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from database_servers import ferret_program, mongod
from database_servers.missing import Missing
from database_servers.shared import keep


def main(arguments: list[str]) -> int:
    """Build what can be built, or be the process that keeps a server."""
    if arguments[0] == "keep":
        keep(arguments[1], Path(arguments[2]))
        return 0
    if arguments[0] == "java":
        return with_java(arguments[1:])
    code = 0
    for build in (mongod.build, ferret_program.fetch_go, ferret_program.build):
        try:
            build()
        except Missing as error:
            print(error, file=sys.stderr)
            code = 1
    return code


def with_java(command: list[str]) -> int:
    """Run a command beside a server; return how it ended."""
    with tempfile.TemporaryDirectory() as folder:
        server = mongod.Mongod(Path(folder))
        try:
            return subprocess.run([*command, server.address["uri"]], check=False).returncode
        finally:
            server.stop()


sys.exit(main(sys.argv[1:]))
