"""Time the dashboard's queries, and how soon its pages are seen, with many workflows.

    python benchmarks/dashboard.py [WORKFLOWS [STORE]]

The store holds 100,000 workflows of three stages by default, in realistic shares of states, in a
temporary folder; a STORE that is named is used if it is there, and filled and kept if not. The
bars: no query takes more than 200 ms, and a page is painted within 2 s. The first page is that of a
server that has just started, so nothing is known yet. A paint is Chromium's own first contentful
paint; where there is no Chromium, only the first byte is timed.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "plugins"))
import requests
from filled_store import Filling

from fireworks_ext.spending import fold_spent
from fireworks_ext.store import Store, open_store
from runner.dashboard.questions import Questions, Snapshot, names
from runner.dashboard.search import candidate_logs, search

CAMPAIGN = "other"
QUERY_BAR_S = 0.2
PAINT_BAR_S = 2.0
REPEATS = 5
START_S = 60.0
PROGRAM = "from runner.cli import main; main()"


class Timed:
    """A collection whose operations are timed."""

    def __init__(self, inner: Any, name: str, told: Callable[[str, float], None]) -> None:
        self._inner, self._name, self._told = inner, name, told

    def __getattr__(self, name: str) -> Any:
        """Return an operation that is timed."""
        operation = getattr(self._inner, name)
        return lambda *args, **options: self._run(name, operation, *args, **options)

    def _run(self, name: str, operation: Callable[..., Any], *args: Any, **options: Any) -> Any:
        began = time.perf_counter()
        found = operation(*args, **options)
        label = f"{self._name}.{name}({args[0] if args else ''})"
        if name in {"find", "aggregate"}:
            return Cursor(found, lambda took: self._told(label, took))
        self._told(label, time.perf_counter() - began)
        return found


class Cursor:
    """A cursor that is read at once when it is asked for its documents."""

    def __init__(self, inner: Any, told: Callable[[float], None]) -> None:
        self._inner, self._told = inner, told

    def __getattr__(self, name: str) -> Any:
        """Return sort and limit, which give a cursor again."""
        return lambda *args: Cursor(getattr(self._inner, name)(*args), self._told)

    def __iter__(self) -> Iterator[Any]:
        """Read it all, in one piece."""
        began = time.perf_counter()
        found = list(self._inner)
        self._told(time.perf_counter() - began)
        return iter(found)


class TimedStore:
    """A store that keeps the longest time of each query."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.longest: dict[str, float] = {}

    def __getattr__(self, name: str) -> Any:
        """Return a collection whose operations are timed."""
        found = getattr(self._store, name)
        return Timed(found, name, self._keep) if hasattr(found, "find") else found

    def _keep(self, label: str, took: float) -> None:
        self.longest[label] = max(took, self.longest.get(label, 0.0))


def main() -> None:
    """Fill a store, time the questions and the pages, compare with the bars."""
    workflows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(folder) / "store.db"
        store = filled(path, workflows)
        members = store.candidates.count_documents({"campaign": CAMPAIGN})
        print(f"{members} workflows")
        slowest = questions(store)
        painted = pages(path, Path(folder) / "data")
    print(f"slowest query {1e3 * slowest:.0f} ms (bar {1e3 * QUERY_BAR_S:.0f} ms)")
    print(f"slowest page {painted:.2f} s (bar {PAINT_BAR_S:.0f} s)")
    sys.exit(slowest > QUERY_BAR_S or painted > PAINT_BAR_S)


def filled(path: Path, workflows: int) -> Store:
    """Return a store with so many workflows, as its controller leaves it."""
    is_there = path.exists()
    store = open_store(str(path))
    if not is_there:
        began = time.perf_counter()
        Filling(store, CAMPAIGN, workflows).fill()
        print(f"filled in {time.perf_counter() - began:.0f} s")
    fold_spent(store, CAMPAIGN)
    return store


def questions(store: Store) -> float:
    """Ask all that the pages ask, also of a campaign that moves; print what took longest."""
    timed: Any = TimedStore(store)
    asked = Questions(timed, CAMPAIGN)
    took: dict[str, list[float]] = {}
    document = store.candidates.find_one({"campaign": CAMPAIGN, "row": 7}) or {}
    for _ in range(REPEATS):
        for label, question in (
            ("names", lambda: names(timed)),
            ("snapshot", asked.snapshot),
            ("forecast", lambda: forecast(asked)),
            ("formula", lambda: search(timed, CAMPAIGN, document["formula"])),
            ("beginning", lambda: search(timed, CAMPAIGN, document["formula"][:2])),
            ("id", lambda: search(timed, CAMPAIGN, document["id"][:8])),
            ("logs", lambda: candidate_logs(timed, CAMPAIGN, document["id"])),
        ):
            began = time.perf_counter()
            question()
            took.setdefault(label, []).append(time.perf_counter() - began)
    for label, several in took.items():
        first, rest = several[0], sorted(several[1:])
        print(
            f"  {label:10} first {1e3 * first:6.1f} ms, then {1e3 * rest[len(rest) // 2]:6.1f} ms"
        )
    longest = sorted(timed.longest.items(), key=lambda one: -one[1])
    for label, seconds in longest[:8]:
        print(f"  {1e3 * seconds:6.1f} ms  {label[:110]}")
    return longest[0][1]


def forecast(asked: Questions) -> Snapshot:
    """Ask as if a worker was there: the end is foretold then."""
    document = asked.document()
    snapshot = asked.snapshot()
    asked._forecast(snapshot.status, document["tasks"], snapshot.rate)  # noqa: SLF001
    return snapshot


@contextmanager
def served(path: Path, data: Path) -> Iterator[str]:
    """Start `campaign dashboard`, and yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "dashboard", "--store", str(path), "--port", str(port)],
        env=os.environ | {"MATCAMPAIGN_DATA_DIR": str(data)},
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            try:
                requests.get(f"{address}/static/icon.svg", timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()


def pages(path: Path, data: Path) -> float:
    """Open pages of a server that has just started; return the longest time to a paint, in s."""
    page_of_campaign = f"/campaign/{CAMPAIGN}"
    with served(path, data) as address:
        began = time.perf_counter()
        with requests.get(address + page_of_campaign, stream=True, timeout=60) as answer:
            next(answer.iter_content(1))
            first_byte = time.perf_counter() - began
    print(f"  first byte of the first page {1e3 * first_byte:.0f} ms")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        return first_byte
    longest = 0.0
    for first in (page_of_campaign, "/"):
        with served(path, data) as address:
            for url in (first, page_of_campaign, "/"):
                seconds = _paint_s(program, address + url)
                print(f"  {url:18} painted after {seconds:.2f} s")
                longest = max(longest, seconds)
    return longest


def _paint_s(program: str, url: str) -> float:
    """Return after how long a browser that has just started paints a page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(url)
        script = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
        page.wait_for_timeout(300)
        seconds = float(page.evaluate(script)) / 1e3
        browser.close()
    return seconds


if __name__ == "__main__":
    main()
