"""Disks that are full or gone: stages are given back, the worker pauses, and goes on by itself."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from consistency import assert_consistent
from toy_engine import ToyEngine

from fireworks_ext.attempts import jobs
from fireworks_ext.folders.offline import stages, work_through
from fireworks_ext.worker import disk as disks
from fireworks_ext.worker.disk import Disk, DiskAway, is_away
from fireworks_ext.worker.loop import Rota, Worker
from fireworks_ext.worker.presence import Presence
from fireworks_ext.worker.sessions import open_session
from runner import workers
from runner.monitor import status
from runner.show import status_parts
from schemas.failure import Failure, FailureName

SPEC = """
version: 1
campaign: disks
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca], X: [S]}
stages:
  relax: {engine: toy, task: relax, seconds: 0.0}
  gap: {engine: toy, task: scf, structure: relax}
"""
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Idle:
    """What a launcher gives to a worker, for one that is asked turn by turn."""

    inherit_fds: tuple[int, ...] = ()

    def draining(self) -> bool:
        return False

    def stopping(self) -> bool:
        return False

    def wait_for_work(self, timeout_s: float) -> bool:
        return False

    def announce(self) -> None:
        pass

    def on_stop(self, callback: Callable[[], None] | None) -> None:
        pass


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of 4 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder))
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted by this user")
    yield folder
    subprocess.run(("umount", "--lazy", str(folder)), check=True)


def fill(folder: Path) -> Path:
    """Write a file until nothing more fits, and return it."""
    filler = folder / "filler"
    full = pytest.raises(OSError, match="No space")
    with filler.open("wb", buffering=0) as file, full:
        while True:
            file.write(bytes(4096))
    return filler


def prepared(bench: Any, root: Path, text: str = SPEC) -> Any:
    """Return a run whose run directories are to be made below `root`."""
    run = bench.prepare(text)
    run.store.campaigns.update_one({}, {"$set": {"artefacts": str(root)}})
    return run


def worker_of(bench: Any, run: Any) -> Worker:
    return Worker(open_session(run.store, "disks"), "disks", bench.folder / "launches")


def work_off(worker: Worker) -> None:
    while worker.turn():
        pass


def it_is_time(worker: Worker) -> None:
    worker._session.disk._again_at = 0.0


def states(run: Any, stage: str = "relax") -> set[str]:
    return {one["stages"][stage]["state"] for one in run.store.candidates.find({})}


def attempts(run: Any) -> list[str]:
    return [one["outcome"] for one in run.store.attempts.find({}).sort("started_at", 1)]


def test_a_full_disk_fails_nothing_and_the_worker_goes_on_when_there_is_room(
    bench: Any, small: Path
) -> None:
    run = prepared(bench, small)
    worker = worker_of(bench, run)
    filler = fill(small)
    work_off(worker)
    assert worker.paused is not None
    assert worker.paused == f"{small}: No space left on device"
    assert states(run) == {"ready"}
    assert attempts(run) == []
    assert run.store.launches.count_documents({"state": {"$ne": "ARCHIVED"}}) == 0
    assert not list(small.glob("*/*/*"))
    it_is_time(worker)
    assert not worker.turn()  # it has been tried, and is full
    assert run.store.launches.count_documents({}) <= 2
    assert_consistent(run.store)
    filler.unlink()
    it_is_time(worker)
    work_off(worker)
    assert worker.paused is None
    assert states(run, "gap") == {"ok"}
    assert set(attempts(run)) == {"ok"}
    assert_consistent(run.store)


def test_status_says_that_workers_pause_and_why(bench: Any, small: Path) -> None:
    run = prepared(bench, small)
    presence = Presence(run.store, "here:1:1", ["disks"])
    rota = Rota(run.store, ["disks"], bench.folder / "launches", 1.0, Idle(), presence)
    filler = fill(small)
    for _ in range(4):
        rota.turn()
    assert rota.pause_s > 1.0
    paused = status(run.store, "disks").paused
    assert list(paused) == ["here:1:1"]
    assert "No space left" in paused["here:1:1"]
    said = [one for one in status_parts(status(run.store, "disks")) if isinstance(one, str)]
    assert any("1 worker pauses" in one and "No space left" in one for one in said)
    filler.unlink()
    it_is_time(rota._workers["disks"])
    while rota.turn():
        pass
    assert status(run.store, "disks").paused == {}


def test_a_root_that_is_gone_is_waited_for_and_not_made_anew(bench: Any, tmp_path: Path) -> None:
    root = tmp_path / "runs"
    run = prepared(bench, root)
    worker = worker_of(bench, run)
    assert worker.turn()
    shutil.rmtree(root)
    it_is_time(worker)
    work_off(worker)
    assert not root.exists()
    assert "is gone" in str(worker.paused)
    assert "failed" not in states(run)
    root.mkdir()
    it_is_time(worker)
    work_off(worker)
    assert states(run) == {"ok"}
    assert "failed" not in attempts(run)


def test_a_worker_goes_on_when_a_later_run_names_another_place(bench: Any, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    seen = Disk()
    assert seen.is_there(first)
    first.rmdir()
    assert not seen.is_there(first)
    assert not seen.is_there(first)
    assert seen.is_there(second)


def test_a_disk_that_goes_while_a_program_runs_interrupts_its_stage(
    bench: Any, tmp_path: Path
) -> None:
    root = tmp_path / "runs"
    run = prepared(bench, root, SPEC.replace("seconds: 0.0", "seconds: 0.6"))
    worker = worker_of(bench, run)

    def take_away() -> None:
        while not list(root.glob("*/*/*/in.json")):
            time.sleep(0.01)
        time.sleep(0.2)
        shutil.rmtree(root)

    thread = threading.Thread(target=take_away)
    thread.start()
    worker.turn()
    thread.join()
    assert states(run) == {"ready"}
    assert attempts(run) == ["interrupted"]
    assert worker.paused
    assert_consistent(run.store)


def test_a_disk_that_is_full_beside_a_program_that_said_nothing_of_it_interrupts_the_stage(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepared(bench, tmp_path / "runs", SPEC.replace("seconds: 0.0", "fails_for: [Mg, Ca]"))

    def full(*_: object) -> None:
        raise FULL

    worker = worker_of(bench, run)
    with monkeypatch.context() as disk:
        disk.setattr(jobs, "write_exit", full)
        worker.turn()
    assert attempts(run) == ["interrupted"]
    assert states(run) == {"ready"}
    it_is_time(worker)
    work_off(worker)
    assert states(run) == {"failed"}  # by itself, with its own name
    assert status(run.store, "disks").failures == {"scf_not_converged": 2}


def test_what_a_program_calls_a_full_disk_is_its_failure(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Failure(name=FailureName.DISK_FULL, message="no room for wavefunctions")
    monkeypatch.setattr(ToyEngine, "parse", lambda *_: said)
    run = prepared(bench, tmp_path / "runs")
    worker = worker_of(bench, run)
    work_off(worker)
    assert status(run.store, "disks").failures == {"disk_full": 2}
    assert worker.paused is None
    assert attempts(run) == ["failed", "failed"]


def test_after_a_program_found_the_disk_full_it_is_tried_before_anything_else_runs(
    small: Path,
) -> None:
    seen = Disk()
    filler = fill(small)
    assert seen.is_there(small)  # nothing is known against it
    seen.doubt()
    assert not seen.is_there(small)
    filler.unlink()
    seen._again_at = 0.0
    assert seen.is_there(small)
    assert not list(small.iterdir())


def test_a_result_that_cannot_be_written_beside_its_files_goes_to_the_database(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fireworks_ext import artefacts

    write = artefacts.write_record

    def full(directory: Path, name: str, *rest: Any, **how: Any) -> None:
        if name == artefacts.OUTCOME:
            raise FULL
        write(directory, name, *rest, **how)

    monkeypatch.setattr(artefacts, "write_record", full)
    run = prepared(bench, tmp_path / "runs")
    worker = worker_of(bench, run)
    assert worker.turn()
    assert run.store.results.count_documents({}) == 1
    assert attempts(run) == ["ok"]
    assert worker.paused  # the next stage would lose what it computes


def test_pauses_grow_until_a_stage_ends_and_nothing_is_tried_before_they_are_over(
    tmp_path: Path,
) -> None:
    seen = Disk()
    pauses = []
    for _ in range(5):
        seen.lost(FULL, tmp_path)
        pauses.append(round(seen.left_s))
    assert pauses == [30, 60, 120, 240, 300]
    assert not seen.is_there(tmp_path)
    seen._again_at = 0.0
    assert seen.is_there(tmp_path)
    seen.lost(FULL, tmp_path)
    assert round(seen.left_s) == 300
    seen._again_at = 0.0
    assert seen.is_there(tmp_path)
    seen.served(tmp_path)
    seen.lost(FULL, tmp_path)
    assert round(seen.left_s) == 30


def test_only_what_disks_answer_counts_as_a_disk_that_is_away(tmp_path: Path) -> None:
    stale, read_only = OSError(errno.ESTALE, "stale"), OSError(errno.EROFS, "read-only")
    for error in (FULL, stale, read_only, DiskAway("said so")):
        assert is_away(error, tmp_path)
    missing = FileNotFoundError(errno.ENOENT, "no pseudopotential")
    refused = PermissionError(errno.EACCES, "not yours")
    for one in (missing, refused, ValueError("a mistake")):
        assert not is_away(one, tmp_path)
    assert is_away(missing, tmp_path / "gone")


def test_a_worker_whose_own_folder_cannot_be_made_waits_for_that_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else workers would keep dying, and end the run."""
    monkeypatch.setattr(disks, "FIRST_PAUSE_S", 0.05)
    tries: list[Path] = []
    mkdir = Path.mkdir

    def full(self: Path, **how: Any) -> None:
        tries.append(self)
        if len(tries) < 3:
            raise FULL
        mkdir(self, **how)

    monkeypatch.setattr(Path, "mkdir", full)
    assert disks.make(tmp_path / "launches", lambda: False)
    assert (tmp_path / "launches").is_dir()
    tries.clear()
    assert not disks.make(tmp_path / "other", lambda: True)
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        disks.make(tmp_path / "file", lambda: False)


