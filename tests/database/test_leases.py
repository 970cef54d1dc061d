"""Leases on the servers: who asks a second time, or late, gets an answer and not an error."""

from __future__ import annotations

from typing import Any

import pytest

from fireworks_ext import leases
from fireworks_ext.store import open_store

pytestmark = pytest.mark.slow  # the servers take some seconds to start

NAMES: dict[str, dict[str, Any]] = {"one": {}, "two": {}}


def test_where_nothing_is_free_nothing_is_given(any_server: str) -> None:
    store = open_store(any_server)
    assert leases.acquire_many(store, NAMES, "first").keys() == NAMES.keys()
    assert leases.acquire_many(store, NAMES, "second") == {}
    assert leases.acquire_many(store, {**NAMES, "three": {}}, "second").keys() == {"three"}
    leases.release_many(store, NAMES, "first")
    assert leases.acquire_many(store, NAMES, "second").keys() == NAMES.keys()
