"""A server that speaks S3 and Glue, whose requests are counted and can be made to fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

REGION = "eu-central-1"


@dataclass
class Aws:
    """The server: one request at a time, as S3's conditions on a write hold against all others."""

    url: str
    requests: list[str] = field(default_factory=list)
    """What was asked for: `PUT key`, `GET key`, `AWSGlue.UpdatePartition`."""
    refuses: Callable[[str], str | None] = lambda _: None
    """Tells for a request whether it fails `before` or `after` it was done, is `denied`, or not."""
    buckets: int = 0

    def bucket(self) -> str:
        """Return the name of a new bucket."""
        import boto3

        self.buckets += 1
        name = f"bucket-{self.buckets}"
        boto3.client("s3").create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        return name

    def writes(self) -> list[str]:
        """Return the requests that changed anything, and forget all."""
        some = [one for one in self.requests if not one.startswith(("GET", "HEAD", "AWSGlue.G"))]
        found = [one for one in some if not one.startswith(("AWSGlue.BatchGet", "POST"))]
        self.requests.clear()
        return found


def named(environ: dict[str, Any]) -> str:
    target = environ.get("HTTP_X_AMZ_TARGET")
    return target or f"{environ['REQUEST_METHOD']} {environ['PATH_INFO'].lstrip('/')}"


@pytest.fixture(scope="session")
def aws_server() -> Iterator[Aws]:
    """Start the server."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Silent(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *_: Any) -> None:
            pass

    inner = DomainDispatcherApplication(create_backend_app)
    one_at_a_time = threading.Lock()
    aws = Aws("")

    def application(environ: dict[str, Any], start: Any) -> Any:
        name = named(environ)
        with one_at_a_time:
            aws.requests.append(name)
            how = aws.refuses(name)
            if how in {"before", "denied"}:
                return broken(start, how)
            answer = list(inner(environ, start if how is None else lambda *_: lambda _: None))
        return answer if how is None else broken(start, how)

    def broken(start: Any, how: str) -> list[bytes]:
        status, code = ("403 No", "AccessDenied") if how == "denied" else ("500 Broken", "Broken")
        body = f"<Error><Code>{code}</Code><Message>{how}</Message></Error>".encode()
        start(status, [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))])
        return [body]

    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "for-tests")
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Silent)
        server.daemon_threads = True
        aws.url = f"http://127.0.0.1:{server.server_port}"
        patch.setenv("AWS_ENDPOINT_URL", aws.url)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield aws
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def aws(aws_server: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """Return the server, with nothing noted and nothing refused."""
    monkeypatch.setattr("runner.export.clients.ATTEMPTS", 1)
    aws_server.requests.clear()
    yield aws_server
    aws_server.refuses = lambda _: None
