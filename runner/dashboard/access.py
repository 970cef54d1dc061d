"""Who may read and who may act: a token in a file of the user, and what proves that one has it.

A browser proves it with a cookie, and an action with a key in the form too, which a page of another
origin cannot read; a program sends `Authorization: Bearer TOKEN`.
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from schemas.errors import UserError

TOKEN_BYTES = 32
PRIVATE = 0o600
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
BEARER = "Bearer "


def token_in(path: Path) -> str:
    """Return the token in a file that nobody else can read, made where there is none.

    Raises
    ------
    UserError
        When others can read the file, or it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or not path.stat().st_size:
            _write(path)
        found = path.stat()
        if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise UserError(
                f"{path}: others can read the dashboard's token, expected a file that only you can "
                "read; delete it, and the next start makes a new token"
            )
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: the dashboard's token cannot be kept here ({error}); "
            "MATCAMPAIGN_DATA_DIR names another folder"
        ) from None


def _write(path: Path) -> None:
    """Write a new token: whoever reads the file finds all of it, or no file."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(TOKEN_BYTES) + "\n")
    beside.replace(path)


@dataclass(frozen=True)
class Access:
    """What one dashboard lets through."""

    token: str
    is_local: bool
    """It listens on this machine's own address only: reading needs no token."""
    read_only: bool = False
    port: int = 0

    @property
    def cookie(self) -> str:
        """The name of the cookie: ports of one machine share their cookies."""
        return f"campaign-dashboard-{self.port}"

    @property
    def cookie_value(self) -> str:
        """What the cookie holds: proof of the token, and not the token itself."""
        return self._derived("cookie")

    @property
    def form_key(self) -> str:
        """What a form sends back beside the cookie."""
        return self._derived("form")

    def is_token(self, text: str) -> bool:
        """Tell, in constant time, whether a text is the token."""
        return _same(text, self.token)

    def is_known(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> bool:
        """Tell whether a request proves that its sender has the token."""
        return self._has_header(headers) or _same(cookies.get(self.cookie, ""), self.cookie_value)

    def may_read(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> bool:
        """Tell whether a request may see pages."""
        return self.is_local or self.is_known(headers, cookies)

    def may_act(
        self, headers: Mapping[str, str], cookies: Mapping[str, str], form: Mapping[str, str]
    ) -> bool:
        """Tell whether a request may change anything."""
        if self.read_only:
            return False
        if self._has_header(headers):
            return True
        is_own = urlsplit(headers.get("origin", "")).netloc == headers.get("host", "-")
        is_form = _same(form.get("form_key", ""), self.form_key)
        return is_own and is_form and self.is_known(headers, cookies)

    def is_addressed(self, host: str) -> bool:
        """Tell whether a `Host` header names this server.

        A foreign name that leads to this machine is how a page elsewhere would read it.
        """
        return not self.is_local or (urlsplit(f"//{host}").hostname or "") in LOOPBACK

    def _has_header(self, headers: Mapping[str, str]) -> bool:
        given = headers.get("authorization", "")
        return given.startswith(BEARER) and self.is_token(given.removeprefix(BEARER))

    def _derived(self, purpose: str) -> str:
        return hmac.new(self.token.encode(), purpose.encode(), sha256).hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
