"""Work without a controller: workers on further machines, and stages that travel as files."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from pymongo.errors import PyMongoError

from fireworks_ext import leases, ledger
from fireworks_ext.database.patience import impatient
from fireworks_ext.folders.handovers import Handovers, take_in
from fireworks_ext.folders.offline import stages, work_through
from fireworks_ext.processes import is_gone
from fireworks_ext.states import WorkflowBusy
from fireworks_ext.store import Store, open_store
from fireworks_ext.worker.delivery import deliver
from fireworks_ext.worker.loop import FOLDER, worker_of
from fireworks_ext.worker.outbox import kept
from fireworks_ext.worker.session import Session
from fireworks_ext.worker.sessions import open_session
from launchers.local import Pool, signals
from runner.control import controller_lease
from runner.place import Place
from schemas.errors import ExitCode, UserError
from schemas.handover import Delivery
from schemas.location import is_embedded
from schemas.model import JsonValue

logger = logging.getLogger(__name__)

LOOK_S = 1.0
"""Between two looks at a folder from which results are awaited."""
POLL_S = 0.25
JOB_VARIABLE = "SLURM_JOB_ID"
"""Set in every process of a job of Slurm."""
SETTLED_S = 5.0
"""Between two looks at whether all campaigns are settled."""
SETTLED = frozenset({"settled", "over budget"})


def serve_here(place: Place, names: Sequence[str], *, until_settled: bool) -> ExitCode:
    """Run workers on this machine, for some campaigns or for all, until told to leave.

    What earlier ones could not deliver is delivered first.

    Raises
    ------
    UserError
        When the store knows one of the campaigns not, or is a file and this a job in a queue.
    """
    _refuse_in_a_job(place.store)
    store = open_store(place.store)
    for name in names:
        ledger.find_campaign(store, name)
    ingest_left(store, place.data / "launches")
    logs = place.data / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    arguments: dict[str, JsonValue] = {
        "store": place.store,
        "campaigns": list(names),
        "folder": str(place.data / "launches"),
        "grace_s": place.local.grace_s,
    }
    pool = Pool(
        place.local,
        "fireworks_ext.worker.loop:serve",
        arguments,
        lock_folder=place.locks,
        log=logs / "worker.log",
    )
    with pool, signals(pool) as interrupts:
        looked = time.monotonic()
        while pool.alive():
            pool.poll()
            time.sleep(POLL_S)
            if until_settled and time.monotonic() - looked > SETTLED_S:
                looked = time.monotonic()
                if _are_settled(store, names):
                    pool.drain()
        pool.join()
    if interrupts.interrupted == "stopped":
        return ExitCode.INTERRUPTED
    return ExitCode.DRAINED if interrupts.interrupted == "drained" else ExitCode.SETTLED


def _refuse_in_a_job(store: str) -> None:
    """Raise UserError where a job in a queue is about to open a file that other machines use."""
    job = os.environ.get(JOB_VARIABLE)
    if job is not None and is_embedded(store):
        raise UserError(
            f"campaign worker: found the store {store}, a file, in job {job} of a queue: SQLite on "
            "a file system that machines share loses data. Let the controller ask for jobs "
            "(`launcher: {kind: slurm, ...}`), or give this one a folder of stages (`campaign "
            "hand-over NAME DIR`, and here `campaign worker --offline DIR`), or use a server as "
            "the store"
        )


def _are_settled(store: Store, names: Sequence[str]) -> bool:
    query = {"_id": {"$in": list(names)}} if names else {}
    try:
        with impatient():
            found = list(store.campaigns.find(query, {"state": 1}))
            return all(one["state"] in SETTLED or _is_over(store, one["_id"]) for one in found)
    except PyMongoError:  # the workers wait for it; the next look is another chance
        return False


def _is_over(store: Store, name: str) -> bool:
    """Tell whether nothing runs or could run, and nobody is there who would send more."""
    busy = {"spec.campaign": name, "state": {"$in": ["READY", "RESERVED", "RUNNING"]}}
    if store.fireworks.find_one(busy, {"_id": 1}) is not None:
        return False
    return leases.is_free(store, controller_lease(name))


@dataclass
class _Stopper:
    """What a signal does to stages that run without a pool."""

    leaving: bool = False
    stopping: bool = False
    _session: Session | None = None

    def begin(self, session: Session) -> None:
        """Take note of what runs now."""
        self._session = session
        if self.stopping:
            session.stop()

    def drain(self) -> None:
        """Take nothing new."""
        self.leaving = True

    def stop(self) -> None:
        """End what runs; it goes on later."""
        self.leaving = self.stopping = True
        if self._session is not None:
            self._session.stop()


def work_offline(folder: Path, told: Callable[[Delivery], None]) -> ExitCode:
    """Carry out the stages in a folder, one after the other, without a database."""
    _require(folder)
    stopper = _Stopper()
    with signals(stopper):
        for delivery in work_through(folder, begin=stopper.begin, leaving=lambda: stopper.leaving):
            told(delivery)
    if stopper.stopping:
        return ExitCode.INTERRUPTED
    return ExitCode.DRAINED if stopper.leaving else ExitCode.SETTLED


def hand_over(store: Store, name: str, folder: Path, count: int) -> list[Path]:
    """Write READY stages of a campaign into a folder; return where."""
    ledger.find_campaign(store, name)
    folder.mkdir(parents=True, exist_ok=True)
    return Handovers(open_session(store, name), name, folder.absolute()).hand_over(count)


def await_results(
    store: Store, name: str, folder: Path, told: Callable[[Delivery], None]
) -> ExitCode:
    """Keep what was handed over alive, and take results in, until all are in.

    Ctrl-C leaves the stages where they are: `campaign ingest` takes their results in later.
    """
    handovers = Handovers(open_session(store, name), name, folder.absolute())
    stopper = _Stopper()
    renewed = 0.0
    with signals(stopper):
        while not stopper.leaving:
            try:
                for delivery in take_in(store, folder):
                    told(delivery)
                if time.monotonic() - renewed > leases.RENEW_S:
                    handovers.keep()
                    renewed = time.monotonic()
            except (PyMongoError, WorkflowBusy) as error:
                logger.warning("%s", error)  # what came back lies in the folder meanwhile
            if not stages(folder):
                return ExitCode.SETTLED
            time.sleep(LOOK_S)
    return ExitCode.DRAINED


def ingest(store: Store, folder: Path) -> list[Delivery]:
    """Write down what lies in a folder: results of stages, and what workers could not deliver.

    Again without harm; what is written down is removed.

    Raises
    ------
    UserError
        Where there is no such folder, or a file in it is none of ours.
    """
    _require(folder)
    done = take_in(store, folder)
    written, busy = _write_down(store, list(kept(folder)))
    if busy is not None:
        raise busy
    return done + written


def ingest_left(store: Store, launches: Path) -> list[Delivery]:
    """Write down what workers of this machine could not deliver before they ended; return it.

    `launches` is the folder of the workers' folders, which go.
    """
    done: list[Delivery] = []
    for folder in sorted(launches.glob(f"{FOLDER}*")):
        worker = worker_of(folder)
        if worker is None or not is_gone(worker):
            continue
        found = list(kept(folder))
        ours = [one for one in found if _knows(store, one[1].order.campaign)]
        written, busy = _write_down(store, ours)
        if busy is not None:  # the next round is another chance
            logger.warning("%s: %s", folder, busy)
        done += written
        left = len(found) - len(written)  # some may be for another store
        if not left:
            shutil.rmtree(folder, ignore_errors=True)  # another run may do so, too
    return done


def _write_down(
    store: Store, found: Sequence[tuple[Path, Delivery]]
) -> tuple[list[Delivery], WorkflowBusy | None]:
    """Write deliveries down, all of a campaign at once, and remove their files.

    Return those that are written, and what was in the way of the others: the waits for locked
    workflows of many would add up to hours.
    """
    done: list[Delivery] = []
    in_the_way: WorkflowBusy | None = None
    for campaign in sorted({one.order.campaign for _, one in found}):
        theirs = [(path, one) for path, one in found if one.order.campaign == campaign]
        left: Collection[int] = ()
        try:
            deliver(open_session(store, campaign), [one for _, one in theirs])
        except WorkflowBusy as error:
            in_the_way, left = error, error.fw_ids
        for path, one in theirs:
            if one.fw_id not in left:
                path.unlink(missing_ok=True)
                done.append(one)
    return done, in_the_way


def _knows(store: Store, campaign: str) -> bool:
    return store.campaigns.find_one({"_id": campaign}, {"_id": 1}) is not None


def _require(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; `campaign hand-over NAME DIR` fills one")
