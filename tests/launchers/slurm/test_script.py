from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from launchers.slurm import SlurmParams
from launchers.slurm.script import script
from schemas.errors import UserError
from schemas.queue import JobRequest, JobShape

GOLDEN = Path(__file__).parent / "golden"
FOLDER = Path("/shared/exchange/perovskites/jobs/perovskites-1")
COMMAND = ("/shared/venv/bin/python", "-m", "runner.pilot", "/shared/exchange/perovskites")
SMALL = {"tasks_per_node": 4, "walltime_min": 60}


def request(params: SlurmParams, **changes: Any) -> JobRequest:
    values = {
        "name": "perovskites-1",
        "shape": params.shape,
        "command": (*COMMAND, "perovskites-1"),
        "folder": FOLDER,
    }
    return JobRequest(**{**values, **changes})


def case(settings: dict[str, Any], **changes: Any) -> tuple[SlurmParams, JobRequest]:
    params = SlurmParams.model_validate(settings)
    return params, request(params, **changes)


CASES = {
    "smallest": case(SMALL),
    "site": case(
        {
            "partition": "compute",
            "account": "abc123",
            "qos": "long",
            "constraint": "[rack1|rack2]&ib",
            "reservation": "course",
            "tasks_per_node": 32,
            "memory_gb": 180,
            "walltime_min": 240.5,
            "mail": {"user": "me@example.org", "events": ["fail", "time_limit_80"]},
            "setup": ["module load openmpi/4.1.4", "export ESPRESSO_PSEUDO='/shared/my pseudo'"],
            "requeue": False,
            "extra": ["--licenses=vasp:1", "--nice=100"],
        }
    ),
    "whole-node": case({**SMALL, "exclusive": True}),
    "gpus": case({**SMALL, "gres": "gpu:a100:4", "partition": "gpu"}),
    "several-nodes": case(
        {**SMALL, "nodes_per_job": 3, "srun": {"flags": ["--network=sn_all", "--label"]}}
    ),
    "one-large-calculation": case(
        SMALL,
        per_node=False,
        shape=JobShape(nodes=8, cores=64, memory_gb=250, walltime_min=720),
    ),
    "array": case({**SMALL, "arrays": True}, count=5),
    "container": case(
        {
            **SMALL,
            "nodes_per_job": 2,
            "container": {
                "image": "/shared/images/espresso.sif",
                "binds": ["/shared:/shared", "/scratch of mine:/scratch"],
                "flags": ["--cleanenv"],
            },
        }
    ),
    "odd-folder": case(SMALL, folder=Path("/shared/50% of this; (mine) #1/perovskites-1")),
}


@pytest.mark.parametrize("name", CASES)
def test_the_batch_script_is_the_golden_one(name: str) -> None:
    assert script(*CASES[name]) == (GOLDEN / f"{name}.sh").read_text()


def test_every_golden_script_has_its_test() -> None:
    assert {path.stem for path in GOLDEN.glob("*.sh")} == set(CASES)


def test_shellcheck_has_nothing_to_say_about_the_golden_scripts() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    scripts = sorted(str(path) for path in GOLDEN.glob("*.sh"))
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0


@pytest.mark.parametrize("folder", ["/shared/it's", '/shared/"a"', "/a\\b", "/a\nb", "relative"])
def test_a_folder_that_sbatch_cannot_be_told_is_refused(folder: str) -> None:
    with pytest.raises(UserError, match=r"launcher\.exchange: found the folder"):
        script(*case(SMALL, folder=Path(folder)))


def test_words_of_a_command_reach_it_as_they_are(tmp_path: Path) -> None:
    words = ("$HOME", "a b", "`id`", "it's", '"', "*", "", "\\", "a\nb")
    params = SlurmParams.model_validate(SMALL)
    show = ("python3", "-c", "import json, sys; print(json.dumps(sys.argv[1:]))")
    asked = request(params, folder=tmp_path, command=(*show, *words))
    done = subprocess.run(
        ["bash", "-c", script(params, asked)], capture_output=True, check=True, text=True
    )
    assert tuple(json.loads(done.stdout)) == words


