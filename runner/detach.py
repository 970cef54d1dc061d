"""A controller that outlives the terminal where it was started, and how it is told to leave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from fireworks_ext.processes import Process, is_gone, parse, place_name
from fireworks_ext.store import Store, open_store
from runner.control import controller_lease
from runner.load import LoadedCampaign
from runner.place import Place
from schemas.errors import UserError
from schemas.fleet import ControllerReport

START_S = 120.0
"""For a controller to read its file, and to get control of its campaign."""
LOOK_S = 0.1
TAIL_LINES = 20


def detach(store: Store, campaign: str, arguments: Sequence[str], log: Path) -> ControllerReport:
    """Start `campaign` with these arguments in a session of its own; return once it controls.

    Raises
    ------
    UserError
        When another process controls the campaign, or the new one ended at once: with its words.
    """
    owner = controller(store, campaign)
    if owner is not None:
        raise UserError(f"{campaign} is controlled already, by {_who(owner)}; `campaign stop` it")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        begins_at = output.tell()
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", "from runner.cli import main; main()", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    host = place_name()
    report = ControllerReport(campaign=campaign, host=host, pid=process.pid, log=log)
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        owner = controller(store, campaign)
        if owner is not None and owner.pid == process.pid:
            return report
        time.sleep(LOOK_S)
    if process.returncode == 0:
        return report  # there was so little to do
    said = log.read_bytes()[begins_at:].decode(errors="replace").splitlines()
    if process.returncode is None:
        process.terminate()
        said.append(f"it did not get control of the campaign within {START_S:.0f} s")
    raise UserError("\n".join(said[-TAIL_LINES:]))


def detached_run(
    loaded: LoadedCampaign, place: Place, arguments: Sequence[str]
) -> ControllerReport:
    """Start the controller of a campaign as it would run here, but in the background.

    Raises UserError where it would end at once.
    """
    name = loaded.campaign.campaign
    log = place.data / "logs" / f"{name}-controller.log"
    left = [one for one in arguments if one not in {"--detach", "--json"}]
    return detach(open_store(place.store), name, left, log)


def controller(store: Store, campaign: str) -> Process | None:
    """Return the living process that controls a campaign, as far as can be known from here."""
    held = store.leases.find_one(
        {"_id": controller_lease(campaign), "expires_at": {"$gt": time.time()}}
    )
    owner = parse(held["owner"]) if held else None
    return None if owner is None or is_gone(owner) else owner


def stop(store: Store, campaign: str, *, now: bool) -> ControllerReport:
    """Tell the controller of a campaign to leave; return which that is.

    Parameters
    ----------
    now
        As Ctrl-C twice: what runs on this machine is stopped, its state saved.

    Raises
    ------
    UserError
        When nobody controls it, or somebody on another machine.
    """
    owner = controller(store, campaign)
    if owner is None:
        raise UserError(f"nobody controls {campaign}; there is nothing to stop")
    if owner.host != place_name():
        raise UserError(f"{campaign} is controlled by {_who(owner)}; stop it there")
    os.kill(owner.pid, signal.SIGTERM if now else signal.SIGINT)
    return ControllerReport(campaign=campaign, host=owner.host, pid=owner.pid)


def _who(owner: Process) -> str:
    return f"process {owner.pid} on {owner.host.partition('~')[0]}"
