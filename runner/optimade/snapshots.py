"""What a database answered on a day, as a file: JSON lines, written page by page.

The first line says what was asked of whom. Then come the entries, and after each page a mark with
the address of the next; the last line counts. While it grows the file is called `.part`: what
follows its last whole mark is dropped, and fetching goes on from there.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

from runner.optimade.entries import READER_VERSION, Reason
from runner.optimade.providers import Provider
from runner.optimade.query import Query
from schemas.errors import UserError

FORMAT = 1
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})\.jsonl$")
_LONGEST_LAST_LINE = 2**16


@dataclass(frozen=True)
class Snapshot:
    """A whole answer. `head` is what the database said of itself, `tail` what was counted."""

    path: Path
    day: date
    head: Mapping[str, Any]
    tail: Mapping[str, Any]

    @property
    def usable(self) -> int | None:
        """How many entries give candidates; None where another version judged them."""
        return self.tail["usable"] if self.tail.get("reader") == READER_VERSION else None

    def remarks(self) -> str:
        """Return in words which entries were left out, and whether there are more than these."""
        entries, left_out = self.tail["entries"], self.tail["left_out"]
        remarks = [] if entries else ["no entry matches"]
        if left_out:
            reasons = [f"{left_out[one.name]} {one}" for one in Reason if one.name in left_out]
            total = sum(left_out.values())
            remarks.append(f"{total} of {entries} entries give no candidate: {', '.join(reasons)}")
        if self.tail["more"]:
            limit, matching = self.head["query"]["limit"], self.tail["matching"]
            remarks.append(f"limit: {limit} of {matching or 'more'} entries were taken")
        return "; ".join(remarks)

    @property
    def finished(self) -> datetime:
        """When the last page came, UTC."""
        return datetime.fromisoformat(self.tail["finished"])

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield the entries, `{id, attributes}`, one at a time.

        Raises
        ------
        UserError
            When the file cannot be read, or was changed.
        """
        for number, line in enumerate(_lines(self.path), start=1):
            record = _parsed(line)
            if record is None:
                raise UserError(f"{self.path}:{number}: damaged; remove the file to fetch it anew")
            if "id" in record:
                yield record


class Shelf:
    """The answers of one database to one question, in a folder of the cache.

    `lasting` is False where the folder goes with the process.
    """

    def __init__(
        self, folder: Path, provider: Provider, query: Query, *, lasting: bool = True
    ) -> None:
        self.folder = folder
        self.lasting = lasting
        self._stem = f"{provider.label}-{query.digest}"
        self._lock = folder / f"{provider.label}.lock"
        self.part = folder / f"{self._stem}.part"

    def path(self, day: date) -> Path:
        """Return where the answer of a day is kept."""
        return self.folder / f"{self._stem}-{day.isoformat()}.jsonl"

    def days(self) -> tuple[date, ...]:
        """Return the days of the whole answers, the newest first."""
        found = (_DAY.search(path.name) for path in self.folder.glob(f"{self._stem}-*.jsonl"))
        return tuple(sorted((date.fromisoformat(one[1]) for one in found if one), reverse=True))

    def get(self, day: date) -> Snapshot | None:
        """Return the answer of a day; None where there is none, or one that is not whole."""
        path = self.path(day)
        try:
            with path.open("rb") as handle:
                head = _parsed(handle.readline())
                handle.seek(max(0, path.stat().st_size - _LONGEST_LAST_LINE))
                tail = _parsed(handle.read().splitlines()[-1])
        except (FileNotFoundError, IndexError):
            return None
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error}") from error
        if not head or head.get("snapshot") != FORMAT or not tail or "finished" not in tail:
            return None
        return Snapshot(path, day, head, tail)

    def newest(self) -> Snapshot | None:
        """Return the newest whole answer, or None."""
        return next(filter(None, map(self.get, self.days())), None)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the database for this process: of several, one asks and the others wait for it."""
        import fcntl

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = self._lock.open("a")
        except OSError as error:
            raise UserError(f"the cache {self.folder} cannot be written: {error}") from error
        with handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


@dataclass
class Progress:
    """How far a `.part` is: the pages that are whole, and the address of the next page."""

    head: dict[str, Any]
    next_url: str | None
    pages: int = 0
    matching: int | None = None
    """How many entries the database says that it has."""
    more: bool = False
    """Whether it has more than were taken."""
    counts: Counter[str] = field(default_factory=Counter)
    """Entries by what became of them, and by field that is not null; see `fetching`."""
    ids: set[str] = field(default_factory=set)


class PartFile:
    """A `.part` that is open for more pages."""

    def __init__(self, handle: IO[bytes], progress: Progress) -> None:
        self._handle = handle
        self.progress = progress

    @classmethod
    def begin(cls, path: Path, head: Mapping[str, Any], first_url: str) -> PartFile:
        """Start a file anew."""
        progress = Progress(head={"snapshot": FORMAT, **head}, next_url=first_url)
        part = cls(path.open("wb"), progress)
        part._write(progress.head)
        part._write({"mark": 0, "next": first_url})
        return part

    @classmethod
    def resume(cls, path: Path) -> PartFile | None:
        """Open a file behind its last whole page; None where there is nothing to go on from."""
        try:
            handle = path.open("r+b")
        except FileNotFoundError:
            return None
        found = _progress(handle)
        if found is None:
            handle.close()
            return None
        progress, end = found
        handle.truncate(end)
        handle.seek(end)
        return cls(handle, progress)

    def add(self, page: Sequence[Mapping[str, Any]], next_url: str | None) -> None:
        """Write a page and what comes after it; the counts are already those with this page."""
        progress = self.progress
        for entry in page:
            self._write(entry)
            progress.ids.add(entry["id"])
        progress.pages += 1
        progress.next_url = next_url
        self._write(
            {
                "mark": progress.pages,
                "next": next_url,
                "matching": progress.matching,
                "more": progress.more,
                "counts": progress.counts,
            }
        )

    def finish(self, tail: Mapping[str, Any], path: Path) -> None:
        """Write the last line and give the file its name: from now on it is an answer."""
        self._write(dict(tail))
        os.fsync(self._handle.fileno())
        self._handle.close()
        Path(self._handle.name).replace(path)

    def close(self) -> None:
        """Leave the file as it is."""
        self._handle.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        text = json.dumps(record, sort_keys=True, separators=(",", ":"))
        self._handle.write(text.encode("ascii") + b"\n")
        if "id" not in record:
            self._handle.flush()


def head_of(provider: Provider, query: Query, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first line of a file: whom it asked what, and what they said of themselves."""
    asked = {**asdict(query), "fields": list(query.fields)}
    return {"database": provider.key, "query": asked, **said}


def _progress(handle: IO[bytes]) -> tuple[Progress, int] | None:
    """Return what a `.part` holds, and where its last whole page ends."""
    head = _parsed(handle.readline())
    if not head or head.get("snapshot") != FORMAT:
        return None
    progress, end = Progress(head=head, next_url=None), 0
    pending: list[str] = []
    position = handle.tell()
    for line in handle:
        position += len(line)
        record = _parsed(line) if line.endswith(b"\n") else None
        if record is None:
            break
        if "id" in record:
            pending.append(str(record["id"]))
        elif "mark" in record:
            progress.ids.update(pending)
            pending = []
            progress.pages, progress.next_url = record["mark"], record.get("next")
            progress.matching, progress.more = record.get("matching"), bool(record.get("more"))
            progress.counts = Counter(record.get("counts"))
            end = position
    return (progress, end) if end else None


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as handle:
            yield from handle
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error}") from error


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
