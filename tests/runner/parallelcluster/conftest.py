"""Settings of a cluster, and a Python that has AWS ParallelCluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from database_servers.cache import locked
from platformdirs import user_cache_path

from runner.parallelcluster.aws_environment import interpreter
from runner.parallelcluster.settings import PCLUSTER_VERSION, ClusterSettings
from runner.parallelcluster.settings_file import EXAMPLE, read_settings, shipped
from schemas.errors import UserError

SMALLEST = """\
cluster: screening
region: us-east-2
key_name: my-key
subnets: {head: subnet-00000000000000001, compute: subnet-00000000000000002}
head_node: {ssh_from: 203.0.113.7/32}
"""


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], ClusterSettings]:
    """Return a function that reads the smallest settings with some lines more."""

    def read(lines: str = "") -> ClusterSettings:
        path = tmp_path / "settings.yaml"
        path.write_text(SMALLEST + dedent(lines))
        return read_settings(path)

    return read


@pytest.fixture
def example(tmp_path: Path) -> ClusterSettings:
    """Return the settings that ship."""
    path = tmp_path / "example.yaml"
    path.write_text(shipped(EXAMPLE))
    return read_settings(path)


@pytest.fixture(scope="session")
def aws_python() -> Path:
    """Return a Python with AWS ParallelCluster, kept in the user's cache (a minute at first)."""
    folder = user_cache_path("matcampaign") / "test-tools"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder / "parallelcluster.lock"):
            return interpreter(PCLUSTER_VERSION, {"MATCAMPAIGN_DATA_DIR": str(folder)})
    except UserError as error:
        pytest.skip(str(error))
