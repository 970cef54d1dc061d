"""What `campaign doctor` says about a server: can it be used, by this user, from here, and well."""

from __future__ import annotations

import logging
import os
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from fireworks import LaunchPad
from pymongo.errors import OperationFailure, PyMongoError

from fireworks_ext.database.indexes import FIREWORKS_INDEXES, INDEXES, WORKFLOW_INDEXES, Keys
from fireworks_ext.database.outages import reason
from fireworks_ext.database.servers import connect, host_names, is_encrypted
from schemas.errors import UserError
from schemas.location import Server, parse
from schemas.protocols import Finding

ROUND_TRIPS = 20
SLOW_MS = 50.0
"""A worker makes some round trips per stage; above this, short stages wait for the database."""
LEAST_WIRE_VERSION = 9  # MongoDB 4.4, DocumentDB 5.0 (which says 13): the driver's own limit
SKEW_WARNING_S = 5.0
SKEW_ERROR_S = 60.0  # half a lease: beyond it, machines take each other for dead


def examine(location: str) -> Iterator[Finding]:
    """Say whether a server can be reached and used, and what to do where it cannot."""
    try:
        server = parse(location)
        launchpad = connect(server)
    except (UserError, ValueError) as error:
        yield Finding("store", "missing", str(error))
        return
    try:
        yield from _findings(server, launchpad)
    except PyMongoError as error:
        message = f"it cannot be looked at any further ({reason(error)})"
        yield Finding("store", "missing", message, "check that it runs, and try again")
    finally:
        launchpad.connection.close()


def _findings(server: Server, launchpad: LaunchPad) -> Iterator[Finding]:
    yield Finding("store", "ok", f"connected to {server.text}")
    yield _version(server, launchpad)
    yield _round_trip(launchpad)
    yield _clock(launchpad)
    yield _encryption(launchpad)
    yield _write_concern(launchpad)
    yield _permissions(launchpad)
    yield _indexes(launchpad)


def _hello(launchpad: LaunchPad) -> dict[str, Any]:
    admin = launchpad.connection.admin
    try:
        answer: dict[str, Any] = admin.command("hello")
    except OperationFailure:
        answer = admin.command("isMaster")  # what older servers, and some others, know it by
    return answer


def _version(server: Server, launchpad: LaunchPad) -> Finding:
    wire = int(_hello(launchpad).get("maxWireVersion", 0))
    info = launchpad.connection.admin.command("buildInfo")
    found = f"{_product(server, info)} {info.get('version', '?')} (wire version {wire})"
    if wire < LEAST_WIRE_VERSION:
        return Finding(
            "server",
            "missing",
            f"{found}, needs at least wire version {LEAST_WIRE_VERSION}",
            "use MongoDB 4.4, Amazon DocumentDB 5.0 or later",
        )
    return Finding("server", "ok", found)


def _product(server: Server, info: dict[str, Any]) -> str:
    if server.kind == "documentdb":
        return "Amazon DocumentDB"
    if any(key.lower().startswith("ferretdb") for key in info):
        return "FerretDB"
    return "MongoDB" if "storageEngines" in info else "a server that speaks MongoDB's language,"


def _round_trip(launchpad: LaunchPad) -> Finding:
    took_ms = []
    for _ in range(ROUND_TRIPS):
        began = time.perf_counter()
        launchpad.db.command("ping")
        took_ms.append(1000 * (time.perf_counter() - began))
    median_ms = statistics.median(took_ms)
    message = f"{median_ms:.1f} ms (median of {ROUND_TRIPS})"
    if median_ms <= SLOW_MS:
        return Finding("round trip", "ok", message)
    return Finding(
        "round trip", "warning", message, "run workers nearer to the database: in its region"
    )


def _clock(launchpad: LaunchPad) -> Finding:
    skew_s = clock_skew_s(launchpad)
    if skew_s is None:
        return Finding("clock", "ok", "the server does not tell its time")
    message = f"this machine is {abs(skew_s):.1f} s {'ahead' if skew_s > 0 else 'behind'}"
    if abs(skew_s) <= SKEW_WARNING_S:
        return Finding("clock", "ok", message)
    return Finding(
        "clock",
        "warning" if abs(skew_s) <= SKEW_ERROR_S else "missing",
        message,
        "set the clock (NTP, chrony): leases of machines are compared by it",
    )


