"""`campaign worker`, `hand-over` and `ingest` as their users meet them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from consistency import assert_consistent

from fireworks_ext import leases
from fireworks_ext.folders.offline import RESULT, stages
from fireworks_ext.processes import Process, this_process
from fireworks_ext.worker.loop import folder_name
from fireworks_ext.worker.outbox import keep
from runner import workers
from runner.control import controller_lease
from schemas.errors import UserError

SPEC = """
version: 1
campaign: cli
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca], X: [S]}
stages:
  relax: {engine: toy, task: relax, seconds: SECONDS}
  gap: {engine: toy, task: scf, structure: relax}
"""
ELSEWHERE = Process(host="elsewhere", pid=1, started=1)
LONGEST_S = 60.0


def spec(seconds: float = 0.0) -> str:
    return SPEC.replace("SECONDS", str(seconds))


def started(bench: Any, *words: str) -> subprocess.Popen[str]:
    program = [sys.executable, "-c", "from runner.cli import main; main()", *words]
    return subprocess.Popen(
        program,
        cwd=bench.folder,
        env={**os.environ, **bench.environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer(printed: str, command: str) -> Any:
    envelope = json.loads(printed)
    assert (envelope["schema_version"], envelope["command"]) == (1, command)
    return envelope["data"]


def until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def a_program_runs(bench: Any) -> bool:
    return bool(list((bench.folder / "data").glob("artefacts/*/*/*/toy.out")))


def entries(store: Any) -> Counter[str]:
    return Counter(
        entry["state"] for one in store.candidates.find({}) for entry in one["stages"].values()
    )


def outcomes(store: Any) -> Counter[str]:
    return Counter(one["outcome"] for one in store.attempts.find({}))


@pytest.mark.slow  # 8 s: it is a pool of processes
@pytest.mark.parametrize("names", [["cli"], []])
def test_workers_do_what_a_campaign_that_nobody_controls_has_ready(
    bench: Any, call: Any, names: list[str]
) -> None:
    run = bench.prepare(spec())
    code, out, err = call("worker", *names, "--until-settled", "--json")
    assert (code, err) == (0, "")
    assert answer(out, "worker") == {"campaigns": names, "exit_code": 0}
    assert entries(run.store) == {"ok": 4}
    assert outcomes(run.store) == {"ok": 4}
    assert not list((bench.folder / "data" / "launches").iterdir())
    assert_consistent(run.store)


def test_workers_deliver_first_what_earlier_ones_could_not(
    bench: Any, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.prepare(spec())
    travel = bench.folder / "travel"
    workers.hand_over(run.store, "cli", travel, 2)
    ended: list[Any] = []
    workers.work_offline(travel, ended.append)
    gone = this_process().model_copy(update={"started": 1})
    for one in ended:
        keep(bench.folder / "data" / "launches" / folder_name(gone), one)

    def nothing(*_: object, **__: object) -> None:
        raise UserError("no pool is wanted here")

    monkeypatch.setattr(workers, "Pool", nothing)
    assert call("worker", "cli")[0] == 2
    assert entries(run.store) == {"ok": 2, "ready": 2}


@pytest.mark.slow  # 10 s
def test_workers_stay_until_another_process_has_settled_its_campaign(bench: Any) -> None:
    bench.write(spec(1.0))
    controller = started(bench, "run", "spec.yaml")
    until(lambda: a_program_runs(bench))
    worker = started(bench, "worker", "cli", "--until-settled")
    controller.communicate(timeout=LONGEST_S)
    assert controller.returncode == 0
    _, err = worker.communicate(timeout=LONGEST_S)
    assert (worker.returncode, err) == (0, "")
    run = bench.prepare(spec(1.0))
    assert entries(run.store) == {"ok": 4}
    assert outcomes(run.store) == {"ok": 4}


@pytest.mark.slow  # 10 s
def test_a_run_without_workers_settles_what_others_compute(bench: Any) -> None:
    bench.write(spec())
    control = started(bench, "run", "spec.yaml", "--no-workers", "--json")
    store = Path(bench.folder / "data" / "store.db")
    until(store.exists)
    worker = started(bench, "worker")
    printed, _ = control.communicate(timeout=LONGEST_S)
    assert control.returncode == 0, printed
    assert answer(printed, "run")["status"]["state"] == "settled"
    worker.send_signal(signal.SIGINT)
    worker.communicate(timeout=LONGEST_S)
    assert worker.returncode == 5


def test_workers_do_not_leave_a_campaign_that_is_controlled_and_has_nothing_ready(
    bench: Any,
) -> None:
    run = bench.prepare(spec())
    bench.work_off(run)
    lease = leases.acquire(run.store, controller_lease("cli"), ELSEWHERE)
    assert lease
    assert not workers._are_settled(run.store, ["cli"])
    leases.release(run.store, lease)
    assert workers._are_settled(run.store, ["cli"])


@pytest.mark.slow  # 9 s
def test_ctrl_c_finishes_what_runs_and_leaves(bench: Any) -> None:
    run = bench.prepare(spec(3.0))
    worker = started(bench, "worker", "cli")
    until(lambda: a_program_runs(bench))
    worker.send_signal(signal.SIGINT)
    _, err = worker.communicate(timeout=LONGEST_S)
    assert (worker.returncode, err) == (5, "")
    assert set(outcomes(run.store)) == {"ok"}
    assert entries(run.store)["ready"] >= 1
    assert_consistent(run.store)


@pytest.mark.slow  # 9 s
def test_ctrl_c_twice_stops_at_once_and_others_go_on(bench: Any) -> None:
    run = bench.prepare(spec(30.0))
    worker = started(bench, "worker", "cli")
    until(lambda: a_program_runs(bench))
    worker.send_signal(signal.SIGINT)
    time.sleep(0.3)
    worker.send_signal(signal.SIGINT)
    _, err = worker.communicate(timeout=25.0)
    assert (worker.returncode, err) == (130, "")
    assert set(outcomes(run.store)) == {"interrupted"}
    assert entries(run.store) == {"ready": 2, "waiting": 2}
    assert_consistent(run.store)


def test_stages_travel_as_files_by_three_commands(bench: Any, call: Any, tmp_path: Path) -> None:
    run = bench.prepare(spec())
    travel = str(tmp_path / "travel")
    code, out, err = call("hand-over", "cli", travel, "--stages", "1")
    assert (code, out, err) == (0, "", f"1 stages in {travel}\n")
    code, out, _ = call("hand-over", "cli", travel, "--json")
    data = answer(out, "hand-over")
    assert (code, data["ended"]) == (0, [])
    assert [Path(one).parent for one in data["folders"]] == [Path(travel)]
    code, out, err = call("worker", "--offline", travel)
    assert (code, out) == (0, "2 stages ended: 2 known\n")
    assert sorted(err.splitlines()) == ["CaS relax: known", "MgS relax: known"]
    code, out, _ = call("ingest", travel, "--json")
    ended = answer(out, "ingest")
    assert {(one["formula"], one["stage"], one["ending"]) for one in ended} == {
        ("CaS", "relax", "known"),
        ("MgS", "relax", "known"),
    }
    assert call("ingest", travel)[:2] == (0, "no stage ended\n")
    call("hand-over", "cli", travel)
    code, out, err = call("worker", "--offline", travel, "--json")
    assert (code, err) == (0, "")
    assert {one["stage"] for one in answer(out, "worker")} == {"gap"}
    call("ingest", travel)
    assert entries(run.store) == {"ok": 4}
    assert_consistent(run.store)


@pytest.mark.slow  # 6 s
def test_who_hands_over_and_waits_takes_results_in_as_they_come(bench: Any, call: Any) -> None:
    run = bench.prepare(spec())
    travel = str(bench.folder / "travel")
    waiting = started(bench, "hand-over", "cli", travel, "--wait", "--json")
    until(lambda: len(stages(Path(travel))) == 2)
    assert call("worker", "--offline", travel)[0] == 0
    out, err = waiting.communicate(timeout=LONGEST_S)
    assert (waiting.returncode, err) == (0, "")
    data = answer(out, "hand-over")
    assert (len(data["folders"]), len(data["ended"])) == (2, 2)
    assert entries(run.store) == {"ok": 2, "ready": 2}
    assert not list(Path(travel).iterdir())


@pytest.mark.slow  # 5 s
def test_ctrl_c_leaves_what_was_handed_over_where_it_is(bench: Any, call: Any) -> None:
    run = bench.prepare(spec())
    travel = str(bench.folder / "travel")
    waiting = started(bench, "hand-over", "cli", travel, "--wait")
    until(lambda: len(stages(Path(travel))) == 2)
    time.sleep(0.5)
    waiting.send_signal(signal.SIGINT)
    waiting.communicate(timeout=LONGEST_S)
    assert waiting.returncode == 5
    call("worker", "--offline", travel)
    call("ingest", travel)
    assert entries(run.store) == {"ok": 2, "ready": 2}


@pytest.mark.slow  # 6 s
def test_an_offline_worker_that_is_stopped_gives_its_stage_back(bench: Any, call: Any) -> None:
    run = bench.prepare(spec(2.0))
    travel = str(bench.folder / "travel")
    call("hand-over", "cli", travel, "--stages", "1")
    worker = started(bench, "worker", "--offline", travel, "--json")
    until(lambda: a_program_runs(bench))
    time.sleep(0.2)
    worker.send_signal(signal.SIGTERM)
    out, err = worker.communicate(timeout=15.0)
    assert (worker.returncode, err) == (130, "")
    assert [one["ending"] for one in answer(out, "worker")] == ["interrupted"]
    assert answer(call("ingest", travel, "--json")[1], "ingest")[0]["ending"] == "interrupted"
    assert entries(run.store) == {"ready": 2, "waiting": 2}
    assert outcomes(run.store) == {"interrupted": 1}
    assert_consistent(run.store)
    call("hand-over", "cli", travel)
    call("worker", "--offline", travel)
    call("ingest", travel)
    assert outcomes(run.store) == {"interrupted": 1, "ok": 2}
    assert entries(run.store) == {"ok": 2, "ready": 2}


@pytest.mark.slow  # 6 s
def test_ctrl_c_lets_an_offline_worker_finish_what_it_computes(bench: Any, call: Any) -> None:
    bench.prepare(spec(2.0))
    travel = str(bench.folder / "travel")
    call("hand-over", "cli", travel)
    worker = started(bench, "worker", "--offline", travel, "--json")
    until(lambda: a_program_runs(bench))
    worker.send_signal(signal.SIGINT)
    out, err = worker.communicate(timeout=15.0)
    assert (worker.returncode, err) == (5, "")
    assert [one["ending"] for one in answer(out, "worker")] == ["known"]
    assert [(place / RESULT).exists() for place in stages(Path(travel))].count(True) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("worker", "nobody"), "nobody"),
        (("worker", "cli", "nobody", "--until-settled", "--json"), "nobody"),
        (("worker", "--offline", "nowhere"), "nowhere: no such folder"),
        (("hand-over", "nobody", "travel"), "nobody"),
        (("ingest", "nowhere"), "nowhere: no such folder"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(
    bench: Any, call: Any, words: tuple[str, ...], message: str
) -> None:
    bench.prepare(spec())
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert not Path("travel").exists()


@pytest.mark.parametrize("words", [("hand-over", "cli", "travel"), ("ingest", ".")])
def test_without_a_store_that_is_said(call: Any, words: tuple[str, ...]) -> None:
    code, _, err = call(*words)
    assert code == 2
    assert "no store" in err


def test_a_folder_takes_neither_campaigns_nor_an_end(bench: Any, call: Any) -> None:
    """They were ignored silently: whoever gave them believed in them."""
    travel = bench.folder / "travel"
    travel.mkdir()
    code, out, err = call("worker", "cli", "--offline", str(travel), "--until-settled")
    assert (code, out) == (2, "")
    assert "NAMES" in err
    assert "--until-settled" in err
    assert call("worker", "--offline", str(travel), "--until-settled")[0] == 2
    assert call("worker", "cli", "--offline", str(travel))[0] == 2
    assert call("worker", "--offline", str(travel))[0] == 0
