"""Connections to servers: what is asked of every one, and what DocumentDB needs besides."""

from __future__ import annotations

import re
import ssl
import warnings
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from fireworks import LaunchPad
from fireworks.core import launchpad as module
from pymongo import MongoClient
from pymongo.errors import ConfigurationError, PyMongoError, ServerSelectionTimeoutError

from fireworks_ext.database.documentdb import without_what_it_refuses
from fireworks_ext.database.outages import DatabaseAwayError, reason, without_credentials
from fireworks_ext.database.passwords import Credentials, credentials
from fireworks_ext.database.patience import Patience, patient
from fireworks_ext.database.workflow_locks import use_known_locks
from schemas.errors import UserError
from schemas.location import WITHOUT_PASSWORD, Server, parse

OPTIONS: dict[str, Any] = {
    "appname": "matcampaign",
    # What is acknowledged is on most members' disks: nothing that was computed is lost.
    "w": "majority",
    # One try; operations are repeated for longer by our own patience.
    "serverSelectionTimeoutMS": 5_000,
    "connectTimeoutMS": 10_000,
    # A connection that a router forgot is given up while there is time to prolong a lease.
    "socketTimeoutMS": 60_000,
    # Thousands of workers share what a server serves (a small DocumentDB: 1000 connections): few
    # per process, none while its program computes for long, and none to measure round trips.
    "maxPoolSize": 4,
    "maxIdleTimeMS": 60_000,
    "serverMonitoringMode": "poll",
}
DOCUMENTDB_OPTIONS: dict[str, Any] = {
    "tls": True,  # clusters ask for it
    "retryWrites": False,  # it refuses retryable writes
    "authSource": "admin",  # where its users are
    "replicaSet": "rs0",  # every cluster's name; by it a new primary is found
    "readPreference": "primary",  # replicas lag, and workers read what was written a moment ago
}
_PORT = re.compile(r":\d+$")
_REFUSALS = (PyMongoError, ssl.SSLError, OSError, ValueError, UserWarning)
FILES = {
    "tlsCAFile": (
        "ca_file",
        "for DocumentDB it is the bundle `global-bundle.pem` that Amazon publishes",
    ),
    "tlsCertificateKeyFile": ("certificate_file", "expected a certificate with its key (PEM)"),
}


def uri_of(server: Server, hosts: str = "") -> str:
    """Return MongoDB's connection string for an address, complete but for user and password.

    What the address says itself precedes what is asked of every server.
    """
    scheme = "mongodb" if server.scheme == "documentdb" else server.scheme
    defaults = {**OPTIONS, **(DOCUMENTDB_OPTIONS if server.kind == "documentdb" else {})}
    if server.option("directConnection").lower() == "true":
        defaults.pop("replicaSet", None)
    if server.option("authMechanism").upper() in WITHOUT_PASSWORD:
        defaults.pop("authSource", None)  # the driver knows where those users are
    options = dict(server.options)
    options |= {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in defaults.items()
        if not server.option(name) and not (name == "tls" and server.option("ssl"))
    }
    plain = replace(
        server, scheme=scheme, hosts=server.hosts or hosts, user="", source=None, options=options
    )
    return plain.text


def connect(server: Server, wait_s: float = 0.0) -> LaunchPad:
    """Return FireWorks' LaunchPad on a server, whose operations are repeated during outages.

    A server that is away is waited for `wait_s`, and some seconds in any case.

    Raises
    ------
    UserError
        When there is no password, or the server does not answer, or refuses.
    """
    _require_files(server)
    found = credentials(server)
    uri = uri_of(server, found.hosts)
    try:
        launchpad = _launchpad(server, uri, found)
    except _REFUSALS as error:
        raise _unreachable(server, uri, error) from None
    try:
        _greet(launchpad, wait_s)
    except _REFUSALS as error:
        launchpad.connection.close()
        raise _unreachable(server, uri, error) from None
    return launchpad