def clock_skew_s(launchpad: LaunchPad) -> float | None:
    """Return by how much this clock is ahead of the server's, or None if it does not say.

    Of some answers the quickest counts: half of its round trip is what the time may be off.
    """
    found: list[tuple[float, float]] = []
    for _ in range(ROUND_TRIPS):
        began = time.perf_counter()
        here = datetime.now(UTC)
        there = _hello(launchpad).get("localTime")
        took_s = time.perf_counter() - began
        if not isinstance(there, datetime):
            return None
        if there.tzinfo is None:
            there = there.replace(tzinfo=UTC)
        found.append((took_s, (here - there).total_seconds() + took_s / 2))
    return min(found)[1]


def _encryption(launchpad: LaunchPad) -> Finding:
    if is_encrypted(launchpad):
        return Finding("encryption", "ok", "TLS")
    if all(_is_here(host) for host in host_names(launchpad)):
        return Finding("encryption", "ok", "none, and the server is on this machine")
    return Finding(
        "encryption",
        "warning",
        "none: passwords and structures can be read on the way",
        "have the server speak TLS, and give `tls: true` and `ca_file`",
    )


def _is_here(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith(("127.", "/"))


def _write_concern(launchpad: LaunchPad) -> Finding:
    asked = launchpad.connection.write_concern.document.get("w")
    if asked == "majority":
        return Finding("write concern", "ok", "majority")
    return Finding(
        "write concern",
        "warning",
        f"w={asked}: after a failover, results that were acknowledged may be gone",
        "leave `w` out of the address",
    )


def _permissions(launchpad: LaunchPad) -> Finding:
    name = f"doctor_{socket.gethostname().replace('.', '_')}_{os.getpid()}"
    scratch = launchpad.db[name]
    steps: dict[str, Callable[[], object]] = {
        "insert documents": lambda: scratch.insert_one({"_id": 1, "n": 1}),
        "make an index": lambda: scratch.create_index([("n", 1)]),
        "change documents": lambda: scratch.update_one({"_id": 1}, {"$set": {"n": 2}}),
        "remove documents": lambda: scratch.delete_one({"_id": 1}),
        "drop a collection": scratch.drop,
    }
    for step, carry_out in steps.items():
        try:
            carry_out()
        except PyMongoError as error:
            with suppress(PyMongoError):
                scratch.drop()
            return Finding(
                "permissions",
                "missing",
                f"may not {step} in '{launchpad.name}' ({reason(error)})",
                f"give the user the role readWrite on the database '{launchpad.name}'",
            )
    return Finding("permissions", "ok", "may write, make indexes and remove")


def _indexes(launchpad: LaunchPad) -> Finding:
    if "campaigns" not in launchpad.db.list_collection_names():
        return Finding("indexes", "ok", "made by the first run")
    missing = missing_indexes(launchpad)
    if not missing:
        return Finding("indexes", "ok", "all there, FireWorks' and ours")
    shown = ", ".join(f"{name}({', '.join(key for key, _ in keys)})" for name, keys in missing)
    return Finding(
        "indexes",
        "warning",
        f"{len(missing)} missing: {shown}",
        "start `campaign run` with any campaign of this store: it makes them",
    )


def missing_indexes(launchpad: LaunchPad) -> list[tuple[str, Keys]]:
    """Return collections and fields of the indexes that a store should have and has not."""
    wanted = list(dict.fromkeys([*fireworks_indexes(), *INDEXES]))
    there = {
        name: {
            tuple((field, int(direction)) for field, direction in one["key"])
            for one in launchpad.db[name].index_information().values()
        }
        for name in {name for name, _ in wanted}
    }
    return [(name, keys) for name, keys in wanted if keys not in there[name]]


def fireworks_indexes() -> list[tuple[str, Keys]]:
    """Return the indexes that FireWorks makes, asked of its own code."""
    found: list[tuple[str, Keys]] = []

    def recorder(name: str) -> SimpleNamespace:
        def create_index(keys: str | list[tuple[str, int]], **_: object) -> None:
            given = [(keys, 1)] if isinstance(keys, str) else keys
            found.append((name, tuple(given)))

        return SimpleNamespace(create_index=create_index)

    names = ("fireworks", "launches", "workflows")
    stand_in = SimpleNamespace(
        **{name: recorder(name) for name in names},
        db=_Nowhere(),
        user_indices=FIREWORKS_INDEXES,
        wf_user_indices=WORKFLOW_INDEXES,
        m_logger=logging.getLogger(__name__),
    )
    LaunchPad.tuneup(stand_in)
    return found


class _Nowhere:
    """Collections of which nothing is wanted: those of GridFS."""

    def __getitem__(self, _: str) -> SimpleNamespace:
        return SimpleNamespace(create_index=lambda *_args, **_options: None)
