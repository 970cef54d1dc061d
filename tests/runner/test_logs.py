"""Logs: attempts, repairs and texts of one candidate, whatever state its files are in."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import pytest

from fireworks_ext.attempts.exits import Exit, write_exit
from runner.cases import Request
from runner.logs import LAST_LINES, logs
from runner.retry import retry
from runner.texts import TAIL_BYTES, read_text
from schemas.errors import UserError

SPEC = """
version: 1
campaign: told
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca], X: [S]}
stages:
  relax: {engine: toy, task: relax, needs_gb: 8}
  gap: {engine: toy, task: scf, structure: relax}
"""


@pytest.fixture
def store(bench: Any) -> Any:
    """Return a store with two attempts at MgS relax, and one at CaS relax."""
    run = bench.prepare(SPEC)
    bench.work_off(run)
    settings = ("resources.memory_gb=9",)
    retry(run.store, "told", Request(candidate="MgS", settings=settings))
    bench.work_off(run)
    return run.store


def directory(store: Any, formula: str, attempt: int = 1) -> Path:
    query = {"formula": formula, "stage": "relax", "attempt": attempt}
    return Path(store.attempts.find_one(query)["directory"])


def test_every_attempt_is_told_and_the_texts_of_the_last(store: Any) -> None:
    found = logs(store, "told", "MgS")
    assert [(one.stage, one.state) for one in found.stages] == [("relax", "ok"), ("gap", "ok")]
    relax = found.stages[0]
    assert relax.overrides == {"resources": {"memory_gb": 9}}
    first, second = relax.attempts
    assert (first.outcome, first.exit_code, first.failure) == ("failed", 1, "out_of_memory")
    assert (second.outcome, second.exit_code, second.failure) == ("ok", 0, None)
    assert first.outputs == ()
    assert [one.name for one in second.inputs] == ["in.json"]
    assert '"memory_gb": 9.0' in second.inputs[0].text
    assert [one.name for one in second.outputs] == ["toy.out"]


def test_one_attempt_and_one_stage_can_be_asked_for(store: Any) -> None:
    (relax,) = logs(store, "told", "MgS", "relax", attempt=1).stages
    (first,) = relax.attempts
    assert first.outputs[0].text == "out of memory: 8 GB wanted\n"
    with pytest.raises(UserError, match="no attempt 7; there are: 1, 2"):
        logs(store, "told", "MgS", "relax", attempt=7)
    with pytest.raises(UserError, match="no stage 'relx'; did you mean 'relax'"):
        logs(store, "told", "MgS", "relx")


def test_a_blocked_stage_says_what_it_waits_for(store: Any) -> None:
    gap = logs(store, "told", "CaS").stages[1]
    assert (gap.state, gap.reason, gap.attempts) == ("blocked", "relax is failed", ())


def test_what_a_scheduler_and_earlier_runs_left_is_found(store: Any) -> None:
    folder = directory(store, "CaS")
    (folder / "slurm-17.out").write_text("slurmstepd: error: Detected 1 oom_kill event\n")
    (folder / "runs" / "2").mkdir(parents=True)
    (folder / "runs" / "10").mkdir()
    (folder / "runs" / "2" / "toy.out").write_text("earlier\n")
    write_exit(folder, Exit(exit_code=-9, reason="walltime"))
    (relax, _) = logs(store, "told", "CaS", files=True).stages
    (only,) = relax.attempts
    assert only.ended_by == "walltime"
    assert [one.name for one in only.scheduler] == ["slurm-17.out"]
    assert [one.name for one in only.outputs] == ["toy.out"]
    assert [Path(one).name for one in only.runs] == ["2", "10"]
    assert "runs/2/toy.out" in [one.name for one in only.files]


def test_compressed_texts_are_read(store: Any) -> None:
    folder = directory(store, "CaS")
    for name in ("toy.out", "in.json"):
        with gzip.open(folder / f"{name}.gz", "wb") as file:
            file.write((folder / name).read_bytes())
        (folder / name).unlink()
    (relax, _) = logs(store, "told", "CaS").stages
    (only,) = relax.attempts
    assert [one.name for one in only.outputs] == ["toy.out.gz"]
    assert only.outputs[0].text == "out of memory: 8 GB wanted\n"
    assert '"species": ["Ca", "S"]' in only.inputs[0].text


def test_a_run_directory_that_is_gone_is_said_to_be(store: Any) -> None:
    shutil.rmtree(directory(store, "CaS"))
    (relax, _) = logs(store, "told", "CaS", full=True).stages
    (only,) = relax.attempts
    assert only.gone
    assert only.failure == "out_of_memory"
    assert only.outputs == ()


def test_only_the_last_lines_of_a_long_output_are_read(store: Any) -> None:
    folder = directory(store, "CaS")
    (folder / "toy.out").write_text("".join(f"line {n}\n" for n in range(100)))
    (relax, _) = logs(store, "told", "CaS").stages
    shown = relax.attempts[0].outputs[0]
    assert shown.text.splitlines()[0] == f"line {100 - LAST_LINES}"
    assert shown.lines_left_out == 100 - LAST_LINES
    (relax, _) = logs(store, "told", "CaS", full=True).stages
    assert len(relax.attempts[0].outputs[0].text.splitlines()) == 100


@pytest.mark.parametrize("name", ["big.out", "big.out.gz"])
def test_the_end_of_a_large_file_is_found_quickly_and_whole(tmp_path: Path, name: str) -> None:
    lines = b"".join(b"%09d\n" % n for n in range(TAIL_BYTES // 5))
    path = tmp_path / name
    path.write_bytes(gzip.compress(lines) if name.endswith("gz") else lines)
    found = read_text(path, tmp_path, last=3)
    assert found.text.splitlines() == [f"{TAIL_BYTES // 5 - n:09d}" for n in (3, 2, 1)]
    assert found.lines_left_out == pytest.approx(TAIL_BYTES // 5 - 3, rel=1e-3)


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"", ""),
        (b"\x7fELF\0\0", "(6 bytes that are no text)"),
        (
            b"caf\xe9 \x1b[31mred\r\n",
            "caf\N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER}[31mred\n",
        ),
    ],
)
def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path, content: bytes, shown: str) -> None:
    (tmp_path / "x.out").write_bytes(content)
    assert read_text(tmp_path / "x.out", tmp_path, last=5).text == shown


def test_a_damaged_archive_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "x.out.gz").write_bytes(gzip.compress(b"much " * 1000)[:20])
    assert read_text(tmp_path / "x.out.gz", tmp_path, last=5).text.startswith("(cannot be read: ")
