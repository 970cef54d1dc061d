"""Whole campaigns on a real Slurm that nothing disturbs."""

from __future__ import annotations

from importlib import resources

import pytest
from cluster_bench import Cluster, toys
from consistency import assert_consistent

SILICON = (resources.files("campaigns") / "silicon.yaml").read_text()


@pytest.mark.slow
@pytest.mark.pw
def test_the_shipped_silicon_campaign_settles_with_its_lattice_constant(cluster: Cluster) -> None:
    cluster.write(SILICON, memory_gb=4, walltime_min=30)
    assert cluster.run() == 0, cluster.trouble()
    (result,) = cluster.store.results.find({})
    # PBE: 5.469 angstrom (Haas, Tran, Blaha, PRB 79, 085104, 2009); the mesh and cutoff are coarse.
    assert result["values"]["a_ang"] * 2**0.5 == pytest.approx(5.469, abs=0.01)
    assert_consistent(cluster.store)


@pytest.mark.slow
def test_a_campaign_settles_and_leaves_no_job_behind(cluster: Cluster) -> None:
    cluster.write(toys())
    assert cluster.run() == 0, cluster.trouble()
    assert set(cluster.programs("end").values()) == {1}
    assert len(cluster.programs("end")) == 4
    assert not cluster.slurm.run("squeue", "--noheader")
    assert cluster.records().keys() == cluster.jobs().keys()
    assert_consistent(cluster.store)
