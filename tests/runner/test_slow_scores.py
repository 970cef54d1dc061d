"""Slow scores: kept, in processes, in shards; what breaks on a row, and what dies."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
from slow_score import plugin as slow_volume

from fireworks_ext.store import open_store
from launchers.local import LocalParams, Pool
from runner.score_shards import ShardedScores
from runner.screening import Screening
from runner.screening_table import Source
from runner.selection import Step
from runner.space.prototype import PrototypeParams
from runner.space.prototype import plugin as prototype
from schemas.errors import UserError
from schemas.expressions import parse
from schemas.protocols import Surroundings

SPECIES = {"A": ("Ca", "Sr", "Ba", "Pb"), "B": ("Ti", "Zr", "Hf", "Sn"), "X": ("O", "S", "Se")}
KILLS = 20


def step(keep: str | None = "slow_volume_ang3 < 200", **params: Any) -> Step:
    return Step(
        label="slow-volume",
        score="slow-volume",
        plugin=slow_volume,
        params=slow_volume.params.model_validate(params),
        keep=parse(keep) if keep else None,
    )


def screening(
    folder: Path,
    *steps: Step,
    species: Mapping[str, Sequence[str]] = SPECIES,
    **options: Any,
) -> Screening:
    params = PrototypeParams(prototype="perovskite-cubic", species=species)  # type: ignore[arg-type]  # pydantic makes tuples
    return Screening(
        sources=[Source("prototype", prototype, params)],
        steps=steps,
        campaign="slow",
        surroundings=Surroundings(folder=folder, seed=7),
        folder=folder / "table",
        kept=folder / "kept",
        **options,
    )


def rows(folder: Path) -> list[dict[str, Any]]:
    found = pq.read_table(folder / "table").drop(["score_s"]).to_pylist()
    return sorted(found, key=lambda row: row["row"])


def computed(diary: Path) -> Counter[str]:
    """How often each formula was computed."""
    lines = diary.read_text().splitlines() if diary.exists() else []
    return Counter(line.split()[0] for line in lines)


def test_another_threshold_computes_nothing_again_and_another_element_only_its_own(
    tmp_path: Path,
) -> None:
    diary = tmp_path / "diary"
    first = screening(tmp_path, step(diary=str(diary)))
    list(first.survivors())
    assert set(computed(diary).values()) == {1}
    assert len(computed(diary)) == 48
    stricter = screening(tmp_path, step("slow_volume_ang3 < 60", diary=str(diary)))
    assert len(list(stricter.survivors())) < 48
    assert sum(computed(diary).values()) == 48
    assert stricter.funnel.steps[0].found == 48
    wider = screening(tmp_path, step(diary=str(diary)), species={**SPECIES, "A": ("Mg", "Ca")})
    list(wider.survivors())
    assert sum(computed(diary).values()) == 48 + 12
    assert all(formula.startswith("Mg") for formula in list(computed(diary))[48:])


def test_kept_values_give_the_same_table_and_say_what_they_took(tmp_path: Path) -> None:
    one = screening(tmp_path, step())
    list(one.survivors())
    before = rows(tmp_path)
    took = pq.read_table(tmp_path / "table")["score_s"].to_pylist()
    list(screening(tmp_path, step()).survivors())
    assert rows(tmp_path) == before
    assert pq.read_table(tmp_path / "table")["score_s"].to_pylist() == took
    assert all(seconds >= 0.002 for seconds in took)


@pytest.mark.parametrize("options", [{"batch_rows": 5}, {"workers": 2}, {"shard_rows": 7}])
def test_batches_processes_and_shards_of_the_table_change_nothing(
    tmp_path: Path, options: dict[str, int]
) -> None:
    (tmp_path / "plain").mkdir()
    list(screening(tmp_path / "plain", step()).survivors())
    params = {"diary": str(tmp_path / "diary")} if "workers" in options else {}
    # Rows of a second each would be sent to processes one chunk at a time.
    list(screening(tmp_path, step(**params), **options).survivors())
    ours = [{**row} for row in rows(tmp_path)]
    assert ours == rows(tmp_path / "plain")


def test_processes_share_the_rows(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    list(screening(tmp_path, step(diary=str(diary), row_s=0.3), workers=2).survivors())
    processes = {line.split()[1] for line in diary.read_text().splitlines()}
    assert len(processes) == 2
    assert str(os.getpid()) not in processes
    assert set(computed(diary).values()) == {1}


def test_one_row_on_which_a_score_breaks_costs_no_other(tmp_path: Path) -> None:
    one = screening(
        tmp_path, step(breaks_on=("Xe",)), species={**SPECIES, "A": ("Ca", "Xe")},
    )  # fmt: skip
    # Xenon has no ionic radius, so its cells are not built; a lattice is given instead.
    source = one.sources[0]
    params = source.params.model_copy(update={"lattice_ang": 4.0})
    one = replace(one, sources=[Source("prototype", prototype, params)])
    list(one.survivors())
    errors = {row["formula"]: row["reason"] for row in rows(tmp_path) if row["verdict"] == "error"}
    assert len(errors) == 12
    assert set(errors.values()) == {"ZeroDivisionError: no such volume"}
    assert sum(row["verdict"] == "pass" for row in rows(tmp_path)) == 12


def test_a_score_that_breaks_on_every_row_says_so_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="slow-volume fails on every row: ZeroDivisionError"):
        list(screening(tmp_path, step(breaks_on=SPECIES["A"])).survivors())


def test_a_score_whose_package_is_missing_says_so_here_and_from_a_process(tmp_path: Path) -> None:
    for workers in (1, 2):
        one = screening(tmp_path, step(missing=True, row_s=1.0), workers=workers)
        with pytest.raises(UserError, match="a package that is not there"):
            list(one.survivors())


def test_a_process_that_dies_is_told_and_what_others_computed_is_kept(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    dying = screening(tmp_path, step(diary=str(diary), row_s=0.3, dies_on="Pb"), workers=2)
    with pytest.raises(UserError, match="was killed"):
        list(dying.survivors())
    assert not (tmp_path / "table").exists()


SCREEN_ONCE = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
from test_slow_scores import screening, step
folder = Path({folder!r})
list(screening(folder, step(diary=str(folder / "diary"), row_s=0.01), batch_rows=8).survivors())
"""


