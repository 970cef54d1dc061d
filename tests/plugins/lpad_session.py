"""Several commands of FireWorks' own `lpad` in one process: python lpad_session.py FILE < COMMANDS.

FILE describes the LaunchPad; COMMANDS is a JSON list of lists of words. Prints, as JSON, what each
command printed, or the error that ended it.
"""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stdout

from fireworks.scripts.lpad_run import lpad
from pymongo.errors import PyMongoError


def run(file: str, words: list[str]) -> dict[str, str]:
    """Run one command."""
    sys.argv = ["lpad", "-l", file, *words]
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            lpad()
    except PyMongoError as error:
        return {"error": str(error)}
    except SystemExit as exit_:
        if exit_.code:
            return {"error": f"exit {exit_.code}"}
    return {"printed": printed.getvalue()}


if __name__ == "__main__":
    description = sys.argv[1]
    print(json.dumps([run(description, words) for words in json.load(sys.stdin)]))
