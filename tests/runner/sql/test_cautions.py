"""Warnings of what surprises in Athena too."""

from pathlib import Path

import pytest

from runner.sql.query import query


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("SELECT count(*) / 2 FROM results", "fraction is dropped"),
        ("SELECT count_if(outcome = 'ok') * 100 / count(*) FROM results", "fraction is dropped"),
        ("SELECT sum(n_atoms) / 3600.0 FROM results", "rounded to 1 decimal(s)"),
        ("SELECT n_atoms * 1.00 / 3 FROM results", "rounded to 2 decimal(s)"),
    ],
)
def test_a_division_that_drops_digits_is_answered_with_a_warning(
    root: Path, sql: str, word: str
) -> None:
    (warning,) = query(sql, [root]).warnings
    assert word in warning
    assert "CAST(x AS double)" in warning


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 7 / 2",
        "SELECT sum(walltime_s) / 3600.0 FROM results",
        "SELECT n_atoms / 2e0 FROM results",
        "SELECT n_atoms % 2, 1.5 * 2 FROM results",
    ],
)
def test_other_arithmetic_is_answered_without_one(root: Path, sql: str) -> None:
    assert query(sql, [root]).warnings == ()


def test_a_division_that_stands_twice_is_told_once(root: Path) -> None:
    sql = "SELECT n_atoms / 2, count(*) FROM results GROUP BY n_atoms / 2"
    assert len(query(sql, [root]).warnings) == 1