def test_a_rocket_gives_its_stage_back_and_waits_before_it_ends(
    bench: Any, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepared(bench, small)
    filler = fill(small)
    waited: list[float] = []

    def wait(disk: Disk, _leaving: object) -> bool:
        if disk.left_s:
            assert run.store.fireworks.count_documents({"state": "READY"}) == 2
            waited.append(disk.left_s)
            filler.unlink()
            disk._again_at = 0.0
        return True

    monkeypatch.setattr(Disk, "wait", wait)
    bench.work_off_with_rockets(run)
    assert len(waited) == 1
    assert states(run, "gap") == {"ok"}
    assert_consistent(run.store)


def test_an_offline_worker_waits_for_its_disks_and_then_goes_on(
    bench: Any, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are full: that of the run directories, and that of the folder of stages."""
    monkeypatch.setattr(disks, "FIRST_PAUSE_S", 0.2)
    monkeypatch.setattr(disks, "STEP_S", 0.05)
    run = prepared(bench, small / "runs")
    travel = small / "travel"
    workers.hand_over(run.store, "disks", travel, 10)
    filler = fill(small)
    threading.Timer(0.5, filler.unlink).start()
    began = time.monotonic()
    ended = list(work_through(travel, begin=lambda _: None, leaving=lambda: False))
    assert time.monotonic() - began > 0.4
    assert [one.ending.kind for one in ended] == ["known", "known"]
    workers.ingest(run.store, travel)
    assert states(run) == {"ok"}


def test_an_offline_worker_that_leaves_while_the_disk_is_full_leaves_its_stage(
    bench: Any, small: Path
) -> None:
    run = prepared(bench, small)
    travel = bench.folder / "travel"
    workers.hand_over(run.store, "disks", travel, 10)
    fill(small)
    until = time.monotonic() + 1.0
    leaving = lambda: time.monotonic() > until  # noqa: E731
    assert list(work_through(travel, begin=lambda _: None, leaving=leaving)) == []
    assert len(stages(travel)) == 2
    assert not list(travel.glob("*/result.json"))
