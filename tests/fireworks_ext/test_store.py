"""The store says where it is without saying its password."""

from __future__ import annotations

import pytest

from fireworks_ext.store import without_password


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("/data/store.db", "/data/store.db"),
        ("mongodb://host:27017/name", "mongodb://host:27017/name"),
        ("mongodb://me:secret@host/name", "mongodb://me@host/name"),
        ("mongodb://me:me@host/me", "mongodb://me@host/me"),
        ("mongodb+srv://me:p%40ss@host/name", "mongodb+srv://me@host/name"),
    ],
)
def test_a_location_is_shown_without_its_password(location: str, shown: str) -> None:
    assert without_password(location) == shown
