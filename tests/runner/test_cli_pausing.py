"""`campaign pause` and `campaign resume`: what they do, say and refuse."""

from __future__ import annotations

import json
import time
from typing import Any

from fireworks_ext.processes import this_process
from runner.control import controller_lease
from schemas.errors import ExitCode

SPEC = """
version: 1
campaign: pausing
space:
  - {kind: prototype, prototype: rocksalt, species: {A: [Mg, Ca], X: [S]}}
stages:
  relax: {engine: toy, task: relax, fails_for: [Ca], on_unrepaired: hold}
"""


def test_a_campaign_stands_still_and_goes_on(bench: Any, call: Any) -> None:
    run = bench.prepare(SPEC)
    code, out, _ = call("pause", "pausing")
    assert code == 0
    assert out == (
        "paused: 2 calculations stopped from starting. What runs now is finished. "
        "Next: campaign resume pausing\n"
    )
    bench.work_off(run)
    assert run.store.attempts.count_documents({}) == 0
    assert "UTC: campaign resume pausing" in call("status", "pausing")[1]
    code, out, _ = call("resume", "pausing")
    assert code == 0
    assert out.startswith("resumed: 2 calculations set free. Next: campaign run /")
    bench.work_off(run)
    assert run.store.attempts.count_documents({}) == 2
    assert "campaign resume" not in call("status", "pausing")[1]


def test_what_is_held_stays_held_and_programs_are_told_so(bench: Any, call: Any) -> None:
    run = bench.prepare(SPEC)
    bench.work_off(run)
    code, out, _ = call("resume", str(bench.folder / "spec.yaml"), "--json")
    envelope = json.loads(out)
    data = envelope["data"]
    assert (code, envelope["command"]) == (0, "resume")
    assert (data["campaign"], data["paused"], data["count"]) == ("pausing", False, 0)
    data = json.loads(call("pause", "pausing", "--json")[1])["data"]
    assert (data["paused"], data["next"]) == (True, "campaign resume pausing")


def test_one_that_another_process_controls_needs_no_other_run(bench: Any, call: Any) -> None:
    run = bench.prepare(SPEC)
    lease = {"owner": this_process().name, "expires_at": time.time() + 60, "token": 1}
    run.store.leases.update_one({"_id": controller_lease("pausing")}, {"$set": lease}, upsert=True)
    call("pause", "pausing")
    assert "Next" not in call("resume", "pausing")[1]


def test_a_campaign_that_is_not_there_is_a_mistake(bench: Any, call: Any) -> None:
    bench.prepare(SPEC)
    for command in ("pause", "resume"):
        code, _, err = call(command, "other")
        assert (code, "no campaign 'other'" in err) == (2, True)


def test_running_a_campaign_that_is_paused_says_what_sets_it_free(bench: Any, call: Any) -> None:
    spec = bench.write(SPEC.replace("on_unrepaired: hold", "seconds: 0.01"))
    bench.prepare(spec.read_text())
    call("pause", "pausing")
    code, _, err = call("run", str(spec))
    assert code == ExitCode.DRAINED
    assert err.endswith("paused; `campaign resume pausing` and `campaign run spec.yaml` continue\n")
