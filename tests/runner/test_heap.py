"""Memory that is freed serves again while a publication lasts, and is given back at its end."""

from __future__ import annotations

import ctypes
import resource
import sys
from types import SimpleNamespace

import psutil
import pytest

from runner.heap import kept_heap

MB = 1 << 20


def faults() -> int:
    """Return how often the kernel had to give this process a page."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def churn(times: int) -> int:
    """Take and free some MB in pieces again and again; return how many pages the kernel gave."""
    before = faults()
    for _ in range(times):
        [bytes(64 * 1024) for _ in range(30 * MB // (64 * 1024))]
    return faults() - before


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="needs the GNU C library")
def test_freed_memory_serves_again() -> None:
    with kept_heap():
        churn(1)
        assert churn(10) < 30 * MB // resource.getpagesize()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads sizes as Linux tells them")
def test_memory_is_given_back() -> None:
    before = psutil.Process().memory_info().rss
    with kept_heap():
        pieces = [bytes(b"x" * MB) for _ in range(60)]
        del pieces
    assert psutil.Process().memory_info().rss - before < 20 * MB


def test_where_there_is_another_c_library_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    with kept_heap():
        pass
