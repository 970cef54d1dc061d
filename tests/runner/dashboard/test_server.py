"""The server as programs see it: who may read, who may act, what is sent, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from pymongo.errors import AutoReconnect

from runner.dashboard.access import token_in
from runner.dashboard.questions import Questions

SPEC = """
version: 1
campaign: live
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca, Sr], X: [S]}
filters:
  - {score: composition, keep: "max_atomic_number <= 30"}
stages:
  relax: {engine: toy, task: relax, fails_for: [Ca]}
  gap: {engine: toy, task: scf, structure: relax}
"""


@pytest.fixture
def campaign(bench: Any) -> Any:
    """Return a run of which one calculation has failed."""
    run = bench.prepare(SPEC)
    bench.work_off(run)
    return run


def states(run: Any) -> dict[str, dict[str, str]]:
    return {
        one["formula"]: {name: entry["state"] for name, entry in one["stages"].items()}
        for one in run.store.candidates.find({"member": True})
    }


def form_key(session: requests.Session, dashboard: Any) -> str:
    text = session.get(f"{dashboard.address}/campaign/live", timeout=30).text
    return text.split('name="form_key" value="')[1].split('"')[0]


def test_pages_show_counters_failures_and_logs_without_a_script(campaign: Any, serve: Any) -> None:
    dashboard = serve()
    overview = dashboard.get("/")
    assert "live" in overview.text
    page = dashboard.get("/campaign/live").text
    assert 'id="count-troubled" class="bad">1<' in page
    assert "scf_not_converged" in page
    assert "3 enumerated, 2 go on" in page  # the funnel
    assert '<noscript><meta http-equiv="refresh"' in page
    found = dashboard.get("/campaign/live/candidates", params={"q": "CaS"})
    assert found.url.count("/candidate/") == 1  # there is but one
    assert "did not converge" in found.text
    assert "failed" in found.text
    listed = dashboard.get("/campaign/live/candidates", params={"q": "M"}).text
    assert "MgS" in listed
    assert "No candidate" in dashboard.get("/campaign/live/candidates", params={"q": "XeF"}).text


def test_unknown_names_are_answered_in_words(campaign: Any, serve: Any) -> None:
    dashboard = serve()
    for path in (
        "/campaign/none",
        "/campaign/live/candidate/abcd",
        "/campaign/none/candidates?q=a",
    ):
        answer = dashboard.get(path)
        assert answer.status_code == 404
        assert "Nothing here" in answer.text
    assert dashboard.get("/events/none").status_code == 404


def test_headers_forbid_inline_scripts_and_frames(campaign: Any, serve: Any) -> None:
    dashboard = serve()
    for path in ("/", "/campaign/live", "/static/dashboard.js", "/campaign/none"):
        headers = dashboard.get(path).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_a_request_to_a_foreign_name_is_refused(campaign: Any, serve: Any) -> None:
    dashboard = serve()
    for host in ("evil.example", "evil.example:80", "localhost.evil.example"):
        assert dashboard.get("/", headers={"host": host}).status_code == 421
    assert dashboard.get("/", headers={"host": "localhost:1234"}).status_code == 200  # ssh -L


def test_actions_without_the_token_are_refused(campaign: Any, serve: Any) -> None:
    dashboard = serve()
    before = states(campaign)
    for headers in ({}, {"authorization": "Bearer wrong"}, {"origin": dashboard.address}):
        assert dashboard.post("/campaign/live/retry", headers=headers).status_code == 403
    assert "form_key" not in dashboard.get("/campaign/live").text
    assert dashboard.get("/?token=wrong").status_code == 403
    assert dashboard.get("/campaign/live/retry").status_code == 405
    assert states(campaign) == before


def test_a_cookie_alone_or_from_another_origin_does_not_act(campaign: Any, serve: Any) -> None:
    dashboard = serve()
    session = dashboard.signed_in()
    (cookie,) = session.cookies
    assert cookie.value != dashboard.token
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "strict"
    path, key = f"{dashboard.address}/campaign/live/retry", form_key(session, dashboard)
    own = {"origin": dashboard.address}
    other = {"origin": "http://127.0.0.1:1"}
    for form, headers in (
        ({}, own),
        ({"form_key": "0"}, own),
        ({"form_key": key}, other),
        ({"form_key": key}, {}),
    ):
        answer = session.post(path, data=form, headers=headers, timeout=30)
        assert answer.status_code == 403
    sent = session.post(path, data={"form_key": key}, headers=own, timeout=30)
    assert sent.status_code == 200  # led back to the campaign


def test_retry_sends_what_failed_on_its_way(campaign: Any, serve: Any, eventually: Any) -> None:
    dashboard = serve()
    assert states(campaign)["CaS"] == {"relax": "failed", "gap": "blocked"}
    answer = dashboard.act("/campaign/live/retry", cause="scf_not_converged")
    assert answer.status_code == 303
    eventually(lambda: states(campaign)["CaS"] == {"relax": "ready", "gap": "waiting"})
    eventually(lambda: "Retry: 1 calculation" in dashboard.get("/campaign/live").text)


def test_a_mistake_in_a_retry_is_said(campaign: Any, serve: Any, eventually: Any) -> None:
    dashboard = serve()
    assert dashboard.act("/campaign/live/retry", stage="none").status_code == 303
    eventually(lambda: "no stage &#39;none&#39;" in dashboard.get("/campaign/live").text)


def test_read_only_refuses_also_with_the_token(campaign: Any, serve: Any) -> None:
    dashboard = serve(read_only=True)
    assert dashboard.act("/campaign/live/retry").status_code == 403
    assert (
        "<button form" not in dashboard.signed_in().get(f"{dashboard.address}/campaign/live").text
    )


def test_on_another_address_reading_needs_the_token_too(campaign: Any, serve: Any) -> None:
    dashboard = serve(is_local=False)
    for path in ("/", "/campaign/live", "/events", "/campaign/live?token=wrong", "/events?token=x"):
        assert dashboard.get(path).status_code in {401, 403}
        assert dashboard.get(path, headers={"host": "a.example"}).status_code in {401, 403}
    assert dashboard.signed_in().get(f"{dashboard.address}/campaign/live", timeout=30).ok


def test_the_token_is_kept_where_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "dashboard-token"
    token = token_in(path)
    assert len(token) >= 40
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token_in(path) == token
    assert list(path.parent.iterdir()) == [path]
    path.unlink()
    assert token_in(path) != token


def test_no_page_holds_the_token(campaign: Any, serve: Any) -> None:
    dashboard = serve()
    session = dashboard.signed_in()
    for page in ("/", "/campaign/live"):
        assert dashboard.token not in session.get(dashboard.address + page, timeout=30).text


def test_an_address_that_others_reach_is_warned_of(campaign: Any, start: Any) -> None:
    dashboard = start("--host", "0.0.0.0", "--read-only")  # noqa: S104
    assert "warning" in dashboard.printed
    assert dashboard.token == (campaign.place.data / "dashboard-token").read_text().strip()


def test_a_token_that_others_can_read_is_refused(campaign: Any, call: Any) -> None:
    path = campaign.place.data / "dashboard-token"
    path.write_text("secret\n")
    path.chmod(0o644)
    code, _, errors = call("dashboard", "--port", "0")
    assert code == 2
    assert "others can read" in errors
    assert "secret" not in errors


def test_a_port_that_is_taken_and_a_name_that_is_not_known_are_said(
    campaign: Any, call: Any
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, errors = call("dashboard", "--port", str(taken.getsockname()[1]))
    assert code == 2
    assert "--port 0" in errors
    code, _, errors = call("dashboard", "none")
    assert code == 2
    assert "no campaign 'none'" in errors


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_exit_0_while_somebody_looks(
    sign: signal.Signals, campaign: Any, start: Any
) -> None:
    dashboard = start("live")
    with requests.get(f"{dashboard.address}/events/live", stream=True, timeout=30) as stream:
        line = next(stream.iter_lines(chunk_size=1))
        assert "summary" in json.loads(line.removeprefix(b"data: "))["regions"]
        dashboard.process.send_signal(sign)
        assert dashboard.process.wait(15) == 0
    assert "Traceback" not in dashboard.printed


def test_campaigns_that_were_not_asked_for_are_not_shown(
    campaign: Any, bench: Any, serve: Callable[..., Any]
) -> None:
    other = bench.prepare(SPEC.replace("campaign: live", "campaign: other"))
    dashboard = serve("live")
    assert other.store.campaigns.count_documents({}) == 2
    assert "/campaign/other" not in dashboard.get("/").text
    for path in ("/campaign/other", "/events/other", "/campaign/other/candidates?q=MgS"):
        assert dashboard.get(path).status_code == 404
    assert dashboard.act("/campaign/other/pause").status_code == 404


def test_a_store_that_is_away_is_told_of(
    campaign: Any, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise AutoReconnect("connection closed")

    dashboard = serve()
    monkeypatch.setattr("runner.dashboard.board.names", fails)
    answer = dashboard.get("/")
    assert answer.status_code == 503
    assert "does not answer: connection closed" in answer.text
    assert answer.headers["x-frame-options"] == "DENY"
    monkeypatch.undo()
    assert dashboard.get("/").status_code == 200


def test_the_store_is_asked_once_however_many_look(
    campaign: Any, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    snapshot = Questions.snapshot

    def counted(self: Questions) -> Any:
        asked.append(time.monotonic())
        return snapshot(self)

    monkeypatch.setattr(Questions, "snapshot", counted)
    monkeypatch.setattr("runner.dashboard.board.AT_REST_S", 1.0)
    dashboard = serve()
    urls = [f"{dashboard.address}/events/live"] * 10
    streams = [requests.get(url, stream=True, timeout=30) for url in urls]
    for stream in streams:
        assert b"summary" in next(stream.iter_lines(chunk_size=1))
    time.sleep(3)
    for stream in streams:
        stream.close()
    # At the first look, and then once a second.
    assert 2 <= len(asked) <= (asked[-1] - asked[0]) + 2
