"""The error of a server that cannot be had on this machine; a test that needs it is skipped."""

from __future__ import annotations


class Missing(Exception):
    """What is not installed, and how to get it."""

    def __init__(self, server: str, part: str) -> None:
        super().__init__(f"{server}: {part} is not installed (./bootstrap test installs it)")


class NotBuilt(Missing):
    """A build step that failed: without a network, for example."""

    def __init__(self, command: str, said: str) -> None:
        super().__init__("test servers", "what could not be built")
        self.args = (f"{self.args[0]}: {command}: {said}",)
