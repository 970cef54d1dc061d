"""Campaigns on a real Slurm: one for the tests of this folder, and its daemons."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_bench import Cluster
from database_servers.missing import Missing
from private_slurm import PrivateSlurm, private_slurm


@pytest.fixture
def cluster(slurm: PrivateSlurm, tmp_path: Path) -> Iterator[Cluster]:
    """Return a place for one campaign on a Slurm without accounting."""
    one = Cluster(tmp_path, slurm)
    yield one
    one.dismiss()


@pytest.fixture
def frail(tmp_path: Path) -> Iterator[Cluster]:
    """Return a place for one campaign on a Slurm of its own, which may forget what it did.

    One whose slurmctld forgot jobs gives their numbers away again, which its slurmd remembers.
    """
    try:
        with private_slurm() as slurm:
            one = Cluster(tmp_path, slurm)
            yield one
            one.dismiss()
    except Missing as error:
        pytest.skip(str(error))


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Cluster]:
    """Return a place for one campaign on a Slurm that ends jobs with too much memory."""
    if os.getuid() != 0 or not os.access("/sys/fs/cgroup/memory", os.W_OK):
        pytest.skip("control groups of version 1 are not this user's to make")
    try:
        with private_slurm(enforced_memory=True) as slurm:
            one = Cluster(tmp_path, slurm)
            yield one
            one.dismiss()
    except Missing as error:
        pytest.skip(str(error))


@pytest.fixture
def accounted(slurm_accounting: PrivateSlurm, tmp_path: Path) -> Iterator[Cluster]:
    """Return a place for one campaign on a Slurm with slurmdbd, whose limits hold."""
    one = Cluster(tmp_path, slurm_accounting)
    yield one
    one.dismiss()
