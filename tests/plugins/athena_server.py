"""An Athena that answers what it is told to: moto's, with pages, ends and costs of the real one.

It runs no query. Results are queued and come as Athena prints them: text, `[a, b]`, `{a=1}`.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
import requests

REGION = "eu-central-1"
TARGET = "AmazonAthena."


@dataclass
class AthenaServer:
    """The server, with what queries come to and what was asked."""

    url: str = ""
    state: str = "SUCCEEDED"
    reason: str | None = None
    error: dict[str, Any] = field(default_factory=dict)
    scanned_bytes: int = 0
    polls: int = 1
    """How often it is asked before a query has ended."""
    page_rows: int = 1000
    refuses: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Operation -> code and message of the error that it gives."""
    started: list[dict[str, Any]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)

    def forget(self) -> None:
        """Be as new."""
        fresh = AthenaServer(self.url)
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(fresh, name))

    def queue(
        self,
        columns: Sequence[tuple[str, str]],
        rows: Sequence[Sequence[object]],
        *,
        named: bool = True,
    ) -> None:
        """Have the next query answered so; `named`: with a first row of names, as of a SELECT."""
        info = [_column_info(name, kind) for name, kind in columns]
        lines = [[name for name, _ in columns]] if named else []
        texts = [*lines, *([printed(value) for value in row] for row in rows)]
        data = [
            {"Data": [{} if one is None else {"VarCharValue": one} for one in row]} for row in texts
        ]
        answer = requests.post(
            f"{self.url}/moto-api/static/athena/query-results",
            json={"region": REGION, "results": [{"rows": data, "column_info": info}]},
            timeout=10,
        )
        assert answer.status_code == 201

    def workgroup(self, name: str) -> None:
        """Make a workgroup."""
        import boto3

        boto3.client("athena").create_work_group(Name=name)
        self.asked.clear()

    def bucket(self, name: str) -> str:
        """Make a bucket."""
        import boto3

        boto3.client("s3").create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        return name


def printed(value: object) -> str | None:  # noqa: PLR0911  (one per type)
    """Return a value as Athena prints it; None for NULL."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="milliseconds")
    if isinstance(value, bytes):
        return value.hex(" ")
    if isinstance(value, list):
        return f"[{', '.join(printed(one) or 'null' for one in value)}]"
    if isinstance(value, tuple):
        fields = (f"field{at}={printed(one) or 'null'}" for at, one in enumerate(value))
        return f"{{{', '.join(fields)}}}"
    if isinstance(value, dict):
        pairs = (f"{printed(key)}={printed(one) or 'null'}" for key, one in value.items())
        return f"{{{', '.join(pairs)}}}"
    return str(value)


def _column_info(name: str, kind: str) -> dict[str, Any]:
    info: dict[str, Any] = {"Name": name, "Label": name, "Type": kind.partition("(")[0]}
    if kind.startswith("decimal("):
        precision, scale = kind.removeprefix("decimal(").rstrip(")").split(",")
        info |= {"Precision": int(precision), "Scale": int(scale)}
    if kind.startswith("timestamp"):
        info |= {"Precision": 3}
    return info


class _Application:
    """moto, one request at a time, with Athena's answers changed on the way."""

    def __init__(self, server: AthenaServer) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app

        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = server
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
        with self._lock:
            if not target.startswith(TARGET):
                return list(self._moto(environ, start))
            operation = target.removeprefix(TARGET)
            self._server.asked.append(operation)
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            if operation in self._server.refuses:
                code, message = self._server.refuses[operation]
                return _answer(start, "400 Bad", {"__type": code, "Message": message})
            return self._athena(operation, json.loads(body), environ, start)

    def _athena(self, operation: str, asked: Any, environ: Any, start: Any) -> list[bytes]:
        server = self._server
        if operation == "StartQueryExecution":
            server.started.append(asked)
            token = asked["ClientRequestToken"]
            if token not in server.tokens:
                begun = self._inner(environ)
                if "QueryExecutionId" not in begun:
                    return _answer(start, "400 Bad", begun)
                server.tokens[token] = begun["QueryExecutionId"]
            return _answer(start, "200 OK", {"QueryExecutionId": server.tokens[token]})
        if operation == "StopQueryExecution":
            server.stopped.append(asked["QueryExecutionId"])
        found = self._inner(environ)
        if operation == "GetQueryExecution":
            self._ended(found["QueryExecution"])
        if operation == "GetQueryResults":
            begin = int(asked.get("NextToken") or 0)
            rows = found["ResultSet"]["Rows"]
            found["ResultSet"]["Rows"] = rows[begin : begin + server.page_rows]
            if begin + server.page_rows < len(rows):
                found["NextToken"] = str(begin + server.page_rows)
        return _answer(start, "200 OK", found)

    def _ended(self, execution: dict[str, Any]) -> None:
        server = self._server
        status = execution["Status"]
        over = server.asked.count("GetQueryExecution") >= server.polls
        status["State"] = server.state if over else "RUNNING"
        if over and server.reason is not None:
            status |= {"StateChangeReason": server.reason, "AthenaError": server.error}
        execution["Statistics"]["DataScannedInBytes"] = server.scanned_bytes

    def _inner(self, environ: Any) -> Any:
        return json.loads(b"".join(self._moto(environ, lambda *_: lambda _: None)))


def _backend() -> Any:
    from moto.athena.models import athena_backends
    from moto.core import DEFAULT_ACCOUNT_ID

    return athena_backends[DEFAULT_ACCOUNT_ID][REGION]


def _answer(start: Any, status: str, data: Any) -> list[bytes]:
    body = json.dumps(data).encode()
    head = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body)))]
    start(status, head)
    return [body]


@contextmanager
def athena_serving() -> Iterator[AthenaServer]:
    """Serve on a free port."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Silent(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *_: Any) -> None:
            pass

    athena = AthenaServer()
    application = _Application(athena)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Silent)
    server.daemon_threads = True
    athena.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield athena
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def athena_process() -> Iterator[AthenaServer]:
    """Start the server."""
    with athena_serving() as athena:
        yield athena


@pytest.fixture
def athena(athena_process: AthenaServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[AthenaServer]:
    """Return the server, as new, and have boto3 speak to it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "for-tests")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", athena_process.url)
    monkeypatch.setattr("runner.export.clients.ATTEMPTS", 1)
    _backend().work_groups.pop("screening", None)
    athena_process.workgroup("screening")
    yield athena_process
    athena_process.forget()
    _backend().query_results_queue.clear()
