"""The reference server of OPTIMADE with entries of our own, and a proxy that does it harm."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

METALS = ("Li", "Na", "K", "Rb", "Cs")
HALOGENS = ("F", "Cl", "Br", "I")


def entry(name: str, *, sites: list[str], edge_ang: float = 5.0, **more: Any) -> dict[str, Any]:
    """Return an entry as the server keeps it: sites along the diagonal of a cube."""
    elements = sorted(set(sites))
    counts = [sites.count(element) for element in elements]
    formula = "".join(f"{e}{n if n > 1 else ''}" for e, n in zip(elements, counts, strict=True))
    attributes = {
        "elements": elements,
        "nelements": len(elements),
        "elements_ratios": [n / len(sites) for n in counts],
        "chemical_formula_descriptive": formula,
        "chemical_formula_reduced": formula,
        "chemical_formula_anonymous": "".join(
            f"{letter}{n if n > 1 else ''}"
            for letter, n in zip("ABCDEF", sorted(counts, reverse=True), strict=False)
        ),
        "dimension_types": [1, 1, 1],
        "nperiodic_dimensions": 3,
        "lattice_vectors": [[edge_ang, 0, 0], [0.5, edge_ang, 0], [0, 0.25, edge_ang]],
        "cartesian_site_positions": [[i * edge_ang / len(sites)] * 3 for i in range(len(sites))],
        "nsites": len(sites),
        "species": [species(element) for element in elements],
        "species_at_sites": sites,
        "structure_features": [],
        "last_modified": {"$date": "2020-01-01T00:00:00Z"},
        **more,
    }
    return {"id": name, "type": "structures", "attributes": attributes}


def species(name: str, symbols: tuple[str, ...] = (), *concentration: float) -> dict[str, Any]:
    """Return a species, by default the element of that name alone."""
    return {
        "name": name,
        "chemical_symbols": list(symbols or (name,)),
        "concentration": list(concentration or (1.0,)),
    }


HALIDES = [
    entry(
        f"salt-{i:02}",
        sites=[metal, halogen],
        edge_ang=4.0 + 0.1 * i,
        band_gap=0.5 * i if i else "na",
        stability={"gga+u": {"above_hull": 0.01 * i}},
    )
    for i, (metal, halogen) in enumerate((m, x) for m in METALS for x in HALOGENS)
]
OXIDES = [
    entry("oxide-a", sites=["Ti", "O", "O"]),
    entry("oxide-b", sites=["Ti", "Sr", "O", "O", "O"]),
    entry("oxide-c", sites=["Sr", "O"]),
]
UNFIT = [
    entry(
        "unfit-mixed",
        sites=["Au", "Cu"],
        species=[species("Au", ("Au", "Ag"), 0.5, 0.5), species("Cu")],
        structure_features=["disorder"],
    ),
    entry(
        "unfit-vacancy",
        sites=["Au", "Pd"],
        species=[species("Au", ("Au", "vacancy"), 0.9, 0.1), species("Pd")],
        structure_features=["disorder"],
    ),
    entry(
        "unfit-attached",
        sites=["Au", "C"],
        species=[species("Au"), {**species("C"), "attached": ["H"], "nattached": [3]}],
        structure_features=["site_attachments"],
    ),
    entry(
        "unfit-unknown",
        sites=["Au", "Zn"],
        species=[species("Au"), species("Zn", ("X",))],
    ),
    entry("unfit-slab", sites=["Au", "W"], dimension_types=[1, 1, 0], nperiodic_dimensions=2),
]


@contextmanager
def running_server(folder: Path) -> Iterator[int]:
    """Run the reference server on the entries above; yield its port."""
    lines = [{"x-optimade": {"meta": {"api_version": "1.2.0"}}}, *HALIDES, *OXIDES, *UNFIT]
    data = folder / "entries.jsonl"
    data.write_text("\n".join(map(json.dumps, lines)))
    described = [
        {"name": "band_gap", "type": "float", "description": "Band gap."},
        {"name": "stability", "type": "dictionary", "description": "Distances to the hull."},
    ]
    configuration = {
        "insert_test_data": False,  # which looks for a list of providers in the network
        "insert_from_jsonl": str(data),
        "page_limit_max": 50,
        "provider_fields": {"structures": described},
    }
    (folder / "server.json").write_text(json.dumps(configuration))
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "optimade.server.main:app", "--port", "0"],
        env={**os.environ, "OPTIMADE_CONFIG_FILE": str(folder / "server.json")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = []
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", line):
                # What it says later must not fill the pipe.
                threading.Thread(target=process.stderr.read, daemon=True).start()
                yield int(found[1])
                return
        raise AssertionError(f"the server did not start: {''.join(said)}")
    finally:
        process.terminate()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


@dataclass(frozen=True)
class Harm:
    """What happens to one request; by default it is let through."""

    status: int = 0
    """Answered by the proxy itself, with these headers and this text."""
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    cut: bool = False
    """The connection breaks in the middle of the answer."""
    silence_s: float = 0.0
    """Before the answer."""
    edit: Callable[[dict[str, Any]], object] | None = None
    """Changes the answer's JSON in place."""


