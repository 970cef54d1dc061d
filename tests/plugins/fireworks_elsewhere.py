"""A pytest plug-in: FireWorks' own tests, which know one address, run on the server of a URI."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from fireworks import LaunchPad

URI = "FIREWORKS_ELSEWHERE"


def pytest_configure() -> None:
    """Replace the address that FireWorks assumes, and the name of the database of its tests."""
    there = urlsplit(os.environ[URI])
    connect = LaunchPad.__init__

    def elsewhere(
        self: Any, host: Any = None, port: Any = None, name: Any = None, *more: Any, **rest: Any
    ) -> None:
        name = there.path.strip("/") if name == "fireworks_unittest" else name
        connect(self, host or there.hostname, port or there.port, name, *more, **rest)

    LaunchPad.__init__ = elsewhere
