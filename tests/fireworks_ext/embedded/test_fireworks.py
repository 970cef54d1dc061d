"""Stock FireWorks on the store: its commands, its workers, and workers that are killed."""

import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fireworks.core.launchpad
import fireworks.fw_config
import pytest
from fireworks import Firework, LaunchPad, Workflow
from fireworks.user_objects.firetasks.script_task import ScriptTask
from fireworks.utilities import filepad

from fireworks_ext.embedded import EmbeddedClient, activate, open_launchpad
from schemas.errors import UserError

pytestmark = pytest.mark.filterwarnings("ignore")  # FireWorks' own
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give FireWorks its client back after each test."""
    for module in (fireworks.fw_config, fireworks.core.launchpad, filepad):
        monkeypatch.setattr(module, "MongoClient", module.MongoClient)


@pytest.fixture
def launchpad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LaunchPad:
    monkeypatch.chdir(tmp_path)  # FireWorks' rockets work in, and return to, the current one
    found = open_launchpad(tmp_path / "store.db")
    found.reset("", require_password=False)
    found.to_file(str(tmp_path / "lp.yaml"))
    return found


def echo(name: str) -> Firework:
    return Firework(ScriptTask.from_str(f"echo {name}"), name=name)


DRIVER = """
import contextlib, io, json, sys
from fireworks_ext.embedded import activate
activate(sys.argv[1])
from fireworks.scripts.lpad_run import lpad
from fireworks.scripts.rlaunch_run import rlaunch
printed = []
for program, *arguments in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        {"lpad": lpad, "rlaunch": rlaunch}[program](["-l", sys.argv[2], "-s", *arguments])
    printed.append(out.getvalue())
print()
print(json.dumps(printed))
"""


def commanded(tmp_path: Path, *commands: str) -> list[Any]:
    """Run stock commands in one process; return what each prints, read as JSON if it is."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(tmp_path / "store.db"), str(tmp_path / "lp.yaml")],
        input=json.dumps([shlex.split(command) for command in commands]),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [read(text) for text in json.loads(done.stdout.splitlines()[-1])]


