"""One pilot from its order to its end."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from fireworks_ext.folders.exchange import Begun, Exchange
from fireworks_ext.processes import host_name, this_process
from runner.fleet.records import FILE, JobRecord
from runner.pilot.pilot import Pilot
from runner.pilot.post import open_post
from schemas.clock import SECONDS_PER_MINUTE


def fly(exchange: Exchange, job: str, environ: Mapping[str, str]) -> str:
    """Be a pilot of a job; return why it left. Raises UserError where there is no such job."""
    order = exchange.order(job)
    post = open_post(order, environ, _asked_s(exchange, job))
    begun = Begun(
        allocation=post.allocation,
        process=this_process(),
        host=host_name(),
        began_at=post.began_at,
    )
    exchange.begin(job, begun)
    try:
        return Pilot(exchange, job, order, post, environ).run()
    finally:
        post.close()


def _asked_s(exchange: Exchange, job: str) -> float | None:
    """Return the time that was asked for, where a controller did."""
    try:
        asked = JobRecord.model_validate_json((exchange.job(job) / FILE).read_bytes())
    except (OSError, ValidationError):
        return None
    return SECONDS_PER_MINUTE * asked.request.shape.walltime_min
