"""Slow scores of many rows as fireworks: shards that any worker on any machine can take.

A shard is a file of what the score reads. What its worker computes goes where the values of slow
scores are kept, so a screening afterwards finds it there; a shard that is lost costs its own rows
at most, and computing one twice does no harm.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fireworks import FiretaskBase, Firework, FWAction, FWorker, Workflow
from fireworks.core import rocket

from fireworks_ext import states
from fireworks_ext.processes import is_gone, parse, this_process
from fireworks_ext.store import Store, open_store
from fireworks_ext.worker.loop import Context
from runner.computing import Computing
from runner.score_cache import STRUCTURE, WORTH_SHARDS_S, ScoreCache, is_kept, row_keys, score_key
from runner.screening import Screening, Survivor
from runner.selection import Step
from schemas.columns import arrow_type
from schemas.errors import UserError
from schemas.protocols import Surroundings
from schemas.registry import scores
from schemas.structure import Structure

if TYPE_CHECKING:
    import pyarrow as pa

    from launchers.local import Pool

SHARD_S = 300.0
"""What a shard is to take: long against starting a worker, short against losing one."""
KEY = "row_key"
START_S = 300.0
"""For a database that is away when a worker starts."""
IDLE_S = 0.5
LOOK_S = 1.0
UNFINISHED = ("READY", "RESERVED", "RUNNING", "WAITING")


class ScoreShard(FiretaskBase):  # type: ignore[misc]  # FireWorks has no types
    """Scores the rows of the shard in the firework's spec, but for those that are known."""

    _fw_name = "{{runner.score_shards.ScoreShard}}"

    def run_task(self, fw_spec: dict[str, Any]) -> FWAction:
        """Run one shard; what it computes is kept as it goes."""
        import pyarrow.parquet as pq

        shard = fw_spec["shard"]
        plugin = scores.get(shard["score"])
        params = plugin.params.model_validate(shard["params"])
        around = shard["surroundings"]
        surroundings = Surroundings(
            folder=Path(around["folder"]),
            seed=around["seed"],
            cache=Path(around["cache"]),
            references=tuple(Structure.model_validate(one) for one in around["references"]),
        )
        cache = ScoreCache(Path(shard["kept"]), plugin.columns(params))
        rows = pq.read_table(shard["file"]).combine_chunks().to_batches()[0]
        places = cache.find(rows[KEY].to_pylist())
        rows = rows.filter(places < 0)
        if len(rows):
            computing = Computing(shard["score"], plugin, params, surroundings, 1)
            computing.worked = cache.holds_rows()
            _score(computing, cache, rows)
        Path(shard["file"]).unlink(missing_ok=True)
        return FWAction(stored_data={"rows": len(rows)})


def _score(computing: Computing, cache: ScoreCache, rows: pa.RecordBatch) -> None:
    keys, start = rows[KEY].to_pylist(), 0
    try:
        for part, seconds in computing(rows.drop_columns([KEY])):
            cache.add(keys[start : start + part.num_rows], part, seconds)
            start += part.num_rows
    finally:
        cache.flush()


def serve(context: Context, *, store: str, screening: str, folder: str) -> None:
    """Run the shards of a screening until there are none; the body of a worker process."""
    rocket.ROCKET_STREAM_LOGLEVEL = "ERROR"
    rocket.PRINT_FW_JSON = False
    opened = open_store(store, wait_s=START_S)
    launches = Path(folder) / f"shards-{os.getpid()}"
    launches.mkdir(parents=True, exist_ok=True)
    os.chdir(launches)
    fworker = FWorker(name=this_process().name, query={"spec.screening": screening})
    try:
        while not (context.draining() or context.stopping()):
            if not rocket.Rocket(opened.launchpad, fworker, None).run():
                context.wait_for_work(IDLE_S)
    finally:
        os.chdir("/")
        launches.rmdir()