@pytest.mark.slow
def test_killed_at_any_moment_the_next_run_has_the_same_rows_and_computes_little_twice(
    tmp_path: Path,
) -> None:
    (tmp_path / "plain").mkdir()
    list(screening(tmp_path / "plain", step()).survivors())
    code = SCREEN_ONCE.format(path=[str(Path(__file__).parent), *sys.path], folder=str(tmp_path))
    rng = random.Random(3)
    for _ in range(KILLS):
        child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.8, 2.2))
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert not list((tmp_path / "table").glob("*")) or rows(tmp_path) == rows(
            tmp_path / "plain"
        )
    list(
        screening(
            tmp_path, step(diary=str(tmp_path / "diary"), row_s=0.01), batch_rows=8
        ).survivors()
    )
    assert rows(tmp_path) == rows(tmp_path / "plain")
    # A kill costs what was computed since the last flush, some seconds; all else was kept.
    assert sum(computed(tmp_path / "diary").values()) < KILLS * 48


SCREEN_IN_PROCESSES = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
from test_slow_scores import screening, step
folder = Path({folder!r})
if __name__ == "__main__":
    try:
        slow = step(diary=str(folder / "diary"), row_s=0.3)
        list(screening(folder, slow, workers=3).survivors())
    except KeyboardInterrupt:
        sys.exit(130)