class Job:
    """A batch script that runs without Slurm."""

    def __init__(self, folder: Path, command: str, **settings: Any) -> None:
        params = SlurmParams.model_validate({**SMALL, **settings})
        asked = request(params, folder=folder, command=("bash", "-c", command))
        path = folder / "job.sh"
        path.write_text(script(params, asked))
        self.folder = folder
        environ = {**os.environ, "SLURM_JOB_ID": "12"}
        environ.pop("SLURM_RESTART_COUNT", None)
        self.process = subprocess.Popen(["bash", path], env=environ, start_new_session=True)

    def until(self, name: str) -> None:
        end = time.monotonic() + 20
        while not (self.folder / name).exists():
            assert time.monotonic() < end, f"no {name}"
            time.sleep(0.01)

    def end(self) -> int:
        code = self.process.wait(20)
        record = json.loads((self.folder / "ended-12-0.json").read_text())
        assert record["exit"] == code
        assert abs(record["at"] - time.time()) < 60
        assert not list(self.folder.glob("*.new"))
        return code


@pytest.mark.parametrize("code", [0, 7, 137])
def test_the_record_and_the_job_end_with_the_workers_exit_code(tmp_path: Path, code: int) -> None:
    assert Job(tmp_path, f"exit {code}").end() == code


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_a_signal_is_passed_on_and_the_workers_end_awaited(tmp_path: Path, number: int) -> None:
    name = signal.Signals(number).name.removeprefix("SIG")
    told = f"trap 'sleep 0.3; touch {tmp_path}/saved; exit 5' {name}"
    job = Job(tmp_path, f"{told}; touch {tmp_path}/began; while :; do sleep 0.05; done")
    job.until("began")
    job.process.send_signal(number)
    assert job.end() == 5
    assert (tmp_path / "saved").exists()


def test_many_signals_do_not_change_the_exit_code(tmp_path: Path) -> None:
    ignoring = "trap : USR1; for i in {1..20}; do sleep 0.02; done; exit 9"
    job = Job(tmp_path, f"touch {tmp_path}/began; {ignoring}")
    job.until("began")
    time.sleep(0.1)
    while job.process.poll() is None:
        job.process.send_signal(signal.SIGUSR1)
        time.sleep(0.002)
    assert job.end() == 9


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_after_a_signal_during_setup_nothing_starts(tmp_path: Path, number: int) -> None:
    setup = [f"touch {tmp_path}/began", "sleep 0.5"]
    job = Job(tmp_path, f"touch {tmp_path}/ran", setup=setup)
    job.until("began")
    job.process.send_signal(number)
    assert job.end() == 0
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("setup", "code"),
    [(["exit 3"], 3), (["set -e", "false"], 1), (["set -u", 'echo "$not_set_anywhere"'], 1)],
)
def test_setup_that_fails_leaves_a_record(tmp_path: Path, setup: list[str], code: int) -> None:
    assert Job(tmp_path, f"touch {tmp_path}/ran", setup=setup).end() == code
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("setup", "code", "said"),
    [
        (["true", "no_such_program --at all", "touch ran"], 127, "no_such_program --at all"),
        (["source /nowhere/activate"], 1, "source /nowhere/activate"),
        (["set -eu", "false && true; false"], 1, "false && true; false"),
        (["if true; then", "(exit 9)", "fi"], 9, "fi"),
        (["if true; then", "touch ran"], 2, "if true; then"),
    ],
)
def test_the_first_command_of_setup_that_fails_ends_the_job_and_is_named(
    tmp_path: Path, setup: list[str], code: int, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert Job(tmp_path, f"touch {tmp_path}/ran", setup=setup).end() == code
    assert not (tmp_path / "ran").exists()
    errors = capfd.readouterr().err
    assert f"launcher.setup ended with code {code} in: " in errors
    assert said in errors


def test_setup_changes_the_shell_in_which_the_worker_starts(tmp_path: Path) -> None:
    (tmp_path / "activate").write_text("export SOURCED=1\n")
    setup = [
        "module() { export MODULE=$2; }",
        "module load 'one of mine'",
        f"source {tmp_path}/activate",
        "export QUOTED='a  b'",
        "for number in 1 2; do",
        "    # a loop of several lines",
        "    export NUMBER_$number=$number",
        "done",
        "cat >/dev/null <<END",
        "one line",
        "END",
        "case $MODULE in",
        "    one*) export CASE=1 ;;",
        "esac",
    ]
    names = ("MODULE", "SOURCED", "QUOTED", "NUMBER_2", "CASE")
    show = "".join(f'echo "${name}" >>{tmp_path}/seen; ' for name in names)
    assert Job(tmp_path, show, setup=setup).end() == 0
    assert (tmp_path / "seen").read_text().splitlines() == ["one of mine", "1", "a  b", "2", "1"]


def test_setups_strict_modes_do_not_hide_the_workers_exit_code(tmp_path: Path) -> None:
    assert Job(tmp_path, "exit 4", setup=["set -euo pipefail"]).end() == 4
