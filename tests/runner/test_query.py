"""`campaign sql`: which tables it asks."""

from typing import Any

from runner.load import load
from runner.place import place_of
from runner.query import answer
from runner.screenings import screen

SPEC = """
version: 1
campaign: salts
space:
  - {kind: prototype, prototype: rocksalt, species: {A: [Mg, Na], X: [O]}}
filters:
  - {score: charge-neutral, keep: charge_neutral}
stages:
  relax: {engine: rehearsal, task: relax}
"""


def test_a_campaign_that_was_only_screened_can_be_asked(bench: Any) -> None:
    loaded = load(bench.write(SPEC))
    screen(loaded, place_of(loaded, environ=bench.environ))

    nowhere = place_of(None, environ=bench.environ)
    query = "SELECT formula, verdict FROM screening WHERE campaign = 'salts' ORDER BY formula"

    assert answer(query, nowhere, "athena").rows == [("MgO", "pass"), ("NaO", "reject")]
