"""Fixtures: a real browser without a window, and axe-core's findings about a page in it.

`browser` is one Chromium of this machine for all tests of a process; `page` is a fresh page of it
that notes what its console says. `serious_findings` names what axe-core finds serious or worse.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["browser", "page"]

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
"""Debian's, Ubuntu's, and the vendor's own name."""
FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")
"""Tests run in containers and as root."""
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
GRAVE = ("serious", "critical")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return a Chromium; a test that asks for it is skipped where there is none."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("chromium is not installed")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as play:
        # Chromium makes a socket in TMPDIR, whose name has 107 characters at most.
        shallow = {**os.environ, "TMPDIR": "/tmp"}  # noqa: S108  (playwright makes folders there)
        chromium = play.chromium.launch(executable_path=program, args=list(FLAGS), env=shallow)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Return a page in a window of a desktop; what its console complains of is in `complaints`."""
    context = browser.new_context(viewport=DESKTOP)
    one: Any = context.new_page()
    one.complaints = []
    one.on("console", lambda said: _note(one, said))
    one.on("pageerror", lambda error: one.complaints.append(str(error)))
    yield one
    context.close()


def _note(page: Any, said: Any) -> None:
    # Where software stands in for a graphics card, its driver remarks on how fast it is.
    if said.type in {"error", "warning"} and "GL Driver Message" not in said.text:
        page.complaints.append(said.text)


def serious_findings(page: Page) -> list[str]:
    """Return what axe-core finds serious or critical, as `rule: where`."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    return [
        f"{one['id']}: {' '.join(map(str, node['target']))}: {node.get('failureSummary', '')}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]
