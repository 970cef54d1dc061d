"""Work ahead of who takes it: in order, no further than said, with its errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from runner.ahead import ahead

_SEEN: ContextVar[int] = ContextVar("seen", default=0)


def test_what_was_made_comes_in_the_order_of_the_items() -> None:
    second = threading.Event()

    def work(number: int) -> int:
        if number:
            second.set()
        else:
            assert second.wait(60)  # the second is in work before the first is done
        return 10 * number

    assert list(ahead(work, range(20), 2)) == [10 * number for number in range(20)]


def test_an_error_comes_at_its_turn_and_ends_the_work() -> None:
    asked: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            asked.append(number)
            yield number

    def work(number: int) -> int:
        if number == 3:
            raise ValueError(number)
        return number

    found: list[int] = []
    with pytest.raises(ValueError, match="3"):
        found.extend(ahead(work, items(), 2))
    assert found == [0, 1, 2]
    assert len(asked) < 10


def test_work_sees_the_context_of_who_asked() -> None:
    token = _SEEN.set(7)
    assert list(ahead(lambda _: _SEEN.get(), range(3), 2)) == [7, 7, 7]
    _SEEN.reset(token)


def test_no_more_is_held_than_there_are_threads() -> None:
    made: list[int] = []
    results = ahead(made.append, range(100), 2)
    next(results)
    assert len(made) <= 3
    results.close()
    assert len(made) <= 3
