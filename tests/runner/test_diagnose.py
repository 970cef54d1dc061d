"""`campaign diagnose`: any folder, no store, a clear exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner.diagnose import diagnose
from schemas.errors import UserError

RUNS = Path(__file__).parent.parent / "fireworks_ext" / "engines" / "espresso" / "runs"


def call(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from runner.cli import main; main()", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_a_failed_run_ends_with_3_and_names_the_cause_first(tmp_path: Path) -> None:
    done = call("diagnose", str(RUNS / "scf-not-converged"), "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (3, "")
    answer = json.loads(done.stdout)
    assert answer["command"] == "diagnose"
    first, *others = answer["data"]["failures"]
    assert (first["name"], first["severity"]) == ("scf_not_converged", "cause")
    assert {one["severity"] for one in others} <= {"beside"}
    assert first["meaning"] == "Self-consistency was not reached."
    assert list(tmp_path.iterdir()) == []


def test_a_good_run_ends_with_0(tmp_path: Path) -> None:
    done = call("diagnose", str(RUNS / "ok-scf"), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing went wrong" in done.stdout


def test_what_is_no_run_directory_ends_with_2(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("hello")
    for place in (tmp_path, tmp_path / "none", tmp_path / "note.txt"):
        with pytest.raises(UserError, match=str(place)):
            diagnose(place)
    done = call("diagnose", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "no output of a program that an engine knows" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_directory_of_a_campaign_is_told_with_its_commands(bench: Any) -> None:
    spec = """
    version: 1
    campaign: told
    space:
      - kind: prototype
        prototype: rocksalt
        species: {A: [Mg], X: [S]}
    stages:
      relax: {engine: toy, task: relax, needs_gb: 8}
    """
    run = bench.prepare(spec)
    bench.work_off(run)
    (attempt,) = run.store.attempts.find({})
    (failure,) = diagnose(Path(attempt["directory"])).failures
    assert failure.name == "out_of_memory"
    assert "campaign retry told --cause out_of_memory" in failure.advice
    (Path(attempt["directory"]) / "order.json").unlink()
    (failure,) = diagnose(Path(attempt["directory"])).failures
    assert failure.advice == ""
