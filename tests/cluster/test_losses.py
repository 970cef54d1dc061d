"""Jobs that end under their stages, on a real Slurm: the stages go on in others."""

from __future__ import annotations

import sys
from collections import Counter

import pytest
from cluster_bench import Cluster
from consistency import assert_consistent

STEPS = """
version: 1
campaign: steps
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [METALS], X: [S]}
stages:
  only: {engine: stepping, task: count, steps: 40, step_s: 0.2}
"""


def steps(metals: str = "Mg, Ca") -> str:
    return STEPS.replace("METALS", metals)


def done(cluster: Cluster) -> Counter[tuple[str, int]]:
    """Return how often each step of each stage was done."""
    lines = cluster.log.read_text().splitlines() if cluster.log.exists() else []
    said = (line.split(maxsplit=1) for line in lines)
    return Counter((where.rpartition("/")[0], int(step)) for step, where in said)


@pytest.mark.slow
def test_stages_of_a_cancelled_job_go_on_in_another(cluster: Cluster) -> None:
    cluster.write(steps())
    controller = cluster.start()
    cluster.until(lambda: sum(done(cluster).values()) > 20)
    (job,) = cluster.begun()
    cluster.slurm.run("scancel", job)
    assert cluster.end_of(controller) == 0, cluster.trouble()
    attempts = cluster.attempts()
    first, last = attempts[:2], attempts[2:]
    assert [one["failure"] for one in first] == ["cancelled"] * 2
    assert [one["outcome"] for one in last] == ["ok"] * 2
    assert cluster.jobs().total() == 2
    # Each saved its state, and went on from there.
    assert len(done(cluster)) == 80
    assert done(cluster).total() <= 82
    assert_consistent(cluster.store)


@pytest.mark.slow
@pytest.mark.parametrize("partition", ["main", "spot"])
def test_stages_of_a_preempted_job_go_on(cluster: Cluster, partition: str) -> None:
    """Slurm puts back into the queue what it takes from `main`, and cancels what is in `spot`."""
    cluster.write(steps(), partition=partition)
    controller = cluster.start()
    cluster.until(lambda: sum(done(cluster).values()) > 20)
    urgent = ("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    cluster.slurm.run(*urgent)
    assert cluster.end_of(controller) == 0, cluster.trouble()
    attempts = cluster.attempts()
    first, last = attempts[:2], attempts[2:]
    assert [one["failure"] for one in first] == ["preempted"] * 2
    assert [one["outcome"] for one in last] == ["ok"] * 2
    assert len(done(cluster)) == 80
    assert done(cluster).total() <= 82
    assert_consistent(cluster.store)


@pytest.mark.slow
def test_what_was_killed_before_it_could_save_anything_has_the_jobs_failure(
    cluster: Cluster,
) -> None:
    cluster.write(steps("Mg"))
    controller = cluster.start()
    cluster.until(lambda: sum(done(cluster).values()) > 5)
    (job,) = cluster.begun()
    cluster.strike()
    assert cluster.end_of(controller) == 0, cluster.trouble()
    first, last = cluster.attempts()
    # By what Slurm noticed first: that the processes were gone, or that the script was.
    assert first["outcome"] == "lost"
    assert first["failure"] in {"killed_by_signal", "node_failed"}
    assert f"job {job}" in first["message"]
    assert last["outcome"] == "ok"
    assert last["continued"]
    assert len(done(cluster)) == 40
    assert_consistent(cluster.store)


HOG = """
import os, sys, time
import psutil
mine = os.environ["MATCAMPAIGN_DATA_DIR"]
def pilots():
    for one in psutil.process_iter():
        try:
            if "runner.pilot" in one.cmdline() and one.environ()["MATCAMPAIGN_DATA_DIR"] == mine:
                yield one
        except (psutil.Error, KeyError):
            pass
while not os.path.exists(os.environ["TOY_LOG"]):
    time.sleep(0.05)
pilot = min(pilots(), key=lambda one: one.create_time())
with open(f"/proc/{pilot.pid}/oom_score_adj", "w") as file:
    file.write("1000")  # the kernel takes it first
held = []
while pilot.is_running() and pilot.status() != psutil.STATUS_ZOMBIE:
    held.append(bytearray(b"x") * 4_000_000)
"""


@pytest.mark.slow
def test_a_job_that_needs_more_memory_than_it_has_is_told_from_others(strict: Cluster) -> None:
    """The kernel ends the pilot, as something in its job eats up the memory, once."""
    hog = strict.folder / "hog.py"
    hog.write_text(HOG)
    once = f"mkdir {strict.folder / 'eaten'} 2>/dev/null && {{ {sys.executable} {hog} & }}"
    strict.write(steps("Mg"), setup=[f"{once} || true"], memory_gb=0.4)
    assert strict.run() == 0, strict.trouble()
    first, *_, last = strict.attempts()
    assert (first["outcome"], first["failure"]) == ("lost", "out_of_memory")
    assert "OUT_OF_MEMORY" in first["message"]
    assert last["outcome"] == "ok"
    assert last["continued"]
    assert len(done(strict)) == 40
    assert_consistent(strict.store)


@pytest.mark.slow
def test_on_a_drained_node_jobs_wait_and_people_see_slurms_word(cluster: Cluster) -> None:
    cluster.slurm.drain()
    cluster.write(steps("Mg").replace("steps: 40", "steps: 4"))
    controller = cluster.start()
    cluster.until(lambda: any(one["reason"] for one in cluster.fleet().get("jobs", ())))
    (job,) = cluster.ask("jobs")["jobs"]
    assert (job["phase"], job["state"]) == ("waiting", "PENDING")
    assert "DRAINED" in job["reason"]  # "Nodes required for job are DOWN, DRAINED or reserved ..."
    for command in ("status", "jobs"):
        assert job["reason"] in cluster.call(command, cluster.name, "--profile", "cluster")
    cluster.slurm.resume()
    assert cluster.end_of(controller) == 0, cluster.trouble()
    assert cluster.jobs().total() == 1
    assert_consistent(cluster.store)
