from pathlib import Path

import pytest

from runner.pilot.environment import environment
from schemas.profile import Code, Site
from schemas.resources import Resources

OUTER = {"PATH": "/bin", "SLURM_JOB_ID": "7", "PMIX_RANK": "0", "PMI_RANK": "0", "HOME": "/me"}
MPIRUN = Code(command="pw.x", mpi=("mpirun", "-n", "{ranks}"))
SRUN = Site(codes={"pw": Code(command="pw.x", mpi=("/opt/bin/srun", "-n", "{ranks}"))})


def test_programs_on_one_node_see_nothing_of_the_job_that_they_are_in() -> None:
    for cores in (1, 4):
        inner = environment(OUTER, Resources(cores=cores), Site(codes={"pw": MPIRUN}), (2, 3))
        assert inner == {"PATH": "/bin", "HOME": "/me"}


def test_srun_gets_the_job_and_the_cores_of_its_stage() -> None:
    inner = environment(OUTER, Resources(cores=2), SRUN, (4, 6))
    assert inner == OUTER | {"SLURM_OVERLAP": "1", "SLURM_CPU_BIND": "map_cpu:4,6"}


def test_srun_is_not_told_of_cores_that_are_only_counted() -> None:
    assert environment(OUTER, Resources(cores=2), SRUN, ()) == OUTER | {"SLURM_OVERLAP": "1"}


def test_one_rank_is_started_without_a_launcher() -> None:
    assert "SLURM_JOB_ID" not in environment(OUTER, Resources(cores=1), SRUN, (0,))


def test_a_stage_of_several_nodes_sees_the_job_and_is_bound_to_no_cores_of_this_one() -> None:
    site = Site(codes={"pw": MPIRUN})
    inner = environment(OUTER, Resources(nodes=2, cores=2), site, (0, 1))
    assert inner == OUTER | {"SLURM_OVERLAP": "1"}


def test_without_a_word_in_the_profile_srun_is_used_where_there_is_no_mpirun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "srun"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "SLURM_JOB_ID" in environment(OUTER, Resources(cores=2), Site(), (0, 1))
    program.rename(tmp_path / "mpirun")
    assert "SLURM_JOB_ID" not in environment(OUTER, Resources(cores=2), Site(), (0, 1))


def test_a_stage_sees_the_gpus_that_are_its_own() -> None:
    outer = OUTER | {"CUDA_VISIBLE_DEVICES": "0,1,2,3"}
    for resources, site in ((Resources(), Site()), (Resources(nodes=2), SRUN)):
        assert environment(outer, resources, site, (), ("1", "3"))["CUDA_VISIBLE_DEVICES"] == "1,3"
        assert environment(outer, resources, site, ())["CUDA_VISIBLE_DEVICES"] == "0,1,2,3"
