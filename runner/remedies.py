"""Engines as far as they are installed here, and what their recovery does, in words."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.failure import FailureName
from schemas.protocols import Engine
from schemas.registry import UnknownPlugin, engines


def installed(name: str) -> Engine | None:
    """Return an engine; None for one that is not there, or whose packages are not."""
    try:
        return engines.get(name)
    except (UnknownPlugin, ImportError):
        return None


def remedies_of(engine: str) -> Mapping[FailureName, tuple[str, ...]]:
    """Return failure -> remedies in the order in which they are tried, for an engine's name.

    An engine that repairs says so by an attribute `remedies` beside its protocol's.
    """
    found: Mapping[FailureName, tuple[str, ...]] = getattr(installed(engine), "remedies", {})
    return found
