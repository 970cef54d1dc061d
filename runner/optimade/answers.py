"""An answer that will do: from the cache where there is one, else from the database."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from runner.optimade.connection import Connection, Manners, Unreachable
from runner.optimade.fetching import Fetch, utc_now
from runner.optimade.providers import Provider
from runner.optimade.query import Query
from runner.optimade.snapshots import Shelf, Snapshot
from schemas.errors import UserError


@dataclass(frozen=True, slots=True)
class Terms:
    """What an answer must be like, and how it may be fetched."""

    day: dt.date | None = None
    max_age_days: int | None = None
    refresh: bool = False
    offline: bool = False
    page_limit: int | None = None
    silence_s: float = 60.0


def kept_answer(shelf: Shelf, terms: Terms) -> Snapshot | None:
    """Return the answer in the cache that will do, or None. Uses no network."""
    if terms.day is not None:
        return shelf.get(terms.day)
    newest = shelf.newest()
    if newest is None or terms.offline:
        return newest
    if terms.refresh and newest.finished < _start_of_program():
        return None
    age_days = (utc_now().date() - newest.day).days
    too_old = terms.max_age_days is not None and age_days > terms.max_age_days
    return None if too_old else newest


def answer(shelf: Shelf, terms: Terms, provider: Provider, query: Query) -> Snapshot:
    """Return an answer that will do, fetched if need be.

    Raises
    ------
    UserError
        When there is none and it may not or cannot be fetched.
    """
    kept = kept_answer(shelf, terms)
    if kept is not None:
        return kept
    _check_may_ask(shelf, terms, provider, query)
    with shelf.lock():
        kept = kept_answer(shelf, terms)  # another process may just have fetched it
        return kept if kept is not None else _fetched(shelf, terms, provider, query)


def _fetched(shelf: Shelf, terms: Terms, provider: Provider, query: Query) -> Snapshot:
    manners = Manners(pause_s=provider.pause_s, silence_s=terms.silence_s)
    page_limit = terms.page_limit or provider.page_entries
    try:
        with Connection(provider.key, manners) as connection:
            return Fetch(provider, query, shelf, connection, page_limit).run()
    except Unreachable as error:
        older = shelf.days()
        if not older:
            raise
        raise UserError(
            f"{error}; the cache holds its answer of {older[0]}: `offline: true` uses that"
        ) from error
    except OSError as error:
        raise UserError(f"the cache {shelf.folder} cannot be written: {error}") from error


def _check_may_ask(shelf: Shelf, terms: Terms, provider: Provider, query: Query) -> None:
    days = ", ".join(day.isoformat() for day in shelf.days())
    there = f"there are answers of {days}" if days else "there is none of any day"
    if terms.day is not None and (terms.offline or terms.day != utc_now().date()):
        raise UserError(
            f"{provider.key}: the cache {shelf.folder} holds no answer of {terms.day} to "
            f"{query.filter}; {there}, and what a database held on a day that is past cannot be "
            "asked"
        )
    if terms.offline:
        raise UserError(
            f"{provider.key}: offline, and the cache {shelf.folder} holds no answer to "
            f"{query.filter}; run once with network, or copy the file "
            f"{shelf.path(utc_now().date()).name} there from a machine that has it"
        )


def _start_of_program() -> dt.datetime:
    import psutil

    return dt.datetime.fromtimestamp(psutil.Process().create_time(), dt.UTC)