def read(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def test_activation_is_repeatable_and_switches(tmp_path: Path) -> None:
    one = open_launchpad(tmp_path / "one.db", "campaigns")
    one.reset("", require_password=False)
    activate(tmp_path / "one.db")
    one.add_wf(echo("a"))
    assert LaunchPad(host="db.example.org", name="campaigns").get_fw_ids() == [1]
    assert open_launchpad(tmp_path / "two.db", "campaigns").get_fw_ids() == []
    assert one.get_fw_ids() == [1]
    (tmp_path / "directory").mkdir()
    with pytest.raises(UserError, match="is a directory"):
        activate(tmp_path / "directory")


def test_filepad_uses_the_store_too(tmp_path: Path) -> None:
    activate(tmp_path / "store.db")
    pad = filepad.FilePad(name="files")
    (tmp_path / "x.txt").write_text("content" * 1000)
    pad.add_file(str(tmp_path / "x.txt"), identifier="x")
    content, _ = pad.get_file("x")
    assert content.decode() == "content" * 1000


@pytest.mark.slow
def test_lists_are_printed_in_the_order_asked_for(tmp_path: Path, launchpad: LaunchPad) -> None:
    for name in ("first", "second", "third"):
        launchpad.add_wf(Workflow([echo(name)], name=name, metadata={"campaign": name}))
    _, created, updated, reverse, wflows, found, number, one = commanded(
        tmp_path,
        "rlaunch singleshot -f 2",  # makes one updated_on a date, where the others are texts
        "lpad get_fws --sort created_on",
        "lpad get_fws --sort updated_on",
        "lpad get_fws --rsort updated_on",
        "lpad get_wflows --rsort created_on",
        """lpad get_wflows -q '{"metadata.campaign": "second"}'""",
        "lpad get_fws -s READY -d count",
        "lpad get_fws -i 3",
    )
    assert [fw["name"] for fw in created] == ["first", "second", "third"]
    assert [fw["name"] for fw in updated] == ["first", "third", "second"]
    assert [fw["name"] for fw in reverse] == ["second", "third", "first"]
    assert [wf["name"].split("-")[0] for wf in wflows] == ["third", "second", "first"]
    assert found["name"].startswith("second")
    assert number == 2
    assert (one["name"], one["state"]) == ("third", "READY")


@pytest.mark.slow
def test_states_are_changed_by_the_stock_commands(tmp_path: Path, launchpad: LaunchPad) -> None:
    parent, child = echo("p"), echo("c")
    ids = launchpad.add_wf(Workflow([parent, child], {parent: [child]}))
    one, two = (ids[old] for old in sorted(ids, reverse=True))  # as given: -1, -2
    if launchpad.get_fw_dict_by_id(one)["name"] == "c":
        one, two = two, one
    printed = commanded(
        tmp_path,
        *(
            line.format(one=one)
            for command in (
                "lpad pause_fws -i {one}",
                "lpad resume_fws -i {one}",
                "lpad defuse_fws -i {one}",
                "lpad reignite_fws -i {one}",
                "rlaunch singleshot",
                "lpad rerun_fws -i {one}",
                "lpad pause_wflows -i {one}",
            )
            for line in (command, "lpad get_fws")
        ),
    )
    states = [{fw["fw_id"]: fw["state"] for fw in fws} for fws in printed[1::2]]
    assert [state[one] for state in states] == [
        "PAUSED",
        "READY",
        "DEFUSED",
        "READY",
        "COMPLETED",
        "READY",
        "PAUSED",
    ]
    assert [states[step][two] for step in (4, 5)] == ["READY", "WAITING"]
    commanded(
        tmp_path,
        f"lpad set_priority 7 -i {one}",
        f"""lpad update_fws -i {one} -u '{{"x": 1}}'""",
        f"lpad defuse_wflows -i {one}",
        f"lpad reignite_wflows -i {one}",
        f"lpad archive_wflows -i {one}",
    )
    document = launchpad.get_fw_dict_by_id(one)
    assert document["state"] == "ARCHIVED"
    assert (document["spec"]["_priority"], document["spec"]["x"]) == (7, 1)
    commanded(tmp_path, f"lpad delete_wflows -i {one}")
    assert launchpad.get_fw_ids() == []


@pytest.mark.slow
def test_lost_runs_and_stale_reservations_are_found(tmp_path: Path, launchpad: LaunchPad) -> None:
    launchpad.add_wf(echo("lost"))
    launchpad.add_wf(echo("reserved"))
    program = (  # in another process: FireWorks imports its own tests while it looks for tasks
        "import sys; from fireworks import FWorker;"
        "from fireworks_ext.embedded import open_launchpad;"
        "launchpad = open_launchpad(sys.argv[1]);"
        "launchpad.checkout_fw(FWorker(), '/', fw_id=1);"
        "launchpad.reserve_fw(FWorker(), '/', fw_id=2)"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "store.db")], check=True, cwd=ROOT
    )
    assert set(launchpad.fireworks.distinct("state")) == {"RUNNING", "RESERVED"}
    time.sleep(1.1)
    commanded(
        tmp_path,
        "lpad detect_lostruns --time 1 --fizzle --refresh",
        "lpad detect_unreserved --time 1 --rerun",
    )
    assert launchpad.get_fw_dict_by_id(1)["state"] == "FIZZLED"
    assert launchpad.get_fw_dict_by_id(2)["state"] == "READY"


@pytest.mark.slow
def test_other_stock_commands_run(tmp_path: Path, launchpad: LaunchPad) -> None:
    launchpad.add_wf(echo("a"))
    launchpad.add_wf(Firework(ScriptTask.from_str("false", {"fizzle_bad_rc": True}), name="b"))
    printed = commanded(
        tmp_path,
        "rlaunch rapidfire",
        "lpad report",
        "lpad introspect",
        "lpad admin tuneup",
        "lpad admin tuneup --full",
        "lpad admin unlock -i 1",
        "lpad admin refresh -i 1",
        "lpad get_launchdir 1",
        "lpad track_fws -i 1",
        "lpad get_fws_in_wflows -wfi 1",
        "lpad get_fws -d count",
    )
    assert "COMPLETED" in printed[1]
    assert "FIZZLED" in printed[1]
    assert "launcher_" in str(printed[7])
    assert printed[10] == 2


