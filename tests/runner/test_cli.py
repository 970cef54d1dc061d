"""The `campaign` command as its users meet it: answers, JSON, exit codes, clear mistakes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from runner.cli import main

SPEC = """
version: 1
campaign: cli
project: tests
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca, Na], X: [S]}
filters:
  - {score: charge-neutral, keep: charge_neutral}
stages:
  relax: {engine: toy, task: relax}
  gap: {engine: toy, task: scf, structure: relax, when: relax.value > 260}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MATCAMPAIGN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MATCAMPAIGN_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "spec.yaml").write_text(SPEC)
    return tmp_path


@pytest.fixture
def call(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that runs a command line and returns (exit code, output, errors)."""

    def run(*words: str) -> tuple[int, str, str]:
        spelled = [word.replace("HERE/", f"{here}/") for word in words]
        monkeypatch.setattr(sys, "argv", ["campaign", *spelled])
        with pytest.raises(SystemExit) as exit_:
            main()
        printed = capsys.readouterr()
        return int(exit_.value.code or 0), printed.out, printed.err

    return run


def answer(printed: str, command: str) -> Any:
    envelope = json.loads(printed)
    assert set(envelope) == {"schema_version", "command", "data"}
    assert envelope["schema_version"] == 1
    assert envelope["command"] == command
    return envelope["data"]


def run_process(here: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from runner.cli import main; main()", *words]
    return subprocess.Popen(
        command, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_a_campaign_runs_and_every_command_answers(here: Path, call: Any) -> None:
    code, out, err = call("run", "HERE/spec.yaml")
    assert (code, err) == (0, "")
    assert "CaS" in out
    assert "campaign sql" in out
    code, out, _ = call("run", "HERE/spec.yaml", "--json")
    data = answer(out, "run")
    assert (code, data["exit_code"]) == (0, 0)

    data = answer(call("status", "cli", "--json")[1], "status")
    assert (data["enumerated"], data["survivors"]) == (3, 2)
    assert [(stage["stage"], stage["ok"], stage["skipped"]) for stage in data["stages"]] == [
        ("relax", 2, 0),
        ("gap", 1, 1),
    ]
    assert "charge-neutral" in call("status", "HERE/spec.yaml")[1]

    data = answer(call("results", "cli", "--json")[1], "results")
    rows = [dict(zip(data["columns"], row, strict=True)) for row in data["rows"]]
    assert {(row["formula"], row["stage"], row["outcome"]) for row in rows} == {
        ("MgS", "relax", "ok"),
        ("CaS", "relax", "ok"),
        ("MgS", "gap", "ok"),
        ("CaS", "gap", "skipped"),
    }
    lines = call("results", "cli", "--csv", "--stage", "relax")[1].splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("stage,candidate_id,formula")

    out = call("results", "cli")[1]
    assert "1 result; without one:" in out
    assert "  CaS  gap skipped: relax" in out
    assert "·" not in out

    query = "SELECT formula, value FROM results WHERE stage = 'relax' ORDER BY formula"
    store = str(here / "data" / "store.db")
    code, out, err = call("sql", query, "--store", store, "--json")
    assert (code, err) == (0, "")
    data = answer(out, "sql")
    assert [row[0] for row in data["rows"]] == ["CaS", "MgS"]
    rejected = "SELECT formula, reason FROM screening WHERE verdict = 'reject'"
    assert answer(call("sql", rejected, "--json")[1], "sql")["rows"][0][0] == "NaS"
    assert "FROM" in call("sql", query, "--explain")[1]

    code, out, _ = call("lpad", "get_wflows", "-d", "count")
    assert (code, out.strip()) == (0, "2")
    code, out, _ = call("lpad", "get_wflows", "-q", '{"metadata.campaign": "cli"}', "-d", "ids")
    assert code == 0

    data = answer(call("plan", "HERE/spec.yaml", "--json")[1], "plan")
    assert data["core_hours"]["high"] == 0.0
    assert [stage["known"] for stage in data["stages"]] == [2, 1]


def test_init_lists_and_writes_shipped_campaigns_that_are_valid(here: Path, call: Any) -> None:
    names = [entry["name"] for entry in answer(call("init", "--list", "--json")[1], "init")]
    assert {"silicon", "perovskite"} <= set(names)
    for name in names:
        file = here / f"{name}.yaml"
        assert call("init", name, "--output", str(file))[0] == 0
        assert call("validate", str(file))[0] == 0
    assert (here / "campaign.schema.json").exists()
    code, _, err = call("init", names[0], "--output", str(here / f"{names[0]}.yaml"))
    assert code == 2
    assert "--force" in err


def test_validate_says_all_mistakes_at_once_with_their_lines(here: Path, call: Any) -> None:
    wrong = SPEC.replace("engine: toy, task: relax", "engine: tyo, task: relax")
    (here / "spec.yaml").write_text(wrong.replace("keep: charge_neutral", "keep: charge_neutal"))
    code, out, err = call("validate", "HERE/spec.yaml")
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert len(lines) == 2
    assert "spec.yaml:10: filters[0].keep" in lines[0]
    assert "spec.yaml:12: stages.relax.engine: no engine 'tyo'; did you mean 'toy'?" in lines[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("status", "nothing"), "no store"),
        (("results", "nothing"), "no store"),
        (("validate", "HERE/none.yaml"), "none.yaml"),
        (("init", "perovskit"), "did you mean 'perovskite'"),
        (("sql", "DROP TABLE results"), "SELECT"),
        (("sql", "SELECT 1", "--dialect", "oracle"), "oracle"),
        (("run", "HERE/spec.yaml", "--profile", "nowhere"), "no profile 'nowhere'"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(
    call: Any, words: tuple[str, ...], message: str
) -> None:
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_a_program_that_is_missing_is_said_before_anything_starts(here: Path, call: Any) -> None:
    stage = "engine: espresso, task: scf, pseudopotentials: debian-pbe, ecutwfc_ry: 20"
    spec = SPEC.replace("engine: toy, task: relax", stage).replace("structure: relax, ", "")
    spec = spec.replace("relax.value", "relax.energy_ev")
    (here / "spec.yaml").write_text(spec + "run: {codes: {pw: {command: nowhere.x}}}\n")
    code, _, err = call("run", "HERE/spec.yaml")
    assert code == 2
    assert "stages.relax: no program 'nowhere.x'" in err
    assert not (here / "results").exists()


def test_plan_and_validate_leave_no_files(here: Path, call: Any) -> None:
    before = sorted(here.rglob("*"))
    assert call("validate", "HERE/spec.yaml")[0] == 0
    assert call("plan", "HERE/spec.yaml")[0] == 0
    assert sorted(here.rglob("*")) == before


def test_schema_is_json_schema(call: Any) -> None:
    code, out, _ = call("schema")
    assert code == 0
    assert json.loads(out)["$schema"].startswith("https://json-schema.org/")


def test_doctor_says_what_is_there(call: Any) -> None:
    code, out, _ = call("doctor", "--json")
    checks = answer(out, "doctor")["checks"]
    assert {"cores", "store", "Python"} <= {check["subject"] for check in checks}
    missing = [check for check in checks if check["state"] == "missing"]
    assert code == (2 if missing else 0)
    assert all(check["remedy"] for check in missing)


@pytest.mark.slow
def test_ctrl_c_drains_and_the_next_run_continues(here: Path) -> None:
    spec = SPEC.replace("{engine: toy, task: relax}", "{engine: toy, task: relax, seconds: 3}")
    (here / "spec.yaml").write_text(spec)
    process = run_process(here, "run", "spec.yaml")
    _wait_for_running(here)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 5
    assert "continues" in err
    store = _store(here)
    assert store.attempts.count_documents({"outcome": "ok", "stage": "relax"}) >= 1
    assert store.attempts.count_documents({"outcome": {"$ne": "ok"}}) == 0
    done = run_process(here, "run", "spec.yaml")
    done.communicate(timeout=60)
    assert done.returncode == 0


@pytest.mark.slow
def test_ctrl_c_twice_stops_at_once_and_the_next_run_continues(here: Path) -> None:
    spec = SPEC.replace("{engine: toy, task: relax}", "{engine: toy, task: relax, seconds: 20}")
    (here / "spec.yaml").write_text(spec)
    process = run_process(here, "run", "spec.yaml")
    _wait_for_running(here)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert time.monotonic() - began < 15
    store = _store(here)
    assert {one["outcome"] for one in store.attempts.find({})} == {"interrupted"}
    assert {one["state"] for one in store.fireworks.find({})} == {"READY", "WAITING"}
    (here / "spec.yaml").write_text(SPEC)
    done = run_process(here, "run", "spec.yaml")
    done.communicate(timeout=60)
    assert done.returncode == 0


@pytest.mark.slow
def test_a_second_run_of_the_same_campaign_only_watches(here: Path) -> None:
    spec = SPEC.replace("{engine: toy, task: relax}", "{engine: toy, task: relax, seconds: 6}")
    (here / "spec.yaml").write_text(spec)
    first = run_process(here, "run", "spec.yaml")
    _wait_for_running(here)
    second = run_process(here, "run", "spec.yaml")
    out, _ = second.communicate(timeout=60)
    first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0)
    assert "already running" in out
    assert _store(here).attempts.count_documents({"stage": "relax"}) == 2


def _store(here: Path) -> Any:
    from fireworks_ext.store import open_store

    return open_store(str(here / "data" / "store.db"))


def _wait_for_running(here: Path) -> None:
    """Wait until a program runs."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if list((here / "data").glob("artefacts/*/*/*/toy.out")):
            return
        time.sleep(0.05)
    raise AssertionError("no program was started")
