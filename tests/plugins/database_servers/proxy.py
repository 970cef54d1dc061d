"""A wire that can be cut: a TCP proxy in a thread of this process, in front of any server."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Coroutine
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from database_servers.ports import free_port

CHUNK_BYTES = 65536
LONGEST_CALL_S = 30.0
HALF = 0.5


class Proxy:
    """Everything to and from a server passes here; it is cut, late or refused when told so."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        self._server = parts.hostname or "127.0.0.1", parts.port or 27017
        self._port = free_port()
        user = parts.netloc.rpartition("@")[0]
        place = f"{user and user + '@'}127.0.0.1:{self._port}"
        # Clients ask a server for the names of its kind, which would lead them around the proxy.
        query = "&".join(filter(None, [parts.query, "directConnection=true"]))
        self.uri = urlunsplit(parts._replace(netloc=place, query=query))
        self.cuts = 0
        """Connections that were cut."""
        self._delay_s = 0.0
        self._mean_s = 0.0
        self._random = random.Random(0)
        self._due_at = float("inf")
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._call(self._listen())

    def cut(self) -> None:
        """Close every connection now; new ones are served."""
        self._call(self._cut_all())

    def drop(self, refused: bool = True) -> None:  # noqa: FBT001, FBT002  (it is a switch)
        """Refuse new connections, or serve them again; those that are open stay open."""
        self._call(self._unlisten() if refused else self._listen())

    def delay(self, seconds: float) -> None:
        """Hand everything on so much later, each way."""
        self._delay_s = seconds

    def cut_at_random(self, per_second: float, seed: int = 0) -> None:
        """Cut so many connections a second on average, in the middle of what passes; 0 ends it.

        What is cut is a connection in use: the request is lost, or the answer to what was done.
        """
        self._random = random.Random(seed)
        self._mean_s = 1.0 / per_second if per_second else 0.0
        self._set_due()

    def close(self) -> None:
        """End the proxy and all its connections."""
        self._call(self._unlisten())
        self._call(self._cut_all())
        self._call(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(LONGEST_CALL_S)

    def _set_due(self) -> None:
        wait_s = self._random.expovariate(1.0 / self._mean_s) if self._mean_s else float("inf")
        self._due_at = self._loop.time() + wait_s

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    async def _unlisten(self) -> None:
        self._listener.close()

    async def _cut_all(self) -> None:
        for writer in self._open:
            writer.transport.abort()
            self.cuts += 1

    async def _finish(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # what was aborted is closed with the loop's next turn

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._server)
        except (OSError, asyncio.CancelledError):  # it is down: so is the proxy, for whoever asks
            writer.transport.abort()
            return
        self._open.add(writer)
        ways = [
            asyncio.ensure_future(self._pass_on(reader, server_writer)),
            asyncio.ensure_future(self._pass_on(server_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open.discard(writer)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            writer.transport.abort()
            server_writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand on what comes from one side, until it ends or is cut."""
        while data := await self._read(reader):
            if self._delay_s:
                await asyncio.sleep(self._delay_s)
            # Requests and answers alike: else it were always the first thing after a pause.
            if self._loop.time() >= self._due_at and self._random.random() < HALF:
                self._set_due()
                self.cuts += 1
                return
            writer.write(data)
            try:
                await writer.drain()
            except OSError:
                return

    @staticmethod
    async def _read(reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.read(CHUNK_BYTES)
        except OSError:
            return b""
