"""Puts a campaign's fleet together from where it runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from fireworks_ext.artefacts import Artefacts
from fireworks_ext.folders.exchange import Exchange, PilotOrder
from fireworks_ext.store import Store
from fireworks_ext.worker.session import Session
from runner.detach import controller
from runner.fleet.backlog import MOST_READ, Backlog
from runner.fleet.demand import Demand
from runner.fleet.fleet import Fleet
from runner.fleet.forecast import Forecaster
from runner.fleet.loads import Limits
from runner.fleet.outstanding import Outstanding
from runner.fleet.queue import Queue
from runner.fleet.report import fleet_report
from runner.monitor import status
from runner.place import Cluster, Place
from schemas.errors import UserError
from schemas.fleet import FleetReport
from schemas.queue import Silent


def muster(
    store: Store, campaign: str, place: Place, cluster: Cluster, told: Callable[[str], None]
) -> Fleet:
    """Return the jobs of a campaign in the queue of a cluster."""
    session = Session(store, place.site, Artefacts(place.artefacts))
    # Twice what all jobs together can run: none of them waits for the controller.
    most = max(MOST_READ, 2 * cluster.cores)
    backlog = Backlog(store, campaign, Forecaster(store), most=most)
    queue = _queue(campaign, place, cluster)
    outstanding = Outstanding(session, campaign, queue.exchange, backlog)
    params = cluster.params
    demand = Demand(queue, outstanding, backlog, _limits(params), params.arrays)
    return Fleet(queue, outstanding, demand, told)


def survey(store: Store, campaign: str, place: Place, *, cancel: bool) -> FleetReport:
    """Return how the jobs of a campaign stand, and take them out of the queue if asked to.

    Raises
    ------
    UserError
        Where the campaign has no jobs in a queue, or the queue does not answer.
    """
    report = status(store, campaign).fleet
    if report is None or place.cluster is None:
        raise UserError(
            f"{campaign}: no cluster computes it; jobs in a queue come with `launcher: {{kind: "
            "slurm, ...}` in a profile or in `run:`"
        )
    queue = _queue(campaign, place, place.cluster)
    owner = controller(store, campaign) if cancel else None
    if owner is not None:
        raise UserError(
            f"{campaign} is controlled by process {owner.pid}, which would ask for other jobs; "
            f"`campaign stop {campaign}` first"
        )
    try:
        cancelled = queue.cancel() if cancel else 0
        jobs = queue.peek()
    except Silent as silence:
        raise UserError(f"the queue does not answer: {silence}") from silence
    note = f"took {cancelled} jobs out of the queue" if cancel else report.note
    return fleet_report(
        report.scheduler,
        jobs,
        handed_over=report.handed_over,
        taken=report.taken,
        use=report.use,
        note=note,
    )


def _queue(campaign: str, place: Place, cluster: Cluster) -> Queue:
    params = cluster.params
    order = PilotOrder(
        launcher=dict(cluster.block),
        pinned=params.pinned,
        idle_s=params.idle_s,
        stop_before_s=params.stop_before_s,
    )
    return Queue(
        campaign,
        str(cluster.block["kind"]),
        cluster.scheduler,
        Exchange(place.exchange(campaign)),
        order,
        python=str(params.python or sys.executable),
    )


def _limits(params: Any) -> Limits:
    """Return what a launcher's settings allow."""
    return Limits(
        pilot=params.shape,
        max_jobs=params.max_jobs,
        max_queued=params.max_queued,
        fill_min=params.fill_min,
        own_job_cores=params.own_job_cores,
        stop_before_s=params.stop_before_s,
    )
