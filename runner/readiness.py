"""Whether a campaign can run here at all, asked before anything is started."""

from __future__ import annotations

import shutil

from runner.load import LoadedCampaign
from runner.place import Place
from schemas.errors import UserError


def require_price(loaded: LoadedCampaign, place: Place) -> None:
    """Raise UserError when dollars are capped and nobody said what a core-hour costs."""
    if loaded.campaign.budget.usd is not None and place.site.usd_per_core_hour is None:
        raise UserError(
            f"{loaded.path}: budget.usd: nothing says what a core-hour costs; give "
            "`run: {usd_per_core_hour: 0.04}`, there or in a profile, or use budget.core_hours"
        )


def require_programs(loaded: LoadedCampaign, place: Place) -> None:
    """Raise UserError when a stage's program is not there: every calculation would fail."""
    for stage in loaded.calculations:
        for program in stage.plugin.programs(place.site):
            if shutil.which(program) is None:
                raise UserError(
                    f"stages.{stage.name}: no program '{program}' on this machine; install it, or "
                    "name it under `codes` in a profile (`campaign doctor` says more)"
                )
