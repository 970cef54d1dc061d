"""Records that outlive a loss of power: flushed, renamed, and their folder flushed after that."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from fireworks_ext import artefacts, durable, retention
from schemas.retention import ArtefactClass, Retention


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, set[str]]]:
    """Return what is flushed: each path, and the names in it if it is a folder."""
    found: list[tuple[Path, set[str]]] = []

    def note(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        found.append((path, {one.name for one in path.iterdir()} if path.is_dir() else set()))

    monkeypatch.setattr(os, "fsync", note)
    return found


def test_a_record_is_flushed_and_its_folder_once_it_has_its_name(
    tmp_path: Path, flushed: list[Any]
) -> None:
    artefacts.write_record(tmp_path, "outcome.json", {"a": 1})
    assert artefacts.read_record(tmp_path, "outcome.json") == {"a": 1}
    (aside, _), (folder, names) = flushed
    assert aside.parent == folder == tmp_path
    assert names == {"outcome.json"}


def test_a_record_that_need_not_outlive_a_loss_of_power_costs_no_flush(
    tmp_path: Path, flushed: list[Any]
) -> None:
    artefacts.write_record(tmp_path, "order.json", {}, durable=False)
    assert flushed == []


def test_a_compressed_file_is_there_for_certain_before_the_plain_one_goes(
    tmp_path: Path, flushed: list[Any]
) -> None:
    (tmp_path / "a.out").write_text("text")
    retention.apply(tmp_path, {ArtefactClass.OUTPUTS: ("*.out",)}, Retention(outputs="compress"))
    assert flushed[-1] == (tmp_path, {"a.out", "a.out.gz"})
    assert [one.name for one in tmp_path.iterdir()] == ["a.out.gz"]


def test_file_systems_that_flush_no_folders_are_taken_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(22, os.strerror(22))

    monkeypatch.setattr(os, "fsync", refuse)
    durable.flush(tmp_path)


def test_a_record_that_does_not_fit_leaves_the_old_one_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artefacts.write_record(tmp_path, "outcome.json", {"a": 1})

    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        artefacts.write_record(tmp_path, "outcome.json", {"a": 2})
    assert artefacts.read_record(tmp_path, "outcome.json") == {"a": 1}
    assert [one.name for one in tmp_path.iterdir()] == ["outcome.json"]