FINE = Harm()


@dataclass
class Request:
    """One request that reached the proxy."""

    path: str
    user_agent: str
    time_s: float


class Proxy(ThreadingHTTPServer):
    """Stands before the server; `harms` are used up by requests for entries, then all is fine."""

    daemon_threads = True

    def __init__(self, server_port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = server_port
        self.harms: deque[Harm] = deque()
        self.forever: Harm | None = None
        """What happens once `harms` are used up."""
        self.to_info: Harm = FINE
        self.requests: list[Request] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def pages(self) -> list[str]:
        """The addresses of entries that were asked for."""
        return [one.path for one in self.requests if "/structures?" in one.path]

    def harm(self, path: str) -> Harm:
        if "/structures?" not in path:
            return self.to_info
        if self.harms:
            return self.harms.popleft()
        return self.forever or FINE


class _Handler(BaseHTTPRequestHandler):
    server: Proxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else head and body of an answer wait for each other

    def do_GET(self) -> None:
        agent = self.headers.get("User-Agent", "")
        self.server.requests.append(Request(self.path, agent, time.monotonic()))
        harm = self.server.harm(self.path)
        time.sleep(harm.silence_s)
        if harm.status:
            self._send(harm.status, harm.headers, harm.text.encode())
            return
        connection = HTTPConnection("127.0.0.1", self.server.behind, timeout=30)
        # With our Host the server writes addresses of pages that lead here.
        connection.request("GET", self.path, headers={"Host": self.headers["Host"]})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        if harm.edit:
            answer = json.loads(body)
            harm.edit(answer)
            body = json.dumps(answer).encode()
        self._send(response.status, {"Content-Type": "application/json"}, body, cut=harm.cut)

    def _send(
        self, status: int, headers: dict[str, str], body: bytes, *, cut: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.close_connection = cut
        try:
            self.wfile.write(body[: len(body) // 2] if cut else body)
        except OSError:
            self.close_connection = True  # who asked is gone

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Canned:
    """Answers as a server with the halides alone would, from memory."""

    def get(self, url: str) -> dict[str, Any]:
        if "/structures?" not in url:
            return {"data": {"attributes": {"api_version": "1.2.0"}}, "meta": {}}
        return {"data": HALIDES, "links": {"next": None}, "meta": {"data_returned": len(HALIDES)}}


def keep_answers(cache: Path) -> Path:
    """Fill a cache with answers to the generator's examples, as if they had been fetched."""
    from runner.optimade.fetching import Fetch
    from runner.optimade.providers import provider_of
    from runner.optimade.snapshots import Shelf
    from runner.space.optimade import FOLDER, plugin

    for example in plugin.params.model_json_schema()["examples"]:
        params = plugin.params.model_validate(example)
        provider = provider_of(params.provider)
        shelf = Shelf(cache / FOLDER, provider, params.query)
        with shelf.lock():
            Fetch(provider, params.query, shelf, _Canned(), page_limit=100).run()  # type: ignore[arg-type]  # answers alike
    return cache


@contextmanager
def running_proxy(server_port: int) -> Iterator[Proxy]:
    """Run a proxy in this process."""
    proxy = Proxy(server_port)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()
