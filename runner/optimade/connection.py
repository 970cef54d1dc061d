"""Asking a server: pauses, retries with growing waits, time limits, and errors in its words."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Self

from schemas.errors import UserError

if TYPE_CHECKING:
    from requests import Response

LARGEST_ANSWER_BYTES = 256 * 2**20
"""A server that ignores `page_limit` and sends everything at once is stopped here."""
LONGEST_MESSAGE = 600
"""Characters of what a server says about an error; some send whole pages."""
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses (RFC 9110, RFC 6585) after which the same request may succeed."""

_WHERE = re.compile(r"^<?HTTPS?Connection(Pool)?\([^)]*\)( at \w+>)?: ")
"""How urllib3 begins: the address, which the message names already."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Manners:
    """How a server is treated. Waits double from `first_wait_s`, all but the last try's."""

    pause_s: float = 0.2
    attempts: int = 5
    first_wait_s: float = 1.0
    longest_wait_s: float = 300.0
    """A server that asks for a longer wait is not waited for."""
    connect_s: float = 10.0
    silence_s: float = 60.0
    """Longest time without a byte of an answer that has begun, or is awaited."""
    answer_s: float = 600.0
    """Longest time of one whole answer."""


class Refused(UserError):
    """A server's answer that asking again does not change; `status` is that of HTTP."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Unreachable(UserError):
    """No whole answer, after all attempts."""


class _Failed(Exception):
    """One attempt that may be repeated; `wait_s` is what the server asks for."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class Connection:
    """Requests to one database, one after the other; `name` is what messages call it."""

    def __init__(
        self, name: str, manners: Manners, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        from requests import Session

        self._name = name
        self._manners = manners
        self._sleep = sleep
        self._pause_s = manners.pause_s
        self._last_end: float | None = None
        self._session = Session()
        self._session.headers["User-Agent"] = _user_agent()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def get(self, url: str, query: Mapping[str, str | int] | None = None) -> dict[str, Any]:
        """Return the JSON object at an address.

        Raises
        ------
        Refused
            When the server answers with an error that is not passing.
        Unreachable
            When no attempt brought a whole answer, or the server asks for too long a wait.
        """
        wait_s = self._manners.first_wait_s
        for attempt in range(1, self._manners.attempts + 1):
            self._keep_pause()
            try:
                answer = self._attempt(url, query)
            except _Failed as failure:
                self._last_end = time.monotonic()
                if failure.wait_s > self._manners.longest_wait_s:
                    raise Unreachable(
                        f"{self._name} asks to wait {failure.wait_s:.0f} s ({failure})"
                    ) from failure
                if attempt == self._manners.attempts:
                    raise Unreachable(
                        f"{self._name} gave no answer in {attempt} attempts: {failure}"
                    ) from failure
                pause_s = max(wait_s, failure.wait_s)
                logger.warning("%s: %s; asking again in %.0f s", self._name, failure, pause_s)
                self._sleep(pause_s)
                wait_s *= 2
            else:
                self._last_end = time.monotonic()
                self._heed(answer)
                return answer
        raise AssertionError  # the last attempt returns or raises

    def _keep_pause(self) -> None:
        if self._last_end is not None:
            left_s = self._last_end + self._pause_s - time.monotonic()
            if left_s > 0:
                self._sleep(left_s)

    def _heed(self, answer: Mapping[str, Any]) -> None:
        """Take over the pause that the server asks for (OPTIMADE 1.2, `request_delay`)."""
        meta = answer.get("meta")
        delay_s = meta.get("request_delay") if isinstance(meta, dict) else None
        if isinstance(delay_s, int | float) and 0 <= delay_s <= self._manners.longest_wait_s:
            self._pause_s = max(self._manners.pause_s, float(delay_s))

    def _attempt(self, url: str, query: Mapping[str, str | int] | None) -> dict[str, Any]:
        from requests import exceptions as http

        try:
            response = self._session.get(
                url,
                params=query,
                stream=True,
                timeout=(self._manners.connect_s, self._manners.silence_s),
            )
            with closing(response):
                body = self._body(response)
        except http.SSLError as error:
            raise Refused(f"{self._name}: no secure connection: {_innermost(error)}", 0) from error
        except http.ConnectTimeout as error:
            raise _Failed(f"no connection within {self._manners.connect_s:g} s") from error
        except http.Timeout as error:
            raise _Failed(f"silent for {self._manners.silence_s:g} s") from error
        except (http.ConnectionError, http.ChunkedEncodingError, http.ContentDecodingError) as cut:
            raise _Failed(_innermost(cut)) from cut
        except http.RequestException as error:
            raise Refused(f"{self._name}: {url}: {error}", 0) from error
        return self._judged(response, body)

    def _body(self, response: Response) -> bytes:
        deadline = time.monotonic() + self._manners.answer_s
        parts: list[bytes] = []
        size = 0
        for part in response.iter_content(2**16):
            parts.append(part)
            size += len(part)
            if size > LARGEST_ANSWER_BYTES:
                raise Refused(
                    f"{self._name}: an answer of more than {LARGEST_ANSWER_BYTES >> 20} MiB; "
                    "give a smaller page_limit",
                    response.status_code,
                )
            if time.monotonic() > deadline:
                raise _Failed(f"an answer that takes longer than {self._manners.answer_s:g} s")
        return b"".join(parts)

    def _judged(self, response: Response, body: bytes) -> dict[str, Any]:
        status = response.status_code
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if status in AGAIN:
            wait_s = _retry_after_s(response.headers.get("Retry-After"))
            raise _Failed(_status_text(response, answer, body), wait_s)
        if not response.ok:
            message = f"{self._name} refused: {_status_text(response, answer, body)}"
            raise Refused(message, status)
        if not isinstance(answer, dict):
            kind = response.headers.get("Content-Type", "of no kind")
            raise _Failed(f"an answer that is no JSON object ({kind}): {_beginning(body)}")
        return answer


def _user_agent() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        number = version("matcampaign")
    except PackageNotFoundError:
        number = "0"
    return f"matcampaign/{number} (OPTIMADE client)"


def _status_text(response: Response, answer: object, body: bytes) -> str:
    """Return status and the server's own words: OPTIMADE 1.2.0, "Error Responses"."""
    errors = answer.get("errors") if isinstance(answer, dict) else None
    said = [
        " ".join(str(error.get("detail") or error.get("title")).split())
        for error in (errors if isinstance(errors, list) else [])
        if isinstance(error, dict) and (error.get("detail") or error.get("title"))
    ]
    words = "; ".join(said) or _beginning(body)
    head = f"{response.status_code} {response.reason or ''}".strip()
    return f"{head}: {words[:LONGEST_MESSAGE]}" if words else head


def _beginning(body: bytes) -> str:
    return " ".join(body[:200].decode("utf-8", "replace").split())


def _retry_after_s(header: str | None) -> float:
    """Return the seconds of a Retry-After header: a number or a date (RFC 9110, 10.2.3)."""
    if not header:
        return 0.0
    if header.strip().isdecimal():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (zoned - datetime.now(UTC)).total_seconds())


def _innermost(error: BaseException) -> str:
    """Return the words of the first cause: what wraps it speaks of pools and retries."""
    seen: set[int] = set()
    while id(error) not in seen:
        seen.add(id(error))
        inner = getattr(error, "reason", None) or next(
            (one for one in error.args if isinstance(one, BaseException)), None
        )
        if not isinstance(inner, BaseException):
            break
        error = inner
    text = " ".join(str(error.args[-1] if error.args else error).split())
    return _WHERE.sub("", text) or type(error).__name__
