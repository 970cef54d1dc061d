"""A store that is a file belongs to the controller: jobs know nothing of it."""

from __future__ import annotations

import shlex
from contextlib import suppress

import psutil
import pytest
from cluster_bench import CLI, Cluster, toys


def files(process: psutil.Process) -> set[str]:
    """Return the files that a process has open."""
    with suppress(psutil.Error):
        return {one.path for one in process.open_files()}
    return set()


@pytest.mark.slow
def test_jobs_never_open_the_store_and_are_not_told_where_it_is(cluster: Cluster) -> None:
    cluster.write(toys("Mg", "seconds: 5"))
    controller = cluster.start()
    cluster.until(lambda: cluster.programs("start"))
    (job,) = cluster.records().values()
    store = str(cluster.folder / "data" / "store.db")
    written = [
        *cluster.exchange.root.rglob("*.json"),
        *cluster.exchange.root.rglob("*.sh"),
    ]
    assert len([one for one in written if one.name in {"stage.json", "pilot.json", "job.sh"}]) == 3
    assert not [one for one in written if "store.db" in one.read_text()]
    running = [one for one in cluster.processes() if one.pid != controller.pid]
    assert any("runner.pilot" in one.cmdline() for one in running)
    assert not [one for one in running if store in files(one)]
    assert store in files(psutil.Process(controller.pid))
    assert cluster.end_of(controller) == 0, cluster.trouble()
    assert cluster.jobs().keys() == {job.name}


@pytest.mark.slow
def test_a_worker_over_a_store_that_is_a_file_is_refused_in_a_job(cluster: Cluster) -> None:
    cluster.write(toys("Mg"))
    output = cluster.folder / "worker.txt"
    command = shlex.join(["env", f"MATCAMPAIGN_DATA_DIR={cluster.folder / 'data'}", *CLI, "worker"])
    cluster.slurm.run("sbatch", "--wait", f"--output={output}", f"--wrap={command}", check=False)
    said = output.read_text()
    assert "Traceback" not in said
    for word in ("store.db", "launcher: {kind: slurm", "campaign worker --offline"):
        assert word in said