"""


def alive(session: int) -> list[psutil.Process]:
    """The processes of a session, without those that have ended and are not waited for."""
    found = psutil.process_iter(["status"])
    return [
        one
        for one in found
        if one.info["status"] != psutil.STATUS_ZOMBIE
        and psutil.pid_exists(one.pid)
        and os.getsid(one.pid) == session
    ]


@pytest.mark.parametrize("early", [True, False])
def test_ctrl_c_ends_all_processes_without_a_word_of_theirs(tmp_path: Path, early: bool) -> None:  # noqa: FBT001  (pytest's)
    script = tmp_path / "script.py"
    code = SCREEN_IN_PROCESSES.format(
        path=[str(Path(__file__).parent), *sys.path], folder=str(tmp_path)
    )
    script.write_text(code)
    child = subprocess.Popen(
        [sys.executable, str(script)], stderr=subprocess.PIPE, text=True, start_new_session=True
    )

    def far_enough() -> bool:
        if early:  # processes are being started, the first of them that of multiprocessing itself
            return len(psutil.Process(child.pid).children()) > 1
        return bool(computed(tmp_path / "diary"))

    while child.poll() is None and not far_enough():
        time.sleep(0.02)
    time.sleep(0.3)  # later on, one process has nothing to do now, others still compute
    os.killpg(child.pid, signal.SIGINT)
    _, words = child.communicate()
    assert (child.returncode, words) == (130, "")
    deadline = time.monotonic() + 5.0
    while alive(child.pid):  # that which multiprocessing tracks resources with ends after it
        assert time.monotonic() < deadline
        time.sleep(0.05)


def sharded(folder: Path, one: Screening) -> ShardedScores:
    store = str(folder / "store.db")

    def start() -> Pool:
        return Pool(
            LocalParams(slots=2, grace_s=2.0),
            "runner.score_shards:serve",
            {"store": store, "screening": "slow", "folder": str(folder / "launches")},
            lock_folder=folder / "locks",
        )

    return ShardedScores(one, open_store(store), folder / "shards", start, workers=2, worth_s=0.0)


def test_shards_compute_what_the_screening_then_finds(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    list(screening(tmp_path / "plain", step()).survivors())
    diary = tmp_path / "diary"
    one = screening(tmp_path, step(diary=str(diary), row_s=20.0 / 1000))
    sharded(tmp_path, one).compute()
    assert set(computed(diary).values()) == {1}
    list(one.survivors())
    assert one.funnel.steps[0].found == 48
    assert [row["verdict"] for row in rows(tmp_path)] == [
        row["verdict"] for row in rows(tmp_path / "plain")
    ]
    states = Counter(
        doc["state"] for doc in open_store(str(tmp_path / "store.db")).fireworks.find({})
    )
    assert states == {"COMPLETED": 1}
    assert not list((tmp_path / "shards").glob("*"))
    again = screening(tmp_path, step(diary=str(diary), row_s=20.0 / 1000))
    sharded(tmp_path, again).compute()
    assert sum(computed(diary).values()) == 48


def test_a_shard_that_fails_is_told_with_its_reason(tmp_path: Path) -> None:
    one = screening(tmp_path, step(missing=True))
    with pytest.raises(UserError, match=r"a shard failed.*a package that is not there"):
        sharded(tmp_path, one).compute()


def broken_on_xenon(folder: Path) -> Screening:
    """Half of the rows break: more than the few for which a score is not given up."""
    species = {**SPECIES, "A": ("Ca", "Xe"), "B": ("Ti", "Zr", "Hf", "Sn", "Ge", "Si")}
    one = screening(folder, step(breaks_on=("Xe",)), species=species)
    source = one.sources[0]
    params = source.params.model_copy(update={"lattice_ang": 4.0})
    return replace(one, sources=[Source("prototype", prototype, params)])


def test_rows_on_which_a_score_broke_are_told_again_when_nothing_else_is_left_to_compute(
    tmp_path: Path,
) -> None:
    list(broken_on_xenon(tmp_path).survivors())
    before = rows(tmp_path)
    assert sum(row["verdict"] == "error" for row in before) == 18
    again = broken_on_xenon(tmp_path)
    sharded(tmp_path, again).compute()
    list(again.survivors())
    assert again.funnel.steps[0].found == 18
    assert rows(tmp_path) == before


def test_a_file_of_kept_values_that_is_not_whole_is_computed_again(tmp_path: Path) -> None:
    list(screening(tmp_path, step()).survivors())
    before = rows(tmp_path)
    (kept,) = (tmp_path / "kept").glob("*/*.parquet")
    kept.write_bytes(kept.read_bytes()[:100])
    again = screening(tmp_path, step())
    list(again.survivors())
    assert rows(tmp_path) == before
    assert again.funnel.steps[0].found == 0


def test_processes_end_also_where_nothing_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("no folder")
    diary = tmp_path / "diary"
    one = screening(tmp_path, step(diary=str(diary), row_s=0.3), workers=2)
    with pytest.raises(UserError, match="scores cannot be kept"):
        list(one.survivors())
    for process in {int(line.split()[1]) for line in diary.read_text().splitlines()}:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    assert not list(tmp_path.glob(".table*"))


def test_batches_are_small_where_scores_are_slow(tmp_path: Path) -> None:
    from runner.screening import BATCH_ROWS
    from runner.screenings import _batch_rows

    assert _batch_rows([step(row_s=1e-6)], 2) == BATCH_ROWS
    assert _batch_rows([step(row_s=0.005)], 1) == 2000
    assert _batch_rows([step(row_s=2.0)], 4) == 64
