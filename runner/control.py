"""The right to control a campaign: one process at a time, renewed while it lives."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fireworks_ext import leases
from fireworks_ext.processes import is_gone, parse, this_process
from fireworks_ext.store import Store

logger = logging.getLogger(__name__)


@dataclass
class Control:
    """A held right; `lost` once another process has taken over."""

    lease: leases.Lease
    lost: bool = False


def controller_lease(campaign: str) -> str:
    """Return the name of the lease of a campaign's controller."""
    return f"controller:{campaign}"


@contextmanager
def control_of(store: Store, campaign: str) -> Iterator[Control | None]:
    """Hold the right to control a campaign; None while another living process has it.

    It is renewed in the background: a large screening takes longer than a lease lasts.
    """
    lease = _acquire(store, controller_lease(campaign))
    if lease is None:
        yield None
        return
    control, done = Control(lease), threading.Event()
    thread = threading.Thread(target=_renew, args=(store, control, done), daemon=True)
    thread.start()
    try:
        yield control
    finally:
        done.set()
        thread.join()
        leases.release(store, lease)


def _acquire(store: Store, name: str) -> leases.Lease | None:
    lease = leases.acquire(store, name, this_process())
    if lease is not None:
        return lease
    held = store.leases.find_one({"_id": name}) or {}
    owner = parse(held.get("owner", ""))
    if owner is None or not is_gone(owner):
        return None
    leases.release(store, leases.Lease(name, owner.name, held["token"]))
    return leases.acquire(store, name, this_process())


def _renew(store: Store, control: Control, done: threading.Event) -> None:
    while not done.wait(leases.RENEW_S):
        try:
            control.lost = not leases.renew(store, [control.lease])
        except Exception as error:  # noqa: BLE001  (the next time is another chance: a lease is 4)
            logger.warning("controller: %s", error)
