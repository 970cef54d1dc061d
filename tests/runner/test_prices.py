"""What a core-hour costs: remembered by attempts, published, planned, capped."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.errors import ExitCode

SPEC = """
version: 1
campaign: priced
space:
  - {kind: prototype, prototype: rocksalt, species: {A: [Mg, Ca], X: [S]}}
stages:
  relax: {engine: toy, task: relax, seconds: 0.05}
  gap: {engine: toy, task: scf, structure: relax}
"""
PRICE = "run: {usd_per_core_hour: %g}\n"


def rows(call: Any, query: str) -> list[list[Any]]:
    code, out, err = call("sql", query, "--json")
    assert code == 0, err
    found: list[list[Any]] = json.loads(out)["data"]["rows"]
    return found


def test_dollars_are_a_budget_and_each_attempt_costs_what_it_cost(bench: Any, call: Any) -> None:
    status = bench.run(SPEC + PRICE % 3.6 + "budget: {usd: 1.0e-6}\n")
    assert bench.code == ExitCode.STOPPED_BY_BUDGET
    assert bench.computed == [("MgS", "relax")]
    assert status.usd == pytest.approx(3.6 * status.core_hours)
    first = status.core_hours
    status = bench.run(SPEC + PRICE % 7.2 + "budget: {usd: 1}\n")
    assert bench.code == ExitCode.SETTLED
    assert status.usd == pytest.approx(3.6 * first + 7.2 * (status.core_hours - first))
    out = call("status", "priced")[1]
    assert f"core-hours spent, {status.usd:.3g} USD of 1" in out
    prices = "SELECT usd_per_core_hour, count(*) FROM attempts GROUP BY 1 ORDER BY 1"
    assert rows(call, prices) == [[3.6, 1], [7.2, 3]]
    (paid,) = rows(call, "SELECT sum(cost_usd), sum(core_hours * usd_per_core_hour) FROM attempts")
    assert paid == pytest.approx([status.usd] * 2)
    of_results = "SELECT sum(cost_usd) FROM results WHERE outcome = 'ok'"
    assert rows(call, of_results)[0][0] == pytest.approx(status.usd)
    assert rows(call, "SELECT spent_usd FROM campaigns")[0][0] == pytest.approx(status.usd)


def test_without_a_price_nothing_costs_anything(bench: Any, call: Any) -> None:
    status = bench.run(SPEC)
    assert status.usd == 0.0
    assert "USD" not in call("status", "priced")[1]
    assert rows(call, "SELECT count(cost_usd), count(*) FROM attempts") == [[0, 4]]


def test_a_budget_in_dollars_needs_a_price(bench: Any, call: Any) -> None:
    spec = bench.write(SPEC + "budget: {usd: 5}\n")
    for command in ("run", "plan"):
        code, _, err = call(command, str(spec))
        assert code == ExitCode.BAD_INPUT
        assert err.startswith(f"{spec}: budget.usd: nothing says what a core-hour costs")
    assert call("validate", str(spec))[0] == 0
    profile = bench.write("usd_per_core_hour: 0.5\n", "paid.yaml")
    assert call("run", str(spec), "--profile", str(profile))[0] == 0
    for command in ("status", "results", "validate"):  # which need no price
        assert call(command, str(spec))[0] == 0
    assert "USD of 5" in call("status", "priced")[1]


def test_a_plan_says_what_a_campaign_will_cost(bench: Any, call: Any) -> None:
    spec = bench.write(SPEC + PRICE % 0.5 + "budget: {usd: 5}\n")
    plan = json.loads(call("plan", str(spec), "--json")[1])["data"]
    for bound in ("low", "expected", "high"):
        assert plan["usd"][bound] == pytest.approx(0.5 * plan["core_hours"][bound])
    out = call("plan", str(spec))[1]
    assert "US dollars in all: " in out
    assert "budget: 5 US dollars\n" in out
    spec = bench.write(SPEC + PRICE % 500 + "budget: {usd: 1.0e-9, core_hours: 1.0e-9}\n")
    out = call("plan", str(spec))[1]
    assert "budget: 1e-09 core-hours, less than is expected\n" in out
    assert "budget: 1e-09 US dollars, less than is expected\n" in out
