"""The notice that a spot instance is about to be taken away.

Amazon EC2 announces it two minutes ahead in the instance's metadata: `spot/instance-action`, 404
until then ("Spot Instance interruption notices" and "Use the Instance Metadata Service to access
instance metadata" in the EC2 User Guide). Version 2 of that service asks for a token first.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPException

BASE_URL_VARIABLE = "MATCAMPAIGN_INSTANCE_METADATA"
"""Environment variable: another base URL of the metadata service."""
BASE_URL = "http://169.254.169.254"
TOKEN_LIFETIME_S = 21600  # the longest that the service allows
POLL_S = 5.0  # what the EC2 User Guide recommends
TIMEOUT_S = 2.0
MOST_BYTES = 65536

_TOKEN_PATH = "/latest/api/token"  # noqa: S105  (a path)
_ACTION_PATH = "/latest/meta-data/spot/instance-action"
_UNAUTHORISED = 401

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Notice:
    """What is going to happen to this machine, and when."""

    action: str
    """terminate, stop or hibernate."""
    at: datetime
    """UTC."""


@dataclass
class NoticeWatcher:
    """A thread that asks for the notice, and calls back once when it has come.

    Nothing that the service does ends it: where there is none (another machine) it goes on asking,
    every `poll_s` seconds, until it is stopped.
    """

    on_notice: Callable[[Notice], None]
    poll_s: float = POLL_S
    base_url: str = field(default_factory=lambda: os.environ.get(BASE_URL_VARIABLE, BASE_URL))
    _token: str | None = field(default=None, repr=False)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to ask."""
        self._thread = threading.Thread(target=self._watch, name="spot-notice", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop asking."""
        self._stopped.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(2 * TIMEOUT_S)

    def _watch(self) -> None:
        while not self._stopped.is_set():
            notice = self._ask()
            if notice is not None:
                logger.warning("this machine will %s at %s", notice.action, notice.at)
                self.on_notice(notice)
                return
            self._stopped.wait(self.poll_s)

    def _ask(self) -> Notice | None:
        try:
            if self._token is None:
                self._token = self._get_token()
            return _notice(self._get_action(self._token))
        except urllib.error.HTTPError as error:
            if error.code == _UNAUTHORISED:
                self._token = None  # it has expired
            error.close()
        except (OSError, ValueError, HTTPException):
            pass  # no such service here, or an answer that is none
        return None

    def _get_token(self) -> str:
        header = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_LIFETIME_S)}
        return self._request("PUT", _TOKEN_PATH, header).decode("ascii").strip()

    def _get_action(self, token: str) -> bytes:
        return self._request("GET", _ACTION_PATH, {"X-aws-ec2-metadata-token": token})

    def _request(self, method: str, path: str, headers: dict[str, str]) -> bytes:
        url = self.base_url.rstrip("/") + path
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"{BASE_URL_VARIABLE} is no URL of http")
        request = urllib.request.Request(url, headers=headers, method=method)  # noqa: S310  (http)
        # A proxy must never see the token, nor answer in place of the machine's own service.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=TIMEOUT_S) as response:
            body: bytes = response.read(MOST_BYTES)
        return body


def _notice(body: bytes) -> Notice | None:
    answer = json.loads(body)
    if not isinstance(answer, dict) or not isinstance(answer.get("action"), str):
        return None
    at = datetime.fromisoformat(str(answer.get("time")))
    return Notice(answer["action"], at if at.tzinfo else at.replace(tzinfo=UTC))
