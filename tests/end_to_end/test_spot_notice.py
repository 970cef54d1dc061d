"""A spot instance is taken away in the middle of a campaign; elsewhere it goes on from there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

pytestmark = pytest.mark.slow

SPEC = """
version: 1
campaign: spot
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg], X: [S]}
stages:
  count: {engine: stepping, steps: 90, step_s: 0.1, checkpoint: {to: saved}}
run:
  launcher: {kind: local, slots: 1, spot: true, grace_s: 30}
"""


class Metadata(BaseHTTPRequestHandler):
    """The instance metadata service, version 2: a token, then 404 until there is a notice."""

    notice: ClassVar[bool] = False

    def do_PUT(self) -> None:
        self._answer(200, b"token")

    def do_GET(self) -> None:
        if self.headers.get("X-aws-ec2-metadata-token") != "token":
            self._answer(401, b"")
        elif not type(self).notice:
            self._answer(404, b"")
        else:
            self._answer(200, json.dumps({"action": "terminate", "time": "2026-01-01T00:02:00Z"}))

    def _answer(self, status: int, body: bytes | str) -> None:
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def metadata() -> Iterator[str]:
    Metadata.notice = False
    server = ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_notice_of_a_spot_instance_saves_the_state_and_stops_the_run(
    tmp_path: Path, metadata: str
) -> None:
    spec, steps = tmp_path / "spot.yaml", tmp_path / "steps"
    spec.write_text(SPEC)
    environ = os.environ | {
        "MATCAMPAIGN_DATA_DIR": str(tmp_path / "data"),
        "MATCAMPAIGN_CONFIG_DIR": str(tmp_path / "config"),
        "MATCAMPAIGN_INSTANCE_METADATA": metadata,
        "TOY_LOG": str(steps),
    }
    command = (str(Path(sys.executable).with_name("campaign")), "run", str(spec))
    run = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
    while not steps.exists() or len(steps.read_text().splitlines()) < 10:
        assert run.poll() is None
        time.sleep(0.05)
    Metadata.notice = True
    assert run.wait(60) == 130
    assert len(list((tmp_path / "saved").rglob("state.json"))) == 1
    before = len(steps.read_text().splitlines())
    assert before < 90
    Metadata.notice = False
    subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=True, timeout=60)
    done = [int(line.split()[0]) for line in steps.read_text().splitlines()]
    assert done == list(range(1, 91))
