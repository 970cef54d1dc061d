"""The commands about failures as their users meet them: answers, JSON, exit codes, mistakes."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from schemas.clock import utc_now

RECORDED = Path(__file__).parents[1] / "recorded" / "espresso-6.7"
SPEC = """
version: 1
campaign: cli
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca], X: [S]}
stages:
  relax: {engine: toy, task: relax, needs_gb: 8}
  gap: {engine: toy, task: scf, structure: relax}
"""


def answer(call: Any, *words: str) -> Any:
    code, out, err = call(*words, "--json")
    assert (code, err) == (0, "")
    envelope = json.loads(out)
    assert (envelope["schema_version"], envelope["command"]) == (1, words[0])
    return envelope["data"]


def test_from_a_failure_to_its_repair_by_what_the_commands_say(bench: Any, call: Any) -> None:
    run = bench.prepare(SPEC)
    bench.work_off(run)
    code, out, err = call("failures", "cli")
    assert (code, err) == (0, "")
    assert "out_of_memory: 2. There was not enough memory." in out
    assert "blocks   2 stages below" in out
    assert "example  MgS relax: out of memory: 8 GB wanted" in out
    (command,) = [line.strip() for line in out.splitlines() if line.startswith("  $ ")]
    assert command == "$ campaign retry cli --cause out_of_memory --set resources.memory_gb=64"
    assert answer(call, "failures", "cli")["groups"][0]["commands"] == [command[2:]]

    words = shlex.split(command)[2:]
    assert answer(call, *words, "--dry-run")["count"] == 2
    code, out, err = call(*words)
    assert (code, err) == (0, "")
    assert "MgS" in out
    assert "resources.memory_gb=64" in out
    assert "2 are on their way again; 2 stages below wait for them" in out
    assert f"next: campaign run {bench.folder / 'spec.yaml'}" in out
    bench.run(SPEC)
    assert "nothing of cli has failed" in call("failures", "cli")[1]
    assert answer(call, *words)["count"] == 0

    code, out, err = call("logs", "cli", "MgS", "--files")
    assert (code, err) == (0, "")
    assert "set by `campaign retry`: resources.memory_gb=64" in out
    assert "attempt 1  failed  exit code 1" in out
    assert "attempt 2  ok  exit code 0" in out
    assert "-- input: in.json" in out
    data = answer(call, "logs", "cli", "MgS", "relax")
    assert [one["outcome"] for one in data["stages"][0]["attempts"]] == ["failed", "ok"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("failures", "none"), "no campaign 'none' in the store"),
        (("retry", "none"), "no campaign 'none' in the store"),
        (("retry", "cli", "--cause", "memory"), "no failure 'memory'"),
        (("retry", "cli", "--set", "resources.memory_gb=lots"), "found 'lots', expected a number"),
        (("retry", "cli", "--set", "x=3"), "that is another calculation"),
        (("retry", "cli", "--set", "nonsense"), "expected PATH=VALUE"),
        (("retry", "cli", "--candidate", "ZnO"), "no candidate 'ZnO'"),
        (("logs", "cli", "ZnO"), "no candidate 'ZnO'; a candidate is named by its formula"),
        (("logs", "cli", ""), "'' begins 2 candidates"),
        (("logs", "cli", "MgS", "rlax"), "did you mean 'relax'?"),
        (("logs", "cli", "MgS", "--attempt", "9"), "no attempt 9; there are: 1"),
        (("diagnose", "/nowhere"), "/nowhere: cannot be read"),
        (("diagnose", "/dev/null"), "/dev/null"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(
    bench: Any, call: Any, words: tuple[str, ...], message: str
) -> None:
    bench.work_off(bench.prepare(SPEC))
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert message in err


def test_logs_show_what_recovery_changed_and_where_a_run_went_on(bench: Any, call: Any) -> None:
    run = bench.prepare(SPEC)
    bench.work_off(run)
    changes = {
        "corrections": [
            {
                "failure": "scf_not_converged",
                "action": "slower mixing",
                "parameter": "mixing_beta",
                "before": 0.4,
                "after": 0.2,
            }
        ],
        "continued": "attempt 1, its last step",
        "checkpoints": [
            {"name": name, "taken_at": utc_now(), "seconds": 1.5, "bytes": 2_500_000}
            for name in "12345"
        ],
    }
    run.store.attempts.update_many({}, {"$set": changes})
    code, out, err = call("logs", "cli", "MgS", "relax")
    assert (code, err) == (0, "")
    (row,) = [line.split() for line in out.splitlines() if "slower mixing" in line]
    assert row == ["scf_not_converged", "slower", "mixing", "mixing_beta", "0.4", "0.2"]
    assert "continued from attempt 1, its last step" in out
    assert out.count("2.5 MB, took 1.5 s") == 3
    assert "2 earlier checkpoints" in out
    assert "checkpoint 5 at" in out
    assert "checkpoint 2 at" not in out


def test_a_run_with_warnings_alone_is_not_said_to_be_without_fault(call: Any) -> None:
    code, out, err = call("diagnose", str(RECORDED / "magnetic-collapse"))
    assert (code, err) == (0, "")
    assert "magnetic-collapse: worked, with warnings (espresso)" in out
    assert "warning: magnetic_collapse" in out
    assert "nothing went wrong (espresso)" in call("diagnose", str(RECORDED / "good-iron"))[1]


@pytest.mark.parametrize("command", ["failures", "retry", "logs", "diagnose"])
def test_the_help_of_a_command_has_an_example_or_says_what_comes_next(
    call: Any, command: str
) -> None:
    code, out, _ = call(command, "--help")
    assert code == 0
    assert "campaign" in out.partition("Options:")[0].partition("\n")[2]
