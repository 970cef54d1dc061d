"""FireWorks itself on the servers: its own tests of the LaunchPad."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import documentdb_listener
import pytest

pytestmark = pytest.mark.slow  # half a minute each

LEFT_OUT = {
    "AuthenticationTest": "neither server has users",
    "WFLockTest": "each sleeps for 45 s",
    "GridfsStoredDataTest": "documents over 16 MB, which nothing of ours makes; minutes",
}
KNOWN_FAILURES = {
    "LaunchPadOfflineTest::test__recover_completed": "opens a file in a way that monty gave up",
}
KNOWN_ON_FERRET = {
    "WorkflowFireworkStatesTest::test_rerun_timed_fws": "FerretDB has no $elemMatch with fields",
}


def test_the_launchpad_passes_fireworks_own_tests(
    any_server: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    found = outcomes(any_server, tmp_path)
    known = {**KNOWN_FAILURES, **(KNOWN_ON_FERRET if "ferret" in request.node.name else {})}
    assert {name for name, outcome in found.items() if outcome != "PASSED"} == set(known)
    assert len(found) == 39


def outcomes(uri: str, folder: Path) -> dict[str, str]:
    """Run FireWorks' tests of the LaunchPad on a server; return the outcome of each."""
    import fireworks.core

    # They write beside themselves.
    shutil.copytree(Path(fireworks.core.__file__).parent / "tests", folder / "theirs")
    environ = {**os.environ, "FIREWORKS_ELSEWHERE": uri}
    del environ[documentdb_listener.FILE]  # what theirs send is not ours to judge
    command = [sys.executable, "-m", "pytest", "-p", "fireworks_elsewhere", "-rA", "-q"]
    command += ["-p", "no:cacheprovider", "-p", "no:xdist", "-c", os.devnull, "--timeout=60"]
    command += ["--rootdir", ".", "-k", " and ".join(f"not {name}" for name in LEFT_OUT)]
    done = subprocess.run(
        [*command, "theirs/test_launchpad.py"],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(done.stdout)  # shown when the test fails
    lines = re.findall(r"^(PASSED|FAILED|ERROR) .*?::([\w:]+)", done.stdout, re.MULTILINE)
    return {name: outcome for outcome, name in lines}
