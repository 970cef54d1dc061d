"""Where a store is, as one line of text: a file's path, or the address of a server.

    /data/campaigns.db
    mongodb://me@host-a,host-b:27017/name?replicaSet=rs1&password_env=DATABASE_PASSWORD
    documentdb://host/name?tlsCAFile=/etc/ssl/global-bundle.pem&secret=campaigns/database

Addresses are MongoDB's own, with the scheme `documentdb` for Amazon DocumentDB and three options
more, which say where the password comes from. The text never holds the password itself, so it may
be shown, stored and handed to workers; each process looks the password up.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote

DEFAULT_DATABASE = "matcampaign"
SCHEMES = ("mongodb", "mongodb+srv", "documentdb")
PASSWORD_SOURCES = ("password_env", "password_file", "secret")
FILES = ("tlsCAFile", "tlsCertificateKeyFile", "password_file")
"""Options that are paths."""
WITHOUT_PASSWORD = ("MONGODB-X509", "MONGODB-AWS", "MONGODB-OIDC", "GSSAPI")
"""Ways to authenticate that need no password of ours."""
SECRETS = ("tlscertificatekeyfilepassword", "sslpempassphrase", "proxypassword")
"""Options that are passwords themselves, in small letters."""
_HOST = re.compile(r"(\[[^\]]*\]|[^:\[\]@]*)(:\d*)?")
_OPTION = re.compile(r"[A-Za-z_]+")
_DOCUMENTDB_HOSTS = (".docdb.amazonaws.com", ".docdb.amazonaws.com.cn")

Kind = Literal["embedded", "mongodb", "documentdb"]


def is_embedded(text: str) -> bool:
    """Tell whether a location is the file of an embedded store."""
    return "://" not in text


@dataclass(frozen=True)
class Server:
    """The parts of a server's address; `text` puts them together again, without the password."""

    scheme: str
    hosts: str
    """One or several with commas between, with ports; empty where the secret tells it."""
    database: str = ""
    """As it is written; where it is not, users are those of the server and not of a database."""
    user: str = ""
    password: str = field(default="", repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    """MongoDB's own, as they are written."""
    source: tuple[str, str] | None = None
    """Where the password comes from: one of PASSWORD_SOURCES, and its name or path."""

    @property
    def kind(self) -> Kind:
        """What it is, as far as the address tells."""
        named = [host.partition(":")[0] for host in self.hosts.split(",")]
        amazon = any(host.lower().endswith(_DOCUMENTDB_HOSTS) for host in named)
        return "documentdb" if amazon or self.scheme == "documentdb" else "mongodb"

    @property
    def name(self) -> str:
        """The database's name."""
        return self.database or DEFAULT_DATABASE

    @property
    def text(self) -> str:
        """The address in one line."""
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        options = [*self.options.items(), *([self.source] if self.source else [])]
        asked = "&".join(f"{name}={quote(value, safe='/:,')}" for name, value in options)
        return f"{self.scheme}://{user}{self.hosts}/{self.database}{asked and '?'}{asked}"

    @property
    def needs_password(self) -> bool:
        """Tell whether a password must be found before one can connect."""
        return self.source is not None or (
            bool(self.user) and self.option("authMechanism").upper() not in WITHOUT_PASSWORD
        )

    def option(self, name: str) -> str:
        """Return an option's value, or an empty text; capital and small letters are the same."""
        return {key.lower(): value for key, value in self.options.items()}.get(name.lower(), "")


def parse(text: str) -> Server:
    """Return the parts of a server's address.

    Raises
    ------
    ValueError
        Saying what was expected, without repeating what may hold a password.
    """
    scheme, _, rest = text.partition("://")
    if scheme.lower() not in SCHEMES:
        raise ValueError(
            f"a path, or an address that begins with one of {', '.join(SCHEMES)}, each with ://"
        )
    before, _, asked = rest.partition("?")
    authority, _, database = before.partition("/")
    credentials, _, hosts = authority.rpartition("@")
    user, _, password = credentials.partition(":")
    pairs = dict(parse_qsl(asked, keep_blank_values=True))
    sources = [(name, pairs.pop(name)) for name in PASSWORD_SOURCES if name in pairs]
    server = Server(
        scheme=scheme.lower(),
        hosts=hosts,
        database=unquote(database.strip("/")),
        user=unquote(user),
        password=unquote(password),
        options=pairs,
        source=sources[0] if sources else None,
    )
    if not _is_whole(server):
        # What follows may be half of a password: nothing of it is repeated.
        raise ValueError(
            "an address whose user and password have %40 for @, %2F for /, %3F for ?, %23 for # "
            "and %25 for %, as in mongodb://me:p%40ss@host:27017/name?option=value"
        )
    tokens = "session_token:" in server.option("authMechanismProperties").lower()
    if tokens or any(server.option(name) for name in SECRETS):
        raise ValueError(
            "an address without passwords among its options: a certificate whose key needs none "
            "(and which only you may read), and tokens in the environment"
        )
    if problem := _problem(server, len(sources)):
        raise ValueError(problem)
    return server


def absolute(server: Server, folder: Path) -> Server:
    """Return the address with its paths absolute; relative ones start at the folder."""

    def path(value: str) -> str:
        return os.path.normpath(folder.absolute() / Path(value).expanduser())

    options = {
        name: path(value) if name in FILES else value for name, value in server.options.items()
    }
    source = server.source
    if source and source[0] in FILES:
        source = (source[0], path(source[1]))
    return replace(server, options=options, source=source)


def _is_whole(server: Server) -> bool:
    """Tell whether the parts are what they seem, and none is cut out of a password."""
    return (
        "@" not in server.database
        and all(_HOST.fullmatch(host) for host in server.hosts.split(","))
        and all(_OPTION.fullmatch(name) for name in server.options)
    )


def _problem(server: Server, sources: int) -> str:
    if not server.hosts and (server.source is None or server.source[0] != "secret"):
        return "an address with a host: mongodb://host/name"
    if any(mark in server.database for mark in '/\\. "$'):
        return f"a database's name without / \\ . \" $ or blanks, not '{server.database}'"
    if sources > 1 or (sources and server.password):
        return f"a single source of the password, not several of {', '.join(PASSWORD_SOURCES)}"
    if server.option("readPreference").lower() not in ("", "primary"):
        return (
            "an address without readPreference: workers read what was written a moment ago, which "
            "only the primary is sure to have"
        )
    if server.kind == "documentdb" and server.option("retryWrites").lower() not in ("", "false"):
        return "an address without retryWrites=true, which DocumentDB refuses"
    return ""
