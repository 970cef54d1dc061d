"""Reservations whose jobs are gone from the queue, asked of a queue that is faked."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from filled_store import Filling
from fireworks import FWorker

from fireworks_ext.artefacts import Artefacts
from fireworks_ext.janitor.round import Janitor
from fireworks_ext.states import workflow_state
from fireworks_ext.store import open_store


class FakeQueue:
    """Stands for a scheduler: knows some jobs, and refuses to be asked for nothing."""

    def __init__(self, *known: str) -> None:
        self.known = set(known)
        self.asked: list[set[str]] = []

    def lost(self, reservations: Collection[str]) -> set[str]:
        if not reservations:
            raise AssertionError("asked for nothing")
        self.asked.append(set(reservations))
        return set(reservations) - self.known


@pytest.fixture
def store(tmp_path: Path) -> Any:
    opened = open_store(str(tmp_path / "store.db"))
    Filling(opened, "mine", 20, done=0.2).fill()
    Filling(opened, "other", 20, done=0.2).fill()
    opened.workers.insert_one({"_id": "elsewhere:1:1"})
    return opened


def reserve(store: Any, campaign: str, job: str) -> tuple[int, int]:
    """Reserve a firework for a job as FireWorks does."""
    worker = FWorker(name="queue", query={"spec.campaign": campaign})
    firework, launch = store.launchpad.reserve_fw(worker, "")
    store.launchpad.set_reservation_id(launch, job)
    return firework.fw_id, launch


def test_fireworks_of_vanished_jobs_are_ready_again_and_the_others_stay(
    store: Any, tmp_path: Path
) -> None:
    gone = [reserve(store, "mine", job) for job in ("11", "12")]
    kept, _ = reserve(store, "mine", "13")
    foreign, _ = reserve(store, "other", "14")
    queue = FakeQueue("13")
    janitor = Janitor(store, "mine", Artefacts(tmp_path), jobs=queue)
    found = janitor.clean()
    assert queue.asked == [{"11", "12", "13"}]
    assert sorted(one.reason for one in found.records) == [
        "its job 11 is gone from the queue",
        "its job 12 is gone from the queue",
    ]
    for fw_id, launch in gone:
        firework = store.fireworks.find_one({"fw_id": fw_id})
        assert (firework["state"], firework["launches"]) == ("READY", [])
        assert firework["archived_launches"] == [launch]
        workflow = store.workflows.find_one({"nodes": fw_id})
        assert workflow["fw_states"][str(fw_id)] == "READY"
        assert workflow["state"] == workflow_state(workflow["links"], workflow["fw_states"])
        assert store.launches.find_one({"launch_id": launch})["state"] == "READY"
    for fw_id in (kept, foreign):
        assert store.fireworks.find_one({"fw_id": fw_id})["state"] == "RESERVED"
    assert janitor.clean().repairs == []


def test_a_firework_that_was_given_back_can_be_taken_again(store: Any, tmp_path: Path) -> None:
    fw_id, _ = reserve(store, "mine", "11")
    Janitor(store, "mine", Artefacts(tmp_path), jobs=FakeQueue()).clean()
    worker = FWorker(name="queue", query={"spec.campaign": "mine"})
    firework, launch = store.launchpad.checkout_fw(worker, "", fw_id=fw_id)
    assert firework.fw_id == fw_id
    assert store.fireworks.find_one({"fw_id": fw_id})["launches"] == [launch]


def test_a_job_that_began_while_the_queue_was_asked_goes_on(store: Any, tmp_path: Path) -> None:
    fw_id, launch = reserve(store, "mine", "11")

    class BeginsMeanwhile(FakeQueue):
        """The job starts and ends its wait in the queue at the same moment."""

        def lost(self, reservations: Collection[str]) -> set[str]:
            worker = FWorker(name="queue", query={"spec.campaign": "mine"})
            store.launchpad.checkout_fw(worker, "", fw_id=fw_id)
            return set(reservations)

    found = Janitor(store, "mine", Artefacts(tmp_path), jobs=BeginsMeanwhile()).clean()
    assert found.repairs == []
    firework = store.fireworks.find_one({"fw_id": fw_id})
    assert firework["state"] == "RUNNING"
    assert firework["launches"] == [launch]
