"""The pages: who asks for what, and what is answered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, quote

from pymongo.errors import PyMongoError
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)

from runner.dashboard import rendering
from runner.dashboard.access import Access
from runner.dashboard.board import Board
from runner.dashboard.errands import ACTIONS, Errands
from runner.dashboard.questions import Snapshot
from runner.dashboard.search import candidate_logs, search
from schemas.clock import utc_now
from schemas.errors import UserError

HEARTBEAT_S = 10.0
"""A stream without news says at least so often that it is there."""
MOST_VIEWERS = 200
LONGEST_FORM = 4096
MOST_OVERVIEW = 30
"""Campaigns on the overview: those that began last."""
REFUSED = (
    "This needs the token. Open the address that `campaign dashboard` printed at its start, "
    "or send it as `Authorization: Bearer TOKEN`."
)


class Pages:
    """The pages of one dashboard."""

    def __init__(self, board: Board, errands: Errands, access: Access) -> None:
        self._board, self._errands, self._access = board, errands, access
        self._viewers = 0
        self._rendered: tuple[int, dict[str, dict[str, str]]] = (-1, {})

    async def overview(self, request: Request) -> Response:
        """Answer with all campaigns; with a token in the address, keep it as a cookie first."""
        if "token" in request.query_params:
            return self._signed_in(request)
        regions = await self._overview_regions()
        return self._page(request, "overview.html", regions=regions, events="/events")

    async def campaign(self, request: Request) -> Response:
        """Answer with one campaign."""
        name = request.path_params["name"]
        try:
            regions = await self._campaign_regions(name)
        except UserError as error:
            return self._missing(request, error, "/")
        return self._page(
            request, "campaign.html", name=name, regions=regions, events=f"/events/{quote(name)}"
        )

    async def candidates(self, request: Request) -> Response:
        """Answer with the candidates that a text names; where it is one, with that one."""
        name, text = request.path_params["name"], request.query_params.get("q", "")
        try:
            await self._board.snapshot(name)
            found: Any = await self._board.ask(partial(search, self._board.store, name, text))
        except UserError as error:
            return self._missing(request, error, "/")
        if len(found.members) == 1:
            return RedirectResponse(f"/campaign/{quote(name)}/candidate/{found.members[0].id}", 303)
        return self._page(request, "candidates.html", name=name, found=found)

    async def candidate(self, request: Request) -> Response:
        """Answer with the stages, attempts and texts of one candidate."""
        name, candidate = request.path_params["name"], request.path_params["candidate"]
        try:
            await self._board.snapshot(name)
            logs = await self._board.ask(
                partial(candidate_logs, self._board.store, name, candidate)
            )
        except UserError as error:
            return self._missing(request, error, f"/campaign/{quote(name)}")
        return self._page(request, "candidate.html", name=name, logs=logs)

    async def act(self, request: Request) -> Response:
        """Begin what a form asks for, and lead back to the campaign."""
        name, action = request.path_params["name"], request.path_params["action"]
        form = await _form(request)
        if action not in ACTIONS:
            return PlainTextResponse("no such action\n", 404)
        if form is None or not self._access.may_act(request.headers, request.cookies, form):
            return PlainTextResponse(f"{REFUSED}\n", 403)
        try:
            await self._board.snapshot(name)
        except UserError as error:
            return self._missing(request, error, "/")
        back = RedirectResponse(f"/campaign/{quote(name)}", 303)
        if not self._errands.is_busy(name):
            back.background = BackgroundTask(self._errand, name, action, form)
        return back

    async def _errand(self, name: str, action: str, form: dict[str, str]) -> None:
        await self._board.announce()
        await self._errands.run(name, action, form)
        self._board.hurry(name)
        await self._board.announce()

    async def overview_events(self, request: Request) -> Response:
        """Answer with a stream of what changes on the overview."""
        del request
        return self._stream(self._overview_regions)

    async def campaign_events(self, request: Request) -> Response:
        """Answer with a stream of what changes on a campaign's page."""
        name = request.path_params["name"]
        try:
            await self._board.snapshot(name)
        except UserError as error:
            return PlainTextResponse(f"{error}\n", 404)
        return self._stream(partial(self._campaign_regions, name))

    def _stream(self, regions: Callable[[], Awaitable[dict[str, str]]]) -> Response:
        if self._viewers >= MOST_VIEWERS:
            return PlainTextResponse("too many viewers\n", 503, {"retry-after": "30"})
        return StreamingResponse(self._events(regions), media_type="text/event-stream")

    async def _events(self, regions: Callable[[], Awaitable[dict[str, str]]]) -> AsyncIterator[str]:
        """Yield what has changed on a page since it was sent last."""
        sent: dict[str, str] = {}
        seen = -1
        self._viewers += 1
        try:
            while not self._board.is_closed:
                version = self._board.version
                if version != seen:
                    now = await regions()
                    changed = {key: text for key, text in now.items() if sent.get(key) != text}
                    sent, seen = now, version
                    told = {"regions": changed, "at": _now(), "note": self._board.note}
                    yield f"data: {json.dumps(told)}\n\n"
                else:
                    await regions()  # says that somebody looks
                    yield f"event: beat\ndata: {json.dumps({'at': _now()})}\n\n"
                await self._board.news(seen, HEARTBEAT_S)
        except (UserError, PyMongoError, OSError):
            return  # it is there no more, or the store is away: the viewer comes again
        finally:
            self._viewers -= 1

    async def _campaign_regions(self, name: str) -> dict[str, str]:
        snapshot = await self._board.snapshot(name)
        return self._once(name, lambda: self._of_campaign(snapshot, name))

    def _of_campaign(self, snapshot: Snapshot, name: str) -> dict[str, str]:
        acts = not self._access.read_only
        return rendering.campaign_regions(snapshot, self._errands.last(name), acts=acts)

    async def _overview_regions(self) -> dict[str, str]:
        shown = (await self._board.campaigns())[:MOST_OVERVIEW]
        snapshots = [await self._board.snapshot(name) for name in shown]
        return self._once("", lambda: rendering.overview_regions(snapshots))

    def _once(self, topic: str, render: Callable[[], dict[str, str]]) -> dict[str, str]:
        """Render what all viewers of a topic see once for each version of the board."""
        version = self._board.version
        if self._rendered[0] != version:
            self._rendered = (version, {})
        known = self._rendered[1]
        if topic not in known:
            known[topic] = render()
        return known[topic]

    def _signed_in(self, request: Request) -> Response:
        if not self._access.is_token(request.query_params["token"]):
            return PlainTextResponse("this is not the token of this dashboard\n", 403)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            self._access.cookie, self._access.cookie_value, httponly=True, samesite="strict"
        )
        return answer

    def _missing(self, request: Request, error: UserError, back: str) -> Response:
        text = str(error)
        return self._page(request, "message.html", 404, title="Nothing here", text=text, back=back)

    def _page(
        self, request: Request, template: str, status_code: int = 200, **values: Any
    ) -> HTMLResponse:
        access = self._access
        known = not access.read_only and access.is_known(request.headers, request.cookies)
        shown = {
            "known": known,
            "read_only": access.read_only,
            "form_key": access.form_key if known else "",
            "now": _now(),
            "events": "",
        }
        return HTMLResponse(rendering.page(template, **(shown | values)), status_code)


async def away(_request: Request, error: Exception) -> Response:
    """Answer while the store does not."""
    text = f"The store does not answer: {error}. Load the page again in a while."
    shown = {"known": False, "read_only": False, "events": "", "back": ""}
    return HTMLResponse(
        rendering.page("message.html", title="Not now", text=text, **shown),
        503,
        {"retry-after": "5"},
    )


async def _form(request: Request) -> dict[str, str] | None:
    """Return the fields of a form; None for one that is too long to be one of ours."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM:
            return None
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _now() -> str:
    return f"{utc_now():%H:%M:%S} UTC"
