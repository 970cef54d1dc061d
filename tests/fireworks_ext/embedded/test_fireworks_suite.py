"""FireWorks' own tests of its LaunchPad, run on the store."""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

EXPECTED_FAILURES = {
    # FireWorks 2.1.4 calls monty's zopen() without its mode, which monty now demands; the
    # failure is in FireWorks' reading of offline launch directories and needs no database.
    "LaunchPadOfflineTest.test__recover_completed",
    "GridfsStoredDataTest.test_many_detours_offline",
}
EXPECTED_SKIPS = {
    # accounts and passwords, which only a server has
    "AuthenticationTest.test_no_admin_privileges_for_plebs",
    "AuthenticationTest.test_authenticating_to_users_db",
    "AuthenticationTest.test_authsource_inferred_from_db_name",
    # FireWorks skips these with every pymongo later than 3
    "LaunchPadLostRunsDetectTest.test_detect_lostruns",
    "LaunchPadLostRunsDetectTest.test_detect_lostruns_defuse",
    "LaunchPadLostRunsDetectTest.test_state_after_run_start",
}
WAITS_45_S = ("test_fix_db_inconsistencies_completed", "test_fix_db_inconsistencies_fizzled")

ACTIVATION = """
from pathlib import Path
from fireworks_ext.embedded import activate
activate(Path(__file__).with_name("store.db"))
"""


def started(directory: Path, selection: str) -> subprocess.Popen[str]:
    """Start some of FireWorks' tests in a directory of their own, which they write into."""
    import fireworks.core

    directory.mkdir()
    source = Path(fireworks.core.__file__).parent / "tests" / "test_launchpad.py"
    shutil.copy(source, directory)
    (directory / "conftest.py").write_text(ACTIVATION)
    (directory / "pytest.ini").write_text("[pytest]\n")
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-W",
            "ignore",
            "-k",
            selection,
            "--junitxml",
            "results.xml",
            "test_launchpad.py",
        ],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(root), "FW_CONFIG_FILE": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
def test_fireworks_own_tests_pass_on_the_store(tmp_path: Path) -> None:
    others = " and ".join(f"not {name}" for name in WAITS_45_S)
    runs = {
        tmp_path / str(number): started(tmp_path / str(number), selection)
        for number, selection in enumerate([*WAITS_45_S, others])
    }
    outcomes: dict[str, set[str]] = {"passed": set(), "failed": set(), "skipped": set()}
    output = ""
    for directory, run in runs.items():
        output += run.communicate(timeout=400)[0]
        for case in ET.parse(directory / "results.xml").iter("testcase"):  # noqa: S314 - just written by pytest
            kinds = {child.tag for child in case}
            kind = "failed" if kinds & {"failure", "error"} else "passed"
            name = f"{case.attrib['classname'].split('.')[-1]}.{case.attrib['name']}"
            outcomes["skipped" if "skipped" in kinds else kind].add(name)
    assert outcomes["failed"] == EXPECTED_FAILURES, output[-8000:]
    assert outcomes["skipped"] == EXPECTED_SKIPS, output[-2000:]
    assert len(outcomes["passed"]) >= 41
