"""The right to control a campaign, when another process has taken it over."""

from __future__ import annotations

from typing import Any

from fireworks_ext import leases
from runner.control import Control, control_of, controller_lease
from schemas.errors import ExitCode

SPEC = """
version: 1
campaign: controlled
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg], X: [S]}
stages:
  only: {engine: toy, task: relax}
"""


def test_who_lost_control_does_not_say_how_the_campaign_ended(bench: Any) -> None:
    run = bench.prepare(SPEC)
    run.computes = False
    lease = leases.Lease(controller_lease("controlled"), "somebody else", 1)
    _, code = run._work(Control(lease, lost=True))
    assert run.store.campaigns.find_one({})["state"] == "running"
    assert code is ExitCode.DRAINED


def test_one_process_controls_a_campaign_at_a_time(bench: Any) -> None:
    store = bench.prepare(SPEC).store
    with control_of(store, "controlled") as first:
        assert first is not None
        with control_of(store, "controlled") as second:
            assert second is None
    with control_of(store, "controlled") as third:
        assert third is not None
