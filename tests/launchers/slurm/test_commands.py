from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launchers.slurm import SlurmParams, SlurmScheduler
from launchers.slurm.commands import Commands, environment_of
from schemas.errors import UserError
from schemas.queue import JobRequest, Refused, Silent

PARAMS = SlurmParams(tasks_per_node=4, walltime_min=60)
REQUEST = JobRequest(name="a", shape=PARAMS.shape, command=("true",), folder=Path("/shared"))


def fake(folder: Path, name: str, body: str) -> dict[str, str]:
    """Put a program on PATH; return that environment."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def scheduler(environment: dict[str, str], **settings: str) -> SlurmScheduler:
    params = PARAMS.model_copy(update=settings)
    return SlurmScheduler(params, Commands(environment, timeout_s=5))


def test_where_slurm_is_not_installed_the_user_is_told_what_to_do() -> None:
    with pytest.raises(UserError, match=r"squeue, which is not on PATH; run this on a login node"):
        scheduler({"PATH": "/nonexistent"}).seen()


def test_a_program_that_hangs_is_ended_and_nobody_knows(tmp_path: Path) -> None:
    environment = fake(tmp_path, "sbatch", f"echo $$ > {tmp_path}/pid; exec sleep 60")
    commands = Commands(environment, timeout_s=0.5)
    with pytest.raises(Silent, match=r"sbatch gave no answer within 0\.5 s"):
        SlurmScheduler(PARAMS, commands).submit(REQUEST, tmp_path / "job.sh")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize("body", ["kill -9 $$", "echo nonsense", "true"])
def test_without_a_number_and_without_a_refusal_nobody_knows(tmp_path: Path, body: str) -> None:
    with pytest.raises(Silent):
        scheduler(fake(tmp_path, "sbatch", body)).submit(REQUEST, tmp_path / "job.sh")


def test_the_number_may_be_followed_by_the_clusters_name(tmp_path: Path) -> None:
    environment = fake(tmp_path, "sbatch", "echo '12;west'; echo noise >&2")
    assert scheduler(environment).submit(REQUEST, tmp_path / "job.sh") == "12"


def test_a_refusal_is_in_slurms_words(tmp_path: Path) -> None:
    environment = fake(tmp_path, "sbatch", "echo 'sbatch: error: no, never' >&2; exit 1")
    with pytest.raises(Refused, match=r"^no, never$"):
        scheduler(environment).submit(REQUEST, tmp_path / "job.sh")


def test_an_error_of_a_question_is_silence(tmp_path: Path) -> None:
    said = "echo 'slurm_load_jobs error: busy' >&2; exit 1"
    with pytest.raises(Silent, match=r"squeue: .*busy"):
        scheduler(fake(tmp_path, "squeue", said)).seen()
    with pytest.raises(Silent, match=r"scancel: .*busy"):
        scheduler(fake(tmp_path, "scancel", said)).cancel(["12"])


def test_jobs_that_are_over_already_are_cancelled_in_peace(tmp_path: Path) -> None:
    said = "scancel: error: Kill job error on job id 12: Job/step already completing or completed"
    scheduler(fake(tmp_path, "scancel", f"echo '{said}' >&2; exit 1")).cancel(["12"])


def test_an_environment_reaches_jobs_without_secrets_and_other_jobs_settings() -> None:
    given = {
        "PATH": "/bin",
        "LOADEDMODULES": "openmpi",
        "SLURM_CONF": "/etc/slurm.conf",
        "SLURM_JOB_ID": "7",
        "SBATCH_TIMELIMIT": "1",
        "SBATCH_ACCOUNT": "mine",
        "SBATCH_PARTITION": "mine",
        "SQUEUE_FORMAT": "%i",
        "MATCAMPAIGN_STORE": "mongodb://me:word@host/db",
        "PLAIN_ADDRESS": "https://example.org:8080/@me",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_SESSION_TOKEN": "x",
        "DB_PASSWORD": "x",
    }
    found = environment_of(given, frozenset(["account"]))
    kept = ("PATH", "LOADEDMODULES", "SLURM_CONF", "SBATCH_ACCOUNT", "PLAIN_ADDRESS")
    assert found == {name: given[name] for name in kept}


def test_a_users_default_partition_does_not_override_the_setting(tmp_path: Path) -> None:
    environment = fake(tmp_path, "sbatch", f"env > {tmp_path}/env; echo 1")
    mine = {"SBATCH_PARTITION": "mine", "SBATCH_ACCOUNT": "me"}
    chosen = scheduler(environment | mine, partition="compute")
    chosen.submit(REQUEST, tmp_path / "job.sh")
    seen = (tmp_path / "env").read_text()
    assert "SBATCH_ACCOUNT=me\n" in seen
    assert "SBATCH_PARTITION" not in seen


def test_questions_are_asked_for_programs_and_jobs_keep_the_users_language(tmp_path: Path) -> None:
    for program in ("sbatch", "squeue"):
        mine = fake(tmp_path, program, f"env > {tmp_path}/{program}.env; echo 1")
    chosen = scheduler(mine | {"LC_ALL": "de_DE.UTF-8"})
    chosen.submit(REQUEST, tmp_path / "job.sh")
    chosen.seen()
    inherited = (tmp_path / "sbatch.env").read_text()
    assert "LC_ALL=de_DE.UTF-8\n" in inherited
    assert "SLURM_" not in inherited
    asked = (tmp_path / "squeue.env").read_text()
    assert "LC_ALL=C\n" in asked
    assert "SLURM_TIME_FORMAT=%s\n" in asked


def test_a_submission_dies_with_the_controller(tmp_path: Path) -> None:
    environment = fake(tmp_path, "sbatch", f"echo $$ > {tmp_path}/pid; exec sleep 60")
    code = f"from launchers.slurm.commands import Commands; Commands({environment}).ask('sbatch')"
    controller = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[3])
    end = time.monotonic() + 20
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < end
        time.sleep(0.02)
    pid = int((tmp_path / "pid").read_text())
    controller.send_signal(signal.SIGKILL)
    controller.wait()
    while Path(f"/proc/{pid}/stat").exists():
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            break
        assert time.monotonic() < end
        time.sleep(0.02)


def allocation(**variables: str) -> tuple[int, float | None, float | None]:
    found = scheduler({"PATH": "/nonexistent"}).allocation({"SLURM_JOB_ID": "12", **variables})
    return found.cores, found.memory_gb, found.ends_at


def test_an_allocation_is_read_from_the_environment() -> None:
    assert allocation(SLURM_CPUS_ON_NODE="8") == (8, None, None)
    assert allocation(SLURM_CPUS_ON_NODE="8", SLURM_JOB_END_TIME="1795300982")[2] == 1795300982
    assert allocation(SLURM_CPUS_ON_NODE="8", SLURM_MEM_PER_CPU="1000")[1] == pytest.approx(
        8.389, abs=0.001
    )
    assert allocation(SLURM_MEM_PER_NODE="171661")[1] == pytest.approx(180, abs=0.001)
    assert allocation(SLURM_MEM_PER_NODE="0")[1] is None


def test_whole_nodes_give_no_more_cores_than_were_asked_for() -> None:
    assert allocation(SLURM_CPUS_ON_NODE="64", SLURM_NTASKS_PER_NODE="32")[0] == 32
    # As srun starts workers: one task per node with all of its cores.
    one = {"SLURM_NTASKS_PER_NODE": "1", "SLURM_CPUS_PER_TASK": "32"}
    assert allocation(SLURM_CPUS_ON_NODE="64", **one)[0] == 32


def test_outside_a_job_there_is_no_allocation() -> None:
    with pytest.raises(UserError, match="SLURM_JOB_ID is not set"):
        scheduler({}).allocation({})
