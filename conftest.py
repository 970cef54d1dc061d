"""Programs that tests need: tests marked `pw` are skipped where there is no pw.x.

With MATCAMPAIGN_REQUIRE_PROGRAMS=1 (so in .ci/run) what is missing is a failure and no skip: a
suite that quietly leaves out the real programs proves little.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Generator

import pytest

SWITCH = "MATCAMPAIGN_REQUIRE_PROGRAMS"
SOMETHING_MISSING = re.compile(r"not installed|could not import|No module named", re.IGNORECASE)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests of pw.x where there is none."""
    if item.get_closest_marker("pw") and shutil.which("pw.x") is None:
        pytest.skip("pw.x is not installed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a failure of a test that is skipped for want of something."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and _is_refused(report.longrepr):
        report.outcome, report.longrepr = "failed", _explained(report.longrepr)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Make a failure of a file that is skipped for want of something."""
    report = yield
    if report.skipped and _is_refused(report.longrepr):
        report.outcome, report.longrepr = "failed", _explained(report.longrepr)
    return report


def _is_refused(reason: object) -> bool:
    required = os.environ.get(SWITCH, "0") not in {"", "0"}
    return required and SOMETHING_MISSING.search(str(reason)) is not None


def _explained(reason: object) -> str:
    return f"{SWITCH} is set, so this may not be skipped: {reason}"
