"""The dashboard in a real browser: it moves, and everybody can use it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from browser import PHONE, serious_findings

SPEC = """
version: 1
campaign: live
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca, Sr], X: [S]}
filters:
  - {score: composition, keep: "max_atomic_number <= 90"}
stages:
  relax: {engine: toy, task: relax, fails_for: [Ca]}
  gap: {engine: toy, task: scf, structure: relax}
"""


@pytest.fixture
def campaign(bench: Any) -> Any:
    """Return a run of which nothing is computed yet."""
    return bench.prepare(SPEC)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask often, though nobody controls the campaign."""
    monkeypatch.setattr("runner.dashboard.board.AT_REST_S", 0.5)
    monkeypatch.setattr("runner.dashboard.board.FRESH_S", 0.5)


def expect(found: Any) -> Any:
    from playwright.sync_api import expect as expected

    expected.set_options(timeout=40_000)
    return expected(found)


def test_counters_move_while_a_campaign_computes(
    campaign: Any, bench: Any, serve: Any, page: Any
) -> None:
    dashboard = serve()
    page.goto(f"{dashboard.address}/campaign/live")
    page.wait_for_selector("#live.on")
    expect(page.locator("#count-ok")).to_have_text("0")
    page.evaluate("window.same = true")
    bench.work_off(campaign)
    expect(page.locator("#count-ok")).to_have_text("4")
    expect(page.locator("#count-troubled")).to_have_text("1")
    assert page.locator("#cause-scf_not_converged").count() == 1
    assert page.evaluate("window.same") is True  # the page was not loaded again
    assert page.complaints == []


def test_the_overview_moves_too(campaign: Any, bench: Any, serve: Any, page: Any) -> None:
    dashboard = serve()
    page.goto(dashboard.address)
    expect(page.locator(".meter-line span")).to_have_text("0 of 6 settled")
    bench.work_off(campaign)
    expect(page.locator(".meter-line span")).to_have_text("6 of 6 settled")
    assert page.complaints == []


def test_what_a_viewer_closed_and_focused_stays_so(
    campaign: Any, bench: Any, serve: Any, page: Any
) -> None:
    bench.work_off(campaign)
    dashboard = serve()
    page.goto(f"{dashboard.address}/campaign/live")
    page.wait_for_selector("#live.on")
    page.locator("#cause-scf_not_converged > summary").click()  # it was open
    failed = {"stages.gap.state": "failed", "stages.gap.failure": "scf_not_converged"}
    campaign.store.candidates.update_one({"formula": "MgS"}, {"$set": failed})
    expect(page.locator("#cause-scf_not_converged .count")).to_have_text("2")
    assert page.locator("#cause-scf_not_converged[open]").count() == 0
    assert page.evaluate("document.activeElement.parentElement.id") == "cause-scf_not_converged"
    assert page.complaints == []


def test_buttons_act_for_who_has_the_token_and_are_not_there_for_others(
    campaign: Any, bench: Any, serve: Any, page: Any
) -> None:
    bench.work_off(campaign)
    dashboard = serve()
    page.goto(f"{dashboard.address}/campaign/live")
    expect(page.locator("#retry")).to_be_hidden()
    page.goto(f"{dashboard.address}/?token={dashboard.token}")
    assert "token" not in page.url
    page.goto(f"{dashboard.address}/campaign/live")
    page.locator("#retry-scf_not_converged").click()
    expect(page.locator("#errand")).to_contain_text("1 calculation on the way again")
    page.locator("#pause").click()
    expect(page.locator("#errand")).to_contain_text("Paused: 1 calculation")
    assert campaign.store.fireworks.count_documents({"state": "PAUSED"}) == 1
    page.locator("#resume").click()
    expect(page.locator("#errand")).to_contain_text("Resumed: 1 calculation")
    assert campaign.store.fireworks.count_documents({"state": "PAUSED"}) == 0
    assert page.complaints == []


def test_a_server_that_went_away_is_told_of(campaign: Any, start: Any, page: Any) -> None:
    dashboard = start()
    page.goto(f"{dashboard.address}/campaign/live")
    expect(page.locator("#live-text")).to_contain_text("live")
    dashboard.process.kill()
    expect(page.locator("#live-text")).to_contain_text("not connected")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [None, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious_and_nothing_sticks_out(
    size: Any, scheme: Any, campaign: Any, bench: Any, serve: Any, page: Any
) -> None:
    bench.work_off(campaign)
    dashboard = serve()
    page.emulate_media(color_scheme=scheme)
    if size:
        page.set_viewport_size(size)
    page.goto(f"{dashboard.address}/?token={dashboard.token}")
    candidate = campaign.store.candidates.find_one({"formula": "CaS"})["id"]
    for path in (
        "/",
        "/campaign/live",
        "/campaign/live/candidates?q=S",
        f"/campaign/live/candidate/{candidate}",
        "/campaign/none",
    ):
        page.goto(dashboard.address + path)
        assert serious_findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # The answer 404 is what the console speaks of.
    assert [one for one in page.complaints if not re.search("404", one)] == []


@pytest.mark.slow  # 10 s: after which the page loads itself again
def test_without_scripts_the_page_loads_itself_again(
    campaign: Any, bench: Any, serve: Any, browser: Any
) -> None:
    dashboard = serve()
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{dashboard.address}/campaign/live")
    expect(page.locator("#count-ok")).to_have_text("0")
    bench.work_off(campaign)
    expect(page.locator("#count-ok")).to_have_text("4")
    context.close()
