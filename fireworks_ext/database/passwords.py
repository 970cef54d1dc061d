"""Where the password of a database comes from: the environment, a file, AWS Secrets Manager.

Every process looks it up when it connects; nothing here is stored, logged or handed on.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from schemas.location import Server, parse

STORE_VARIABLE = "MATCAMPAIGN_STORE"
OTHERS = stat.S_IRWXG | stat.S_IRWXO
SECRET_TIMEOUT_S = 10
_REGION_OF_ARN = re.compile(r"^arn:[^:]+:secretsmanager:([^:]+):")


@dataclass(frozen=True)
class Credentials:
    """A user and a password; both empty where the server asks for none."""

    user: str = ""
    password: str = field(default="", repr=False)
    hosts: str = ""
    """Where a secret says so."""


def credentials(server: Server, environ: Mapping[str, str] | None = None) -> Credentials:
    """Return what to present to a server.

    Raises
    ------
    UserError
        When a password is needed and not found.
    """
    environment = os.environ if environ is None else environ
    if server.password:
        return Credentials(server.user, server.password)
    if not server.needs_password:
        return Credentials(server.user)
    if server.source is None:
        return Credentials(server.user, _of_environment(server, environment))
    kind, name = server.source
    if kind == "secret":
        return _of_secret(server, name)
    found = _of_variable(name, environment) if kind == "password_env" else _of_file(Path(name))
    return Credentials(server.user, found)


def _of_environment(server: Server, environ: Mapping[str, str]) -> str:
    """Return the password of the same address in MATCAMPAIGN_STORE."""
    try:
        given = parse(environ.get(STORE_VARIABLE, ""))
    except ValueError:
        given = None
    if given is None or not given.password or _place(given) != _place(server):
        raise UserError(
            f"store: no password for '{server.user}' at {server.hosts}; say where it is in the "
            "address (password_env=VARIABLE, password_file=PATH or secret=NAME), or give the "
            f"address with its password in {STORE_VARIABLE}"
        )
    return given.password


def _place(server: Server) -> tuple[str, ...]:
    return server.scheme, server.user, server.hosts, server.database


def _of_variable(name: str, environ: Mapping[str, str]) -> str:
    if not environ.get(name):
        raise UserError(f"store.password_env: {name} is not set in this environment; set it")
    return environ[name]


def _of_file(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_text("utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not a text file"
        raise UserError(f"store.password_file: cannot read {path} ({why})") from None
    if mode & OTHERS:
        raise UserError(
            f"store.password_file: others than you may read {path}; do: chmod 600 {path}"
        )
    if not text:
        raise UserError(f"store.password_file: {path} is empty, expected a password")
    return text


def _of_secret(server: Server, name: str) -> Credentials:
    found = _secret(name)
    user, password = found.get("username") or server.user, found.get("password")
    if not user or not password:
        raise UserError(
            f"store.secret: the secret '{name}' holds no username and password; expected JSON like "
            '{"username": "...", "password": "..."}'
        )
    host, port = found.get("host"), found.get("port")
    hosts = server.hosts or (f"{host}:{port}" if host and port else host or "")
    if not hosts:
        raise UserError(
            f"store.secret: neither the address nor the secret '{name}' names a host; give `host`"
        )
    return Credentials(str(user), str(password), str(hosts))


def _secret(name: str) -> dict[str, Any]:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise UserError(
            f"store.secret: '{name}' needs boto3: pip install 'matcampaign[aws]'"
        ) from error
    region = _REGION_OF_ARN.match(name)
    config = Config(connect_timeout=SECRET_TIMEOUT_S, read_timeout=SECRET_TIMEOUT_S)
    try:
        client = boto3.client(
            "secretsmanager", config=config, region_name=region.group(1) if region else None
        )
        text = client.get_secret_value(SecretId=name)["SecretString"]
        found = json.loads(text)
    except (BotoCoreError, ClientError) as error:
        raise UserError(
            f"store.secret: cannot read the secret '{name}' ({error}); check its name, the region "
            "and that you may call secretsmanager:GetSecretValue"
        ) from None
    except (KeyError, ValueError):
        found = None  # and no word of what it holds
    return found if isinstance(found, dict) else {}
