"""Survivors in a file: what is read again is what was written, with the place of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from numbers_space import digit, screening

from runner.roster import write_roster
from runner.screening import Survivor
from runner.selection import Step


def survivors(*steps: Step, **options: Any) -> list[Survivor]:
    return list(screening(*steps, **options).survivors())


def test_survivors_come_back_as_they_were_as_often_as_they_are_asked_for(tmp_path: Path) -> None:
    written = survivors(digit(), n=25)
    roster = write_roster(tmp_path / "r.jsonl", iter(written), ())
    for _ in range(2):
        found = list(roster)
        assert len(found) == len(roster) == 25
        for one, other in zip(found, written, strict=True):
            assert one.candidate.id == one.candidate_id == other.candidate_id
            assert one.candidate.structure == other.candidate.structure
            assert one.candidate.row() == other.candidate.row()
            assert (one.row, one.control, one.scores) == (other.row, other.control, other.scores)


def test_without_a_choice_the_first_is_the_best(tmp_path: Path) -> None:
    roster = write_roster(tmp_path / "r.jsonl", survivors(digit(), n=5), [digit()])
    assert list(roster.ranks) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("choice", "ranks"),
    [
        ({"top": 9, "by": "digit"}, [1, 3, 5, 0, 2, 4]),
        ({"top": 9, "by": "digit", "order": "descending"}, [3, 1, 0, 5, 4, 2]),
        ({"pareto": {"digit": "descending", "number": "ascending"}}, [3, 1, 0, 5, 4, 2]),
        ({"top": 9, "by": "number", "order": "descending"}, [5, 4, 3, 2, 1, 0]),
    ],
)
def test_ranks_are_those_of_what_the_last_step_compares(
    tmp_path: Path, choice: dict[str, Any], ranks: list[int]
) -> None:
    rows = [one for one in survivors(digit(), n=13) if one.row in {1, 2, 3, 10, 11, 12}]
    steps = [Step(label="first", top=9, by="number"), Step(label="last", **choice)]
    roster = write_roster(tmp_path / "r.jsonl", rows, [*steps, digit()])
    assert [row.scores["digit"] for row in rows] == [1, 2, 3, 0, 1, 2]
    assert list(roster.ranks) == ranks


def test_a_screening_that_fails_leaves_the_roster_of_the_last_one(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    write_roster(path, survivors(digit(), n=3), ())
    before = path.read_text()

    def failing() -> Any:
        yield from survivors(digit(), n=2)
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        write_roster(path, failing(), ())
    assert path.read_text() == before
    assert [one.name for one in tmp_path.iterdir()] == ["r.jsonl"]
