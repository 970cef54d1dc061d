"""What stands before every page: who is addressed, who may read, and the headers of security."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runner.dashboard.access import Access

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
FOREIGN = "This server answers to the names of this machine only: open it as http://127.0.0.1\n"
REFUSED = (
    "This page needs the token: open the address that `campaign dashboard` printed at its start.\n"
)


class Guard:
    """Refuses what may not be read, and puts the headers on every answer."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refused = self._refusal(Request(scope))
        await (refused or self._app)(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        access = self._access
        if not access.is_addressed(request.headers.get("host", "")):
            return PlainTextResponse(FOREIGN, 421)
        path = request.url.path
        # The first page looks at a token itself.
        is_open = path.startswith("/static/") or (path == "/" and "token" in request.query_params)
        if is_open or access.may_read(request.headers, request.cookies):
            return None
        return PlainTextResponse(REFUSED, 401)
