"""A store filled as large campaigns leave it, without a single calculation: for counts and repairs.

The documents are those that submission, workers and FireWorks write, in realistic shares of states.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Any

from fireworks import FWAction

from fireworks_ext import launches
from fireworks_ext.database.indexes import make_stage_indexes
from fireworks_ext.states import workflow_state
from fireworks_ext.store import Store
from runner.documents import Writer, entry_document, record_document
from schemas.clock import utc_now
from schemas.ledger import AttemptRecord, CandidateRecord, ResultRecord, StageEntry, StageState
from schemas.resources import Resources
from schemas.structure import Structure
from schemas.work import Input, StageOrder

STAGES = ("relax", "scf", "dense")
WINDOW = 2000
CHUNK = 1000
CORES = 4
SECONDS = 90.0

O, F, S, B, H, R, Y, W = (  # noqa: E741  (as short as the tables below want it)
    StageState.OK, StageState.FAILED, StageState.SKIPPED, StageState.BLOCKED,
    StageState.HELD, StageState.RUNNING, StageState.READY, StageState.WAITING,
)  # fmt: skip
SETTLED: tuple[tuple[float, tuple[StageState, ...]], ...] = (
    (0.45, (O, O, O)),
    (0.40, (O, O, S)),
    (0.08, (F, B, B)),
    (0.05, (O, F, B)),
    (0.015, (O, O, F)),
    (0.005, (H, B, B)),
)
LIVE: tuple[tuple[float, tuple[StageState, ...]], ...] = (
    (0.04, (R, W, W)),
    (0.36, (Y, W, W)),
    (0.30, (O, Y, W)),
    (0.30, (O, O, Y)),
)
CACHED_SHARE = 0.05
"""Of the first stages that are ok: known from another campaign."""

FIREWORK_STATES = {
    O: "COMPLETED", S: "COMPLETED", F: "FIZZLED", B: "WAITING",
    H: "PAUSED", R: "RUNNING", Y: "READY", W: "WAITING",
}  # fmt: skip


@dataclass
class Filling:
    """Fills a store with one campaign."""

    store: Store
    campaign: str
    members: int
    done: float = 0.8
    """Share of the members whose stages have all been tried."""
    artefacts: str = ""
    worker: str = "elsewhere:1:1"
    seed: int = 0
    with_results: bool = False
    _random: random.Random = field(init=False)
    _next: int = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(f"{self.campaign} {self.seed}")
        self._writer = Writer("project")

    def fill(self) -> None:
        """Write the campaign and its members."""
        make_stage_indexes(self.store, STAGES)
        self.store.campaigns.insert_one(self._campaign())
        kinds = self._kinds()
        row = 0
        while some := list(islice(kinds, CHUNK)):
            self._write(row, some)
            row += len(some)

    def _kinds(self) -> Iterator[tuple[StageState, ...] | None]:
        """Yield the states of the stages of each member; None for those without fireworks yet."""
        done = int(self.members * self.done)
        live = min(WINDOW, self.members - done)
        yield from self._drawn(SETTLED, done)
        yield from self._drawn(LIVE, live)
        for _ in range(self.members - done - live):
            yield None

    def _drawn(self, table: Any, number: int) -> list[tuple[StageState, ...]]:
        weights, kinds = zip(*table, strict=True)
        return self._random.choices(kinds, weights, k=number)

    def _write(self, row: int, kinds: list[tuple[StageState, ...] | None]) -> None:
        made: dict[str, list[dict[str, Any]]] = {
            name: []
            for name in ("candidates", "workflows", "fireworks", "launches", "attempts", "results")
        }
        first = self.store.launchpad.get_new_fw_id(quantity=len(STAGES) * len(kinds))
        launch = launches.new_ids(self.store, len(STAGES) * len(kinds)).start
        for number, states in enumerate(kinds):
            ids = first + len(STAGES) * number
            self._member(made, row + number, states, ids, launch + len(STAGES) * number)
        for name, documents in made.items():
            if documents:
                getattr(self.store, name).insert_many(documents, ordered=False)

    def _member(
        self,
        made: dict[str, list[dict[str, Any]]],
        row: int,
        states: tuple[StageState, ...] | None,
        fw_id: int,
        launch: int,
    ) -> None:
        record = _record(self.campaign, row, self._random, pending=states is None)
        orders = _orders(record, self._random)
        entries = {}
        cached = states is not None and states[0] is O and self._random.random() < CACHED_SHARE
        new = STAGES[cached:] if states else ()
        ids = {name: fw_id + number for number, name in enumerate(new)}
        for number, name in enumerate(STAGES):
            state = states[number] if states else (W if number else Y)
            is_cached = cached and not number
            entry = StageEntry(
                key=orders[name].key,
                state=state,
                cached=is_cached,
                failure="scf_not_converged" if state in {F, H} else None,
                reason="relax is failed" if state is B else None,
            )
            entries[name] = entry_document(entry, ids.get(name))
            if name in ids and state in {O, F, H, R}:
                made["attempts"].append(self._attempt(orders[name], state))
            if self.with_results and state is O:
                made["results"].append(self._result(orders[name], record.structure))
        document = record_document(record, pending=states is None)
        made["candidates"].append(
            {"_id": f"{self.campaign}/{record.id}", **document, "stages": entries}
        )
        if states:
            by_stage = dict(zip(STAGES, states, strict=True))
            self._fireworks(made, record, orders, ids, by_stage, launch)

    def _fireworks(
        self,
        made: dict[str, list[dict[str, Any]]],
        record: CandidateRecord,
        orders: Mapping[str, StageOrder],
        ids: Mapping[str, int],
        states: Mapping[str, StageState],
        launch: int,
    ) -> None:
        new = {name: orders[name] for name in STAGES if name in ids}
        workflow, fireworks = self._writer.fireworks(record, new, min(ids.values()))
        for number, (firework, name) in enumerate(zip(fireworks, new, strict=True)):
            state = states[name]
            firework["state"] = workflow["fw_states"][str(ids[name])] = FIREWORK_STATES[state]
            if state in {O, F, S, R}:
                firework["launches"] = [launch + number]
                made["launches"].append(self._launch(launch + number, ids[name], state))
        workflow["state"] = workflow_state(workflow["links"], workflow["fw_states"])
        made["workflows"].append(workflow)
        made["fireworks"] += fireworks

    def _launch(self, launch: int, fw_id: int, state: StageState) -> dict[str, Any]:
        if state is R:
            (document,) = launches.running(
                {launch: fw_id}, worker=self.worker, query="{}", launch_dir="", host="elsewhere"
            )
            return document
        document = launches.no_op(launch, fw_id, {"outcome": state.value}, self.worker)
        if state is F:
            failed = {"_exception": {"_details": {"name": "scf_not_converged"}}}
            document["action"] = FWAction(stored_data=failed, exit=True).to_dict()
            document["state"] = document["state_history"][0]["state"] = "FIZZLED"
        return document

    def _attempt(self, order: StageOrder, state: StageState) -> dict[str, Any]:
        started = utc_now() - timedelta(seconds=self._random.uniform(SECONDS, 30 * 86400))
        over = state is not R
        record = AttemptRecord(
            key=order.key,
            attempt=1,
            campaign=order.campaign,
            candidate=order.candidate,
            formula=order.formula,
            stage=order.stage,
            engine=order.engine,
            task=order.task,
            machine="elsewhere",
            worker=self.worker,
            directory=f"{self.artefacts}/{order.key[:2]}/{order.key}/1",
            cores=CORES,
            work=1.0,
            started_at=started,
            finished_at=started + timedelta(seconds=SECONDS) if over else None,
            outcome="running" if state is R else "ok" if state is O else "failed",
            failure="scf_not_converged" if state in {F, H} else None,
            walltime_s=SECONDS if over else 0.0,
            core_hours=CORES * SECONDS / 3600.0 if over else 0.0,
        )
        stamped = {"recorded_at": record.finished_at} if over else {}
        return {"_id": f"{order.key}:1", **vars(record), **stamped}

    def _result(self, order: StageOrder, structure: Structure) -> dict[str, Any]:
        now = utc_now()
        record = ResultRecord(
            key=order.key,
            campaign=order.campaign,
            attempt=1,
            engine=order.engine,
            task=order.task,
            program="toy 1.0",
            values={"value": self._random.random()},
            structure=structure,
            products={},
            artefacts=f"{self.artefacts}/{order.key[:2]}/{order.key}/1",
            walltime_s=SECONDS,
            cores=CORES,
            started_at=now - timedelta(seconds=SECONDS),
            finished_at=now,
            token=1,
        )
        return {"_id": order.key, **record.model_dump(mode="python")}

    def _campaign(self) -> dict[str, Any]:
        now = utc_now()
        return {
            "_id": self.campaign,
            "schema_version": 1,
            "project": "project",
            "revision": 1,
            "revisions": [{"revision": 1, "sha256": "0" * 64, "text": "", "at": now}],
            "state": "running",
            "artefacts": self.artefacts,
            "site": {},
            "core_hours": None,
            "stages": list(STAGES),
            "tasks": {
                name: {"engine": "toy", "task": "scf" if number else "relax"}
                for number, name in enumerate(STAGES)
            },
            "barriers": {},
            "started_at": now,
            "updated_at": now,
            "enumerated": 10 * self.members,
            "filters": [],
            "survivors": self.members,
        }


def _record(campaign: str, row: int, chance: random.Random, *, pending: bool) -> CandidateRecord:
    species = ("Ca", "Ti", "O", "O", "O")
    return CandidateRecord.model_construct(
        campaign=campaign,
        id=f"{chance.getrandbits(256):064x}",
        row=row,
        formula="CaTiO3",
        structure=Structure.model_construct(
            lattice_ang=((3.9, 0.0, 0.0), (0.0, 3.9, 0.0), (0.0, 0.0, 3.9)),
            species=species,
            frac_coords=tuple((chance.random(),) * 3 for _ in species),
            moments_bohr=None,
            charge=0,
        ),
        generator="prototype",
        choice={"A": "Ca", "B": "Ti", "X": "O"},
        columns={"formula": "CaTiO3", "n_atoms": 5, "max_atomic_number": 22},
        control=False,
        member=True,
        priority=-row,
        pending=pending,
        seen=1,
        stages={},
    )


def _orders(record: CandidateRecord, chance: random.Random) -> dict[str, StageOrder]:
    orders: dict[str, StageOrder] = {}
    above: str | None = None
    for name in STAGES:
        reads = {above: orders[above].key} if above else {}
        source = Input.model_construct(
            stage=above, key=orders[above].key if above else None, order=None
        )
        orders[name] = StageOrder.model_construct(
            campaign=record.campaign,
            candidate=record.id,
            formula=record.formula,
            stage=name,
            key=f"{chance.getrandbits(256):064x}",
            engine="toy",
            task="scf" if above else "relax",
            params={"x": 1.0, "seconds": 0.0},
            resources=Resources(),
            inputs={"structure": source},
            reads=reads,
            when="scf.value > 0.5" if name == "dense" else None,
        )
        above = name
    return orders