@dataclass
class ShardedScores:
    """Has the slow scores of a screening computed by workers before it is gone through.

    `start_pool` starts workers with `serve` as their body; `worth_s` is how long scores may take on
    `workers` of them before they are cut into shards.
    """

    screening: Screening
    store: Store
    folder: Path
    start_pool: Callable[[], Pool]
    workers: int
    worth_s: float = WORTH_SHARDS_S
    told: Callable[[str, int, int], None] = lambda _label, _done, _total: None

    def compute(self) -> None:
        """Compute what is worth it, score after score in the order of the filters.

        Raises
        ------
        UserError
            When a shard fails, or the workers were told to leave.
        """
        self._clear()
        for place, step in enumerate(self.screening.steps):
            if step.plugin is None or not is_kept(step.plugin, step.params):
                continue
            total = 0
            for number, rows in enumerate(self._shards(place, step)):
                self._submit(step, number, rows)
                total += 1
            if total:
                self._work(step, total)

    def _clear(self) -> None:
        """Take away the shards of an earlier screening; what they computed is kept."""
        query = {"spec.screening": self.screening.campaign}
        for one in self.store.launchpad.get_fw_ids(query):
            self.store.launchpad.delete_wf(one)

    def _shards(self, place: int, step: Step) -> Iterator[pa.RecordBatch]:
        """Yield what a step's score has to compute, in parts, where it is worth shards."""
        import pyarrow as pa

        if step.plugin is None or step.score is None or self.screening.kept is None:
            return
        before = replace(
            self.screening, steps=self.screening.steps[:place], folder=None, progress=None
        )
        key = score_key(step.score, step.plugin, step.params, self.screening.surroundings)
        cache = ScoreCache(self.screening.kept / key, step.plugin.columns(step.params))
        row_s = cache.mean_seconds() or step.plugin.seconds(step.params)
        size = max(1, round(SHARD_S / row_s))
        names = [name for name in step.plugin.requires(step.params) if name != STRUCTURE]
        types = {column.name: column.type for column in before.columns}
        schema = pa.schema([pa.field(name, arrow_type(types[name])) for name in names])
        held: list[pa.RecordBatch] = []
        for part in _parts(before.survivors(), size):
            batch = _asked(part, step, schema)
            held.append(batch.filter(cache.find(batch[KEY].to_pylist()) < 0))
        rows = pa.Table.from_batches(held).combine_chunks() if held else None
        if rows is None or rows.num_rows * row_s / self.workers < self.worth_s:
            return
        yield from rows.to_batches(max_chunksize=size)

    def _submit(self, step: Step, number: int, rows: pa.RecordBatch) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        screening = self.screening
        if step.plugin is None or step.score is None or screening.kept is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{step.label}-{number:05d}.parquet"
        pq.write_table(pa.Table.from_batches([rows]), file)
        around = screening.surroundings
        key = score_key(step.score, step.plugin, step.params, around)
        shard = {
            "score": step.score,
            "params": step.params.model_dump(mode="json"),
            "file": str(file.absolute()),
            "kept": str((screening.kept / key).absolute()),
            "surroundings": {
                "folder": str(around.folder.absolute()),
                "seed": around.seed,
                "cache": str(around.cache or self.folder),
                "references": [one.model_dump(mode="json") for one in around.references],
            },
        }
        spec = {"screening": screening.campaign, "shard": shard, "score": step.score}
        name = f"{screening.campaign} {step.label} {number}"
        self.store.launchpad.add_wf(Workflow([Firework(ScoreShard(), spec=spec, name=name)]))

    def _work(self, step: Step, total: int) -> None:
        """Let workers compute the shards of a step."""
        from launchers.local import signals

        with self.start_pool() as pool, signals(pool) as interrupts:
            while (left := self._unfinished()) and pool.alive():
                self.told(step.label, total - left, total)
                pool.poll()
                self._rerun_lost()
                time.sleep(LOOK_S)
            pool.drain()
            pool.join()
        if interrupts.interrupted != "none":
            raise KeyboardInterrupt
        if left:
            raise UserError("stopped while scores were computed; what there is is kept")
        self._refuse_failed(step)

    def _unfinished(self) -> int:
        query = {"spec.screening": self.screening.campaign, "state": {"$in": list(UNFINISHED)}}
        return int(self.store.fireworks.count_documents(query))

    def _rerun_lost(self) -> None:
        """Let the shards of workers that are gone be computed by others."""
        running = {"spec.screening": self.screening.campaign, "state": "RUNNING"}
        for one in self.store.fireworks.find(running, {"fw_id": 1, "launches": 1}):
            launch = self.store.launches.find_one({"launch_id": {"$in": one["launches"]}})
            worker = parse(launch["fworker"]["name"]) if launch else None
            if worker is not None and is_gone(worker):
                with suppress(states.WorkflowBusy):  # the next look is another chance
                    states.rerun(self.store, one["fw_id"])

    def _refuse_failed(self, step: Step) -> None:
        query = {"spec.screening": self.screening.campaign, "state": "FIZZLED"}
        failed = self.store.fireworks.find_one(query, {"launches": 1})
        if failed is None:
            return
        launch = self.store.launches.find_one({"launch_id": {"$in": failed["launches"]}}) or {}
        words = str(launch.get("action", {}).get("stored_data", {}).get("_exception", {}))
        raise UserError(f"filter {step.label}: a shard failed: {words[-500:]}")


def _parts(survivors: Iterator[Survivor], size: int) -> Iterator[list[Survivor]]:
    part: list[Survivor] = []
    for survivor in survivors:
        part.append(survivor)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def _asked(part: list[Survivor], step: Step, schema: pa.Schema) -> pa.RecordBatch:
    """Return what a step's score reads of some rows, with their keys."""
    import pyarrow as pa

    from runner.crystal.cells import to_arrow

    values = [{**one.candidate.row(), **one.scores} for one in part]
    columns = {
        field.name: pa.array([row.get(field.name) for row in values], field.type)
        for field in schema
    }
    cells = step.plugin is not None and STRUCTURE in step.plugin.requires(step.params)
    ids = [one.candidate_id if cells else None for one in part]
    # As the table holds them: 3.0, where a generator says 3.
    keys = row_keys({name: array.to_pylist() for name, array in columns.items()}, ids)
    if cells:
        columns[STRUCTURE] = to_arrow([one.candidate.structure for one in part])
    return pa.RecordBatch.from_pydict({**columns, KEY: pa.array(keys, pa.binary())})
