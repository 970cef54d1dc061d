"""Run directories and the records in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fireworks_ext.artefacts import OUTCOME, Artefacts, read_record, write_record

KEY = "ab" + "0" * 62


def test_attempts_are_listed_the_latest_first_by_number(tmp_path: Path) -> None:
    artefacts = Artefacts(tmp_path)
    assert artefacts.attempts(KEY) == []
    for number in (1, 2, 10):
        artefacts.make(KEY, number)
    (tmp_path / "ab" / KEY / "notes").mkdir()
    assert [one.name for one in artefacts.attempts(KEY)] == ["10", "2", "1"]
    assert artefacts.attempts(KEY)[0] == tmp_path / "ab" / KEY / "10"


def test_an_attempt_never_gets_the_directory_of_another(tmp_path: Path) -> None:
    artefacts = Artefacts(tmp_path)
    artefacts.make(KEY, 1)
    with pytest.raises(FileExistsError):
        artefacts.make(KEY, 1)


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_record(tmp_path, OUTCOME, {"a": [1, None, "é"]})
    assert read_record(tmp_path, OUTCOME) == {"a": [1, None, "é"]}
    assert [one.name for one in tmp_path.iterdir()] == [OUTCOME]


def test_a_record_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    write_record(tmp_path, OUTCOME, {"a": 1})
    with pytest.raises(TypeError):
        write_record(tmp_path, OUTCOME, {"a": object()})
    assert read_record(tmp_path, OUTCOME) == {"a": 1}


@pytest.mark.parametrize("content", ["", '{"a":', "[1]", "null"])
def test_what_is_no_whole_record_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / OUTCOME).write_text(content)
    assert read_record(tmp_path, OUTCOME) is None


def test_records_are_plain_sorted_json(tmp_path: Path) -> None:
    write_record(tmp_path, OUTCOME, {"b": 1, "a": 2})
    assert list(json.loads((tmp_path / OUTCOME).read_text())) == ["a", "b"]
