"""Fixtures: a Slurm for each process of a test session, with an empty queue for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from database_servers.missing import Missing

from private_slurm.slurm import PrivateSlurm, private_slurm

__all__ = [
    "_slurm",
    "_slurm_accounting",
    "_slurm_pair",
    "slurm",
    "slurm_accounting",
    "slurm_pair",
]


def _of_session(**settings: int) -> Iterator[PrivateSlurm]:
    try:
        with private_slurm(**settings) as slurm:
            yield slurm
    except Missing as error:
        pytest.skip(str(error))


def _of_test(slurm: PrivateSlurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateSlurm]:
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)
    yield slurm
    slurm.restore()


@pytest.fixture(scope="session")
def _slurm() -> Iterator[PrivateSlurm]:
    yield from _of_session()


@pytest.fixture(scope="session")
def _slurm_pair() -> Iterator[PrivateSlurm]:
    yield from _of_session(nodes=2, cpus=4)


@pytest.fixture(scope="session")
def _slurm_accounting() -> Iterator[PrivateSlurm]:
    yield from _of_session(accounting=True, min_job_age_s=2)


@pytest.fixture
def slurm(_slurm: PrivateSlurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateSlurm]:
    """Return a Slurm with one node and an empty queue; SLURM_CONF is set."""
    yield from _of_test(_slurm, monkeypatch)


@pytest.fixture
def slurm_pair(
    _slurm_pair: PrivateSlurm, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PrivateSlurm]:
    """Return a Slurm with two nodes, both this machine, and an empty queue."""
    yield from _of_test(_slurm_pair, monkeypatch)


@pytest.fixture
def slurm_accounting(
    _slurm_accounting: PrivateSlurm, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PrivateSlurm]:
    """Return a Slurm with accounting; slurmctld forgets jobs soon after they ended."""
    yield from _of_test(_slurm_accounting, monkeypatch)
