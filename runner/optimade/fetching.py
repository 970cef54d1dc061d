"""Fetching an answer: page after page into a file, going on where an earlier attempt stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from runner.optimade.connection import Connection, Refused, Unreachable
from runner.optimade.entries import READER_VERSION, LeftOut, Reason, read_cell
from runner.optimade.providers import Provider
from runner.optimade.query import STRUCTURE_FIELDS, Query
from runner.optimade.snapshots import PartFile, Progress, Shelf, Snapshot, head_of
from schemas.errors import UserError, suggestion

LONGEST_PAUSE = timedelta(days=1)
"""A beginning that is older is not continued: the database may have changed in between."""
REFUSES_PAGE_LIMIT = frozenset({400, 403})
"""OPTIMADE 1.2.0, `page_limit`: 403 where it is more than the server gives; some say 400."""
PAGES_WITHOUT_NEWS = 3
"""So many pages in a row that bring no new entry lead in a circle."""
USABLE = "usable"
REPEATED = "repeated"
"""Entries that came again on a later page, as they do where a database changes meanwhile."""

logger = logging.getLogger(__name__)


def utc_now() -> datetime:
    """Return the present time, with its zone."""
    return datetime.now(UTC)


class Nonsense(UserError):
    """Answers that follow no version of OPTIMADE; going on from them would lead there again."""


@dataclass(frozen=True)
class Fetch:
    """One answer to be fetched; `page_limit` is how many entries are asked for at a time."""

    provider: Provider
    query: Query
    shelf: Shelf
    connection: Connection
    page_limit: int
    now: Callable[[], datetime] = utc_now

    def run(self) -> Snapshot:
        """Fetch all pages and return the answer. The caller holds the shelf's lock.

        Raises
        ------
        UserError
            When the database refuses, cannot be reached or makes no sense; whole pages stay.
        """
        resumed = self._resumed()
        if resumed is not None:
            try:
                return self._completed(resumed)
            except Refused as error:
                # Addresses of pages may not live long.
                logger.info("%s: starting over: %s", self.provider.key, error)
        return self._completed(self._begun())

    def _resumed(self) -> PartFile | None:
        part = PartFile.resume(self.shelf.part)
        if part is None:
            return None
        try:
            age = self.now() - datetime.fromisoformat(str(part.progress.head.get("started")))
        except (TypeError, ValueError):
            age = LONGEST_PAUSE * 2
        if age > LONGEST_PAUSE:
            part.close()
            return None
        logger.info("%s: going on after %d entries", self.provider.key, len(part.progress.ids))
        return part

    def _begun(self) -> PartFile:
        said = _introduction(self.connection, self.query.base_url)
        head = head_of(self.provider, self.query, {**said, "started": self.now().isoformat()})
        return PartFile.begin(self.shelf.part, head, self._first_url(self.page_limit))

    def _first_url(self, page_limit: int | None) -> str:
        words: dict[str, str | int] = {
            "filter": self.query.filter,
            "response_fields": ",".join(self.query.fields),
        }
        if page_limit is not None:
            words["page_limit"] = min(page_limit, self.query.limit)
        return f"{self.query.base_url}/structures?{urlencode(words)}"

    def _completed(self, part: PartFile) -> Snapshot:
        with closing(part):
            try:
                self._take_pages(part)
            except Nonsense:
                self.shelf.part.unlink(missing_ok=True)
                raise
            self._warn_of_empty_fields(part.progress)
            day = self.now().date()
            tail = {**_tail(part.progress), "finished": self.now().isoformat()}
            part.finish(tail, self.shelf.path(day))
        snapshot = self.shelf.get(day)
        if snapshot is None:
            raise UserError(f"{self.shelf.path(day)}: is gone just after it was written")
        return snapshot

    def _take_pages(self, part: PartFile) -> None:
        stale = 0
        while part.progress.next_url and len(part.progress.ids) < self.query.limit:
            before = len(part.progress.ids)
            self._take_page(part, part.progress.next_url)
            stale = stale + 1 if len(part.progress.ids) == before else 0
            if stale == PAGES_WITHOUT_NEWS:
                raise Nonsense(
                    f"{self.provider.key}: {stale} pages in a row brought nothing new after "
                    f"{before} entries; the addresses of its pages lead nowhere"
                )

    def _take_page(self, part: PartFile, url: str) -> None:
        progress = part.progress
        answer = self._page(url, first=progress.pages == 0)
        fresh: dict[str, dict[str, Any]] = {}
        for position, item in enumerate(answer["data"]):
            entry = _kept(item, self.query.fields, nameless=f"(nameless {url}#{position})")
            if entry["id"] in progress.ids or entry["id"] in fresh:
                progress.counts[REPEATED] += 1
            elif len(progress.ids) + len(fresh) < self.query.limit:
                fresh[entry["id"]] = entry
                progress.counts.update(_counted(entry))
            else:
                progress.more = True
        following = _next_url(answer, url)
        progress.more = progress.more or (
            following is not None and len(progress.ids) + len(fresh) >= self.query.limit
        )
        progress.matching = _matching(answer, progress.matching)
        part.add(list(fresh.values()), following)
        for warning in _warnings(answer):
            logger.warning("%s warns: %s", self.provider.key, warning)
        known = "?" if progress.matching is None else progress.matching
        logger.info("%s: %d of %s entries", self.provider.key, len(progress.ids), known)

    def _warn_of_empty_fields(self, progress: Progress) -> None:
        """Say which of the asked properties no entry has: a misspelt one looks like that."""
        empty = [
            name
            for name in self.query.fields
            if name not in STRUCTURE_FIELDS and progress.ids and not progress.counts[name]
        ]
        if not empty:
            return
        try:
            data = self.connection.get(f"{self.query.base_url}/info/structures").get("data")
            listed = tuple(_mapping(_mapping(data).get("properties")))
        except UserError:
            listed = ()
        for name in empty:
            near = suggestion(name, [one for one in listed if one.startswith("_")])
            logger.warning("%s: no entry has a value of %s%s", self.provider.key, name, near)

    def _page(self, url: str, *, first: bool) -> dict[str, Any]:
        try:
            answer = self.connection.get(url)
        except Refused as error:
            if not first or error.status not in REFUSES_PAGE_LIMIT:
                raise
            try:
                answer = self.connection.get(self._first_url(None))
            except Refused:
                raise error from None  # it was not about page_limit
        except Unreachable as error:
            if first or not self.shelf.lasting:
                raise
            raise Unreachable(
                f"{error}; the pages before are kept, and the same command goes on from there"
            ) from error
        if not isinstance(answer.get("data"), list):
            raise Nonsense(
                f"{self.provider.key}: {url} answers without a list `data`; "
                "is it the base URL of an OPTIMADE database?"
            )
        return answer


def _introduction(connection: Connection, base_url: str) -> dict[str, Any]:
    """Return what the database says of itself; little where it says nothing."""
    try:
        answer = connection.get(f"{base_url}/info")
    except Refused as error:
        raise UserError(f"no OPTIMADE database at {base_url}: {error}") from error
    meta = _mapping(answer.get("meta"))
    attributes = _mapping(_mapping(answer.get("data")).get("attributes"))
    if attributes.get("is_index"):
        raise UserError(
            f"{base_url} is an index of databases and no database; {base_url}/links lists them: "
            "give the base_url of one"
        )
    provider = _mapping(meta.get("provider"))
    named = attributes.get("license")
    licences = attributes.get("available_licenses")
    return {
        "api_version": attributes.get("api_version") or meta.get("api_version"),
        "provider": {key: provider.get(key) for key in ("name", "prefix", "homepage")},
        # A link since 1.2.0, as JSON:API has them: a text or {href}.
        "licence": _mapping(named).get("href") if isinstance(named, dict) else named,
        "licences": licences if isinstance(licences, list) else [],
    }


def _kept(item: object, fields: tuple[str, ...], *, nameless: str) -> dict[str, Any]:
    """Return an entry with what was asked for and no more."""
    entry = _mapping(item)
    given = entry.get("id")
    # Some databases send numbers.
    name = str(given) if isinstance(given, str | int) else ""
    attributes = _mapping(entry.get("attributes")) if name else {}
    return {
        "id": name.encode("utf-8", "replace").decode() or nameless,
        "attributes": {key: attributes[key] for key in fields if key in attributes},
    }


def _counted(entry: Mapping[str, Any]) -> list[str]:
    """Return what an entry counts as: usable or why not, and the fields that it has."""
    attributes = entry["attributes"]
    try:
        read_cell(attributes)
        fate = USABLE
    except LeftOut as why:
        fate = why.reason.name
    return [fate, *(name for name, value in attributes.items() if value is not None)]


def _next_url(answer: Mapping[str, Any], url: str) -> str | None:
    """Return the address of the next page: a text, or a text in `href` (JSON:API, "Links")."""
    link = _mapping(answer.get("links")).get("next")
    if isinstance(link, dict):
        link = link.get("href")
    if not isinstance(link, str) or not link:
        return None
    following = urljoin(url, link)
    here, there = urlsplit(url), urlsplit(following)
    if there.scheme not in {"http", "https"}:
        raise Nonsense(f"the next page of {url} has the address '{link}'")
    if (here.scheme, there.scheme) == ("https", "http") and here.hostname == there.hostname:
        # A server behind a gateway does not know that it is reached securely.
        return there._replace(scheme="https").geturl()
    return following


def _matching(answer: Mapping[str, Any], before: int | None) -> int | None:
    count = _mapping(answer.get("meta")).get("data_returned")
    return count if isinstance(count, int) and not isinstance(count, bool) else before


def _warnings(answer: Mapping[str, Any]) -> list[str]:
    warnings = _mapping(answer.get("meta")).get("warnings")
    return [
        " ".join(str(one.get("detail") or one.get("title")).split())[:300]
        for one in (warnings if isinstance(warnings, list) else [])
        if isinstance(one, dict)
    ]


def _tail(progress: Progress) -> dict[str, Any]:
    """Return the last line: how many entries there are, and why how many give no candidate."""
    counts = progress.counts
    return {
        "entries": len(progress.ids),
        "usable": counts[USABLE],
        "left_out": {reason.name: counts[reason.name] for reason in Reason if counts[reason.name]},
        "repeated": counts[REPEATED],
        "matching": progress.matching,
        "more": progress.more,
        "reader": READER_VERSION,
    }


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