def _greet(launchpad: LaunchPad, wait_s: float) -> None:
    """Have the server answer to its first questions."""
    patience = launchpad.db.patience
    usual_s, patience.budget_s = patience.budget_s, wait_s
    for last in (False, False, True):
        try:
            launchpad.db.command("ping")
            # Asks for a permission too, which a ping does not.
            launchpad.db.list_collection_names(filter={"name": "campaigns"})
            break
        except DatabaseAwayError as error:
            # The driver itself looks for a server for a while; only lost connections come back.
            if last or isinstance(error.__cause__, ServerSelectionTimeoutError):
                raise
    patience.budget_s = usual_s


def _launchpad(server: Server, uri: str, found: Credentials) -> LaunchPad:
    # An embedded store that this process opened before has put its own client there.
    module.MongoClient = MongoClient
    with warnings.catch_warnings():
        # The driver only warns of options that it does not know, and goes on without them.
        warnings.filterwarnings("error", category=UserWarning, module="pymongo")
        warnings.filterwarnings("ignore", "You appear to be connected to a DocumentDB")
        launchpad = LaunchPad(
            host=uri,
            name=server.name,
            uri_mode=True,
            strm_lvl="ERROR",
            mongoclient_kwargs=_presented(found),
        )
    launchpad.mongoclient_kwargs = {}  # they hold the password, and it shows them
    without_what_it_refuses(launchpad)
    make_patient(launchpad, Patience())
    # Nobody closes a store; the driver complains of that, and the server would have to find out.
    weakref.finalize(launchpad.db, launchpad.connection.close)
    return launchpad


def is_encrypted(launchpad: LaunchPad) -> bool:
    """Tell whether what goes to the server and comes from it is encrypted."""
    server = parse(launchpad.host)
    asked = server.option("tls") or server.option("ssl")
    return asked.lower() == "true" or (not asked and server.scheme == "mongodb+srv")


def host_names(launchpad: LaunchPad) -> list[str]:
    """Return the hosts that the address names, without ports."""
    hosts = parse(launchpad.host).hosts.split(",")
    return [_PORT.sub("", unquote(host)).strip("[]") for host in hosts]


def make_patient(launchpad: LaunchPad, patience: Patience) -> None:
    """Have all that FireWorks does with its database repeated during outages."""
    use_known_locks()
    database = patient(launchpad.db, patience=patience)
    launchpad.db = database
    for name in ("fireworks", "launches", "offline_runs", "fw_id_assigner", "workflows"):
        setattr(launchpad, name, database[name])


def _presented(found: Credentials) -> dict[str, Any]:
    presented = {"username": found.user, "password": found.password}
    return {name: value for name, value in presented.items() if value}


def _require_files(server: Server) -> None:
    for option, (field, hint) in FILES.items():
        path = server.option(option)
        if path and not Path(path).is_file():
            raise UserError(f"store.{field}: there is no file {path}; {hint}")


def _unreachable(server: Server, uri: str, error: Exception) -> UserError:
    cause = error.__cause__ if error.__cause__ is not None else error
    told = without_credentials(reason(cause))
    place = f"store: no database at '{uri.partition('://')[2].partition('/')[0]}'"
    return UserError(f"{place} ({told}); {_remedy(server, cause, told)}")


def _remedy(server: Server, error: BaseException, told: str) -> str:
    code = getattr(error, "code", None)
    lower = told.lower()
    if "wire version" in lower:
        return "a server of MongoDB 4.4, DocumentDB 5.0 or later is needed"
    if code in (18, 13) or "authentication failed" in lower:  # AuthenticationFailed, Unauthorized
        return "check user and password, and `authSource`: the database in which the user is known"
    if "certificate verify failed" in lower:
        return "check `ca_file`, and that `host` is the name in the server's certificate"
    if "ssl handshake failed" in lower:
        return "check that this port of the server speaks TLS (`tls: false` where it does not)"
    if isinstance(error, (ConfigurationError, ValueError, UserWarning)):
        return "check the options of the address"
    tls = server.kind == "documentdb" or server.option("tls").lower() == "true"
    switch = "" if tls else ", and whether the server asks for TLS (`tls: true`, `ca_file`)"
    return f"check the address and that it can be reached from here{switch}"
