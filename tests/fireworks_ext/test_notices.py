"""The watcher for spot notices, against a server that behaves like version 2 of the metadata."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fireworks_ext.attempts.notices import BASE_URL_VARIABLE, Notice, NoticeWatcher

PATIENCE_S = 5.0
POLL_S = 0.01
ACTION = b'{"action": "terminate", "time": "2026-11-21T12:30:00Z"}'


class Metadata(ThreadingHTTPServer):
    """Gives a token for PUT with a lifetime, and the action for GET with that token."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.action: bytes | None = None
        self.tokens: list[str] = []
        self.valid: set[str] = set()
        self.asked = 0
        self.broken = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answers(BaseHTTPRequestHandler):
    server: Metadata

    def do_PUT(self) -> None:
        lifetime = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if self.path != "/latest/api/token" or not 1 <= int(lifetime or 0) <= 21600:
            return self._answer(400, b"")
        token = f"secret-{len(self.server.tokens)}"
        self.server.tokens.append(token)
        self.server.valid.add(token)
        return self._answer(200, token.encode())

    def do_GET(self) -> None:
        self.server.asked += 1
        if self.headers.get("X-aws-ec2-metadata-token") not in self.server.valid:
            return self._answer(401, b"")
        if self.server.broken:
            return self._answer(200, b"\xff<html>")
        if self.path != "/latest/meta-data/spot/instance-action" or self.server.action is None:
            return self._answer(404, b"not found")
        return self._answer(200, self.server.action)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[Metadata]:
    server = Metadata()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv(BASE_URL_VARIABLE, server.url)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def notices() -> list[Notice]:
    return []


@pytest.fixture
def watcher(notices: list[Notice]) -> Iterator[NoticeWatcher]:
    made: list[NoticeWatcher] = []

    class Lazy(NoticeWatcher):
        def start(self) -> None:
            made.append(self)
            super().start()

    one = Lazy(notices.append, poll_s=POLL_S, base_url="")
    yield one
    for started in made:
        started.stop()


def wait_until(reached: object) -> None:
    assert callable(reached)
    end = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.005)


def test_the_notice_calls_back_once_with_the_time(
    metadata: Metadata, watcher: NoticeWatcher, notices: list[Notice]
) -> None:
    watcher.base_url = NoticeWatcher(notices.append).base_url
    assert watcher.base_url == metadata.url
    watcher.start()
    wait_until(lambda: metadata.asked >= 3)
    assert notices == []
    metadata.action = ACTION
    wait_until(lambda: notices)
    asked = metadata.asked
    time.sleep(10 * POLL_S)
    assert notices == [Notice("terminate", datetime(2026, 11, 21, 12, 30, tzinfo=UTC))]
    assert metadata.asked == asked
    assert len(metadata.tokens) == 1


def test_an_expired_token_is_renewed(
    metadata: Metadata, watcher: NoticeWatcher, notices: list[Notice]
) -> None:
    watcher.base_url = metadata.url
    watcher.start()
    wait_until(lambda: metadata.asked >= 1)
    metadata.valid.clear()
    metadata.action = ACTION
    wait_until(lambda: notices)
    assert len(metadata.tokens) == 2


@pytest.mark.parametrize("action", [b"", b"[]", b'{"action": 3}', b'{"action": "stop"}', b"\x00"])
def test_an_answer_that_makes_no_sense_is_no_notice(
    metadata: Metadata, watcher: NoticeWatcher, notices: list[Notice], action: bytes
) -> None:
    watcher.base_url, metadata.action = metadata.url, action
    watcher.start()
    wait_until(lambda: metadata.asked >= 3)
    assert notices == []
    metadata.action = ACTION
    wait_until(lambda: notices)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "file:///etc/passwd", "nonsense", ""])
def test_where_there_is_no_such_service_nothing_happens(
    watcher: NoticeWatcher, notices: list[Notice], url: str
) -> None:
    watcher.base_url = url
    watcher.start()
    time.sleep(5 * POLL_S)
    watcher.stop()
    assert notices == []


def test_the_token_is_in_no_log_and_no_repr(
    metadata: Metadata,
    watcher: NoticeWatcher,
    notices: list[Notice],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    watcher.base_url, metadata.action = metadata.url, ACTION
    watcher.start()
    wait_until(lambda: notices)
    assert metadata.tokens
    assert "secret" not in caplog.text + repr(watcher)
    assert "terminate" in caplog.text


def test_a_proxy_of_the_environment_is_not_asked(
    metadata: Metadata,
    watcher: NoticeWatcher,
    notices: list[Notice],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    watcher.base_url, metadata.action = metadata.url, ACTION
    watcher.start()
    wait_until(lambda: notices)
