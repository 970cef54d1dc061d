"""The server that keeps campaigns, field by field, as a profile names it; without its password."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from schemas.location import DEFAULT_DATABASE, PASSWORD_SOURCES, Server, parse
from schemas.model import Model

PORT = 27017


class ServerAddress(Model):
    """What addresses of servers have in common."""

    host: str | None = Field(
        default=None,
        min_length=1,
        pattern=r"^[^\s/@?]+$",
        description="Name of the server, or several of a replica set with commas between. May be "
        "left out where the secret holds it.",
    )
    port: int = Field(default=PORT, ge=1, le=65535, description="Where no port stands in `host`.")
    database: str = Field(
        default=DEFAULT_DATABASE,
        pattern=r'^[^/\\. "$]{1,63}$',
        description="Database in which everything is kept, FireWorks' collections too.",
    )
    user: str | None = Field(default=None, description="User; a secret may hold it instead.")
    password_env: str | None = Field(
        default=None, description="Environment variable that holds the password."
    )
    password_file: Path | None = Field(
        default=None,
        description="File that holds the password and nothing else; refused where others may "
        "read it.",
    )
    secret: str | None = Field(
        default=None,
        description="Name or ARN of a secret in AWS Secrets Manager: JSON with `username` and "
        "`password`, and with `host` and `port` if you like. Needs `pip install matcampaign[aws]`.",
    )
    ca_file: Path | None = Field(
        default=None,
        description="Certificates (PEM) of those who may have signed the server's; else those "
        "that Python knows.",
    )
    certificate_file: Path | None = Field(
        default=None,
        description="Certificate and key (PEM) by which the server knows this client; with "
        "`options: {authMechanism: MONGODB-X509}` in place of a password.",
    )
    direct: bool = Field(
        default=False,
        description="Speak to this host only, as through a tunnel; a failover is not followed.",
    )
    options: dict[str, str | int | bool] = Field(
        default_factory=dict, description="Further options of MongoDB's connection strings."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name in PASSWORD_SOURCES if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"a single source of the password, not {' and '.join(given)}")
        if self.host is None and self.secret is None:
            raise ValueError("a `host`, or a `secret` that holds one")
        if given and self.user is None and self.secret is None:
            raise ValueError(f"a `user` beside `{given[0]}`")
        parse(self.location)
        return self

    @property
    def location(self) -> str:
        """The address in one line, with the paths as they are written."""
        return self._server().text

    def _scheme(self) -> str:
        raise NotImplementedError

    def _own_options(self) -> dict[str, str]:
        raise NotImplementedError

    def _server(self) -> Server:
        sources = (
            ("password_env", self.password_env),
            ("password_file", self.password_file),
            ("secret", self.secret),
        )
        files = {"tlsCAFile": self.ca_file, "tlsCertificateKeyFile": self.certificate_file}
        return Server(
            scheme=self._scheme(),
            hosts=self._hosts(),
            database=self.database,
            user=self.user or "",
            options={
                **{name: str(path) for name, path in files.items() if path is not None},
                **({"directConnection": "true"} if self.direct else {}),
                **self._own_options(),
                **{name: _written(value) for name, value in self.options.items()},
            },
            source=next(((name, str(value)) for name, value in sources if value), None),
        )

    def _hosts(self) -> str:
        names = self.host.split(",") if self.host else []
        ported = (name if _has_port(name) else f"{name}:{self.port}" for name in names)
        return ",".join(ported)


class MongodbAddress(ServerAddress):
    """A MongoDB server, or one that speaks its language."""

    tls: bool | None = Field(
        default=None,
        description="Encrypt. Default: where `ca_file` or `certificate_file` is given.",
    )
    replica_set: str | None = Field(
        default=None, description="Name of the replica set, where the server is part of one."
    )
    auth_source: str = Field(
        default="admin",
        description="Database in which the user is known; `admin` for those of the whole server.",
    )

    def _scheme(self) -> str:
        return "mongodb"

    def _own_options(self) -> dict[str, str]:
        tls = self.tls
        if tls is None and (self.ca_file or self.certificate_file):
            tls = True
        source = self.auth_source if self.user or self.secret else None
        given = {"replicaSet": self.replica_set, "authSource": source}
        options = {name: value for name, value in given.items() if value is not None}
        return options if tls is None else {"tls": _written(tls), **options}


class DocumentdbAddress(ServerAddress):
    """A cluster of Amazon DocumentDB, 5.0 or later.

    Always: `retryWrites=false` (it refuses retryable writes; operations are repeated by this
    program), `readPreference=primary` (workers read what was written a moment ago, and replicas
    lag), `w=majority` (its only kind of write), `authSource=admin` (where its users are) and, but
    for `direct`, `replicaSet=rs0` (its name in every cluster; so the new primary is found).
    """

    tls: bool = Field(
        default=True,
        description="Encrypt; clusters ask for it unless their parameter group says otherwise.",
    )

    def _scheme(self) -> str:
        return "documentdb"

    def _own_options(self) -> dict[str, str]:
        return {} if self.tls else {"tls": "false"}


class StoreAddress(Model):
    """`store:` as a mapping; one of its keys is given."""

    mongodb: MongodbAddress | None = Field(
        default=None, description="A MongoDB server, or one that speaks its language."
    )
    documentdb: DocumentdbAddress | None = Field(
        default=None, description="A cluster of Amazon DocumentDB, 5.0 or later."
    )

    @property
    def location(self) -> str:
        """The address in one line, with the paths as they are written."""
        given = [one for one in (self.mongodb, self.documentdb) if one is not None]
        if len(given) != 1:
            raise ValueError("one of `mongodb` and `documentdb`, not both or none")
        return given[0].location


def _written(value: str | int | bool) -> str:  # noqa: FBT001  (what YAML holds)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].isdigit() and not host.endswith("]")
