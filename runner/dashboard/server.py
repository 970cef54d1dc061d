"""The server: one process, one loop, closed by Ctrl-C; campaigns do not notice."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import FrameType

import uvicorn
from pymongo.errors import PyMongoError
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from fireworks_ext.database.indexes import FORMULA_KEYS
from fireworks_ext.store import Store
from runner.dashboard.access import LOOPBACK, Access
from runner.dashboard.board import Board
from runner.dashboard.errands import Errands
from runner.dashboard.guard import Guard
from runner.dashboard.pages import Pages, away
from schemas.errors import UserError

STATIC = Path(__file__).parent / "static"
AWAY = {PyMongoError: away, OSError: away}
GRACE_S = 2
"""After Ctrl-C, for answers that are under way."""
BACKLOG = 128


def application(board: Board, access: Access) -> ASGIApp:
    """Return the pages behind their guard."""
    errands = Errands(board.store)
    pages = Pages(board, errands, access)

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        poller = asyncio.create_task(board.poll())
        try:
            yield
        finally:
            board.close()
            errands.close()
            poller.cancel()
            with suppress(asyncio.CancelledError):
                await poller

    routes = [
        Route("/", pages.overview),
        Route("/events", pages.overview_events),
        Route("/events/{name}", pages.campaign_events),
        Route("/campaign/{name}", pages.campaign),
        Route("/campaign/{name}/candidates", pages.candidates),
        Route("/campaign/{name}/candidate/{candidate}", pages.candidate),
        Route("/campaign/{name}/{action}", pages.act, methods=["POST"]),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    return Guard(Starlette(routes=routes, lifespan=life, exception_handlers=AWAY), access)


class _Server(uvicorn.Server):
    """Ends at the first signal without passing it on: to end is not an error."""

    def __init__(self, config: uvicorn.Config, board: Board) -> None:
        super().__init__(config)
        self._board = board

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Have the streams end; a second signal does not wait for them."""
        del sig, frame
        self._board.close()
        self.force_exit, self.should_exit = self.should_exit, True


def serve(board: Board, access: Access, listener: socket.socket) -> None:
    """Answer until a signal comes."""
    server_of(board, access).run(sockets=[listener])


def server_of(board: Board, access: Access) -> uvicorn.Server:
    """Return a server of some campaigns."""
    config = uvicorn.Config(
        application(board, access),
        log_level="warning",
        access_log=False,  # addresses may hold the token
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        lifespan="on",
    )
    return _Server(config, board)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises
    ------
    UserError
        When nothing can listen there.
    """
    listener = None
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        if listener is not None:
            listener.close()
        raise UserError(
            f"--host {host} --port {port}: {error}; --port 0 takes one that is free"
        ) from None
    return listener


def is_local(host: str) -> bool:
    """Tell whether only this machine can reach an address."""
    if host in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def prepare(store: Store, told: Callable[[str], None]) -> None:
    """Build the index by which formulas are found, for a store that was made without it."""
    try:
        store.candidates.create_index(list(FORMULA_KEYS))
    except PyMongoError as error:
        told(f"no index on formulas ({error}): searches take longer")