WORKER = """
import sys
from fireworks_ext.embedded import activate
activate(sys.argv[1])
from fireworks.scripts.rlaunch_run import rlaunch
rlaunch(["-l", sys.argv[2], "-s", "rapidfire", "--nlaunches", "0", "--sleep", "1"])
"""


def worker(tmp_path: Path, number: int) -> subprocess.Popen[bytes]:
    directory = tmp_path / f"worker{number}"
    directory.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path / "store.db"), str(tmp_path / "lp.yaml")],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def logging_workflows(launchpad: LaunchPad, log: Path, number: int) -> None:
    """Add workflows of two fireworks that each write a line when they run."""
    workflows = []
    for one in range(number):
        parent, child = (
            Firework(ScriptTask.from_str(f"echo {one}{part} >> {log}"), name=f"{one}{part}")
            for part in "pc"
        )
        workflows.append(Workflow([parent, child], {parent: [child]}))
    launchpad.bulk_add_wfs(workflows)


def integrity(path: Path) -> str:
    with EmbeddedClient(path).file.reading() as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


@pytest.mark.slow
def test_four_workers_run_each_firework_exactly_once(tmp_path: Path, launchpad: LaunchPad) -> None:
    log = tmp_path / "log"
    logging_workflows(launchpad, log, 40)
    workers = [worker(tmp_path, number) for number in range(4)]
    for one in workers:
        assert one.wait(timeout=120) == 0
    lines = log.read_text().split()
    assert Counter(lines) == Counter(f"{one}{part}" for one in range(40) for part in "pc")
    assert launchpad.fireworks.count_documents({"state": "COMPLETED"}) == 80
    assert launchpad.workflows.count_documents({"state": "COMPLETED"}) == 40
    assert launchpad.workflows.count_documents({"locked": {"$exists": True}}) == 0
    assert integrity(tmp_path / "store.db") == "ok"


@pytest.fixture
def workers(tmp_path: Path, launchpad: LaunchPad) -> Iterator[list[subprocess.Popen[bytes]]]:
    (tmp_path / "log").touch()
    logging_workflows(launchpad, tmp_path / "log", 400)
    running = [worker(tmp_path, number) for number in range(3)]
    yield running
    for one in running:
        one.kill()
        one.wait()


@pytest.mark.slow
def test_killed_workers_leave_a_sound_store_and_repeat_nothing(
    tmp_path: Path, launchpad: LaunchPad, workers: list[subprocess.Popen[bytes]]
) -> None:
    log = tmp_path / "log"
    chance = random.Random(4)
    for number in range(8):  # when there is progress, one worker after the other
        size, deadline = log.stat().st_size, time.monotonic() + 60
        while log.stat().st_size < size + 20:
            assert time.monotonic() < deadline, "no worker makes progress"
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.2))
        workers[number % 3].send_signal(signal.SIGKILL)
        workers[number % 3].wait()
        workers[number % 3] = worker(tmp_path, number % 3)
    for one in workers:
        one.kill()
        one.wait()
    assert integrity(tmp_path / "store.db") == "ok"
    lines = Counter(log.read_text().split())
    assert len(lines) > 20
    assert set(lines.values()) == {1}
    states = {one["name"]: one["state"] for one in launchpad.fireworks.find()}
    assert all(states[name] in {"RUNNING", "COMPLETED"} for name in lines)
    assert all(name in lines for name, state in states.items() if state == "COMPLETED")
    for one in launchpad.workflows.find({"locked": {"$exists": False}}):
        for number in one["nodes"]:
            state = launchpad.fireworks.find_one({"fw_id": number})["state"]
            assert state == one["fw_states"][str(number)] or state in {"RESERVED", "RUNNING"}
