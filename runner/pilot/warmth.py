"""What all stages of a kind need is read once, before the first of them is carried out.

Children inherit the modules that were imported and the tables that were read here; each would take
a tenth of a second for them.
"""

from __future__ import annotations

import gc
import logging
import tempfile
from pathlib import Path
from typing import Any

from schemas.handover import Briefing
from schemas.protocols import Calculation
from schemas.registry import engines
from schemas.stage_file import StageFile

logger = logging.getLogger(__name__)

_warm: set[tuple[str, str]] = set()


def warm_up(stage: StageFile) -> None:
    """Have an engine do for a stage what starts no program, if it has not for its task."""
    order = stage.briefing.order
    if (order.engine, order.task) in _warm:
        return
    _warm.add((order.engine, order.task))
    try:
        engine: Any = engines.get(order.engine)
        # One that computes in its process may start threads, which no child could use.
        if not hasattr(engine, "compute"):
            _rehearse(engine, stage)
    except Exception as error:  # noqa: BLE001  (who carries the stage out will say so)
        logger.info("%s: %s", order.engine, error)
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page of what was read


def _rehearse(engine: Any, stage: StageFile) -> None:
    order = stage.briefing.order
    calculation = _calculation(engine, stage.briefing)
    engine.work(calculation.structure, order.task, calculation.params)
    with tempfile.TemporaryDirectory() as folder:
        engine.inputs(calculation, Path(folder), stage.site)
        engine.command(calculation, stage.site)
        engine.handlers(calculation)
        engine.diagnose(Path(folder))
        engine.parse(order.task, Path(folder))


def _calculation(engine: Any, briefing: Briefing) -> Calculation:
    order = briefing.order
    return Calculation(
        task=order.task,
        structure=briefing.candidate.structure,
        params=engine.params.model_validate(order.params),
        resources=order.resources,
        upstream={},
        protected=order.protected,
    )
