"""Campaigns on a real Slurm: one for the tests of this folder, and its daemons."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_bench import Cluster
from private_slurm import PrivateSlurm


@pytest.fixture
def cluster(slurm: PrivateSlurm, tmp_path: Path) -> Iterator[Cluster]:
    """Return a place for one campaign on a Slurm without accounting."""
    one = Cluster(tmp_path, slurm)
    yield one
    one.dismiss()


@pytest.fixture
def accounted(slurm_accounting: PrivateSlurm, tmp_path: Path) -> Iterator[Cluster]:
    """Return a place for one campaign on a Slurm with slurmdbd, whose limits hold."""
    one = Cluster(tmp_path, slurm_accounting)
    yield one
    one.dismiss()
