"""What a user of FireWorks does who does not know our programs: `lpad` after a crash, rockets."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from fireworks import FWorker, LaunchPad
from fireworks.core import rocket, rocket_launcher

from fireworks_ext.store import Store, open_store
from fireworks_ext.worker.sessions import forget

STOCK = "somebody's"
"""Name of FireWorks' own worker."""


def put_right(store: Store) -> None:
    """Do after a crash what FireWorks' manual says, when everything has been silent for long."""
    launchpad = store.launchpad
    # `lpad admin unlock`
    store.workflows.update_many({"locked": {"$exists": True}}, {"$unset": {"locked": ""}})
    # `lpad detect_lostruns --time 0 --rerun --refresh`
    launchpad.detect_lostruns(expiration_secs=0, rerun=True, refresh=True)
    # `lpad admin refresh`, of what FireWorks itself calls neither lost nor unreserved
    for firework in list(store.fireworks.find({"state": "RESERVED"}, {"fw_id": 1})):
        launchpad._refresh_wf(firework["fw_id"])
    # By then the lease of the dead has run out.
    store.leases.update_many({}, {"$set": {"expires_at": 0.0}})


def rapidfire(store: Store, campaign: str, folder: Path) -> None:
    """Run with FireWorks' own rockets what is READY, in this process, until nothing is."""
    rocket.PRINT_FW_JSON = False
    rocket.ROCKET_STREAM_LOGLEVEL = "CRITICAL"
    forget()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)  # FireWorks writes into the working directory
    worker = FWorker(name=STOCK, query={"spec.campaign": campaign})
    with Path(os.devnull).open("w") as nowhere:
        while rocket.Rocket(store.launchpad, worker, None).run(err_file=nowhere):
            pass


def states(store: Store) -> dict[tuple[str, str], str]:
    """Return the states of all fireworks, by candidate and stage."""
    wanted = {"spec.order.formula": 1, "spec.stage": 1, "state": 1}
    return {
        (one["spec"]["order"]["formula"], one["spec"]["stage"]): one["state"]
        for one in store.fireworks.find({}, wanted)
    }


def entries(store: Store) -> dict[tuple[str, str], Any]:
    """Return the states of all stages in the ledger, by candidate and stage."""
    return {
        (one["formula"], stage): entry["state"]
        for one in store.candidates.find({"member": True})
        for stage, entry in one["stages"].items()
    }


def main() -> None:
    """Be `rlaunch rapidfire` on any store: `python stock_fireworks.py STORE CAMPAIGN`."""
    location, campaign = sys.argv[1:]
    rapidfire_until_killed(open_store(location).launchpad, {"spec.campaign": campaign})


def rapidfire_until_killed(launchpad: LaunchPad, query: dict[str, str]) -> None:
    """Launch whatever is READY, in the working directory, as `rlaunch rapidfire` does."""
    worker = FWorker(name=STOCK, query=query)
    rocket_launcher.rapidfire(launchpad, worker, nlaunches=-1, sleep_time=0.2, strm_lvl="CRITICAL")


if __name__ == "__main__":
    main()
