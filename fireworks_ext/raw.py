"""Documents as the bytes in which a store holds them, for readers that want no Python objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from struct import Struct
from typing import Any

import bson

from fireworks_ext.embedded.collection import EmbeddedCollection
from fireworks_ext.store import Store

_WORD = bytes(8)
_length = Struct("<i").unpack_from
"""A document begins with its length (https://bsonspec.org/spec.html)."""


@dataclass(frozen=True)
class RawDocuments:
    """Documents one after the other; `starts` says where in the bytes each begins.

    A word of zeros follows, so that a number can be read from any of the bytes.
    """

    data: bytes
    starts: Sequence[int]

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, numbers: Iterable[int]) -> RawDocuments:
        """Return some of the documents, in the order given."""
        data, starts = self.data, self.starts
        return _together(
            [
                data[start : start + _length(data, start)[0]]
                for start in map(starts.__getitem__, numbers)
            ]
        )

    def __getitem__(self, number: int) -> dict[str, Any]:
        start = self.starts[number]
        return bson.decode(self.data[start : start + _length(self.data, start)[0]])


def find(
    store: Store,
    collection: str,
    query: Mapping[str, Any],
    wanted: Mapping[str, Any] | None = None,
    *,
    first: int = 0,
) -> RawDocuments:
    """Return what a query finds, with at least the fields wanted of it; 0 is all.

    `first` so many come in the order of their `_id`. A server that is away is asked again.
    """
    place = getattr(store, collection)
    if isinstance(place, EmbeddedCollection):
        return _together(place.raw(query, [("_id", 1)] if first else (), first))
    window: dict[str, Any] = {"sort": [("_id", 1)], "limit": first} if first else {}
    batches = store.patience.call(lambda: list(place.find_raw_batches(query, wanted, **window)))
    data = b"".join([*batches, _WORD])
    return RawDocuments(data, list(_starts(data)))


def _together(documents: Sequence[bytes]) -> RawDocuments:
    ends = list(accumulate(map(len, documents)))
    return RawDocuments(b"".join([*documents, _WORD]), [0, *ends[:-1]] if ends else [])


def _starts(data: bytes) -> Iterator[int]:
    start = 0
    while start < len(data) - len(_WORD):
        yield start
        start += _length(data, start)[0]


def candidates(
    store: Store, campaign: str, wanted: Mapping[str, Any], *, size: int
) -> Iterator[RawDocuments]:
    """Yield the candidates of a campaign by id, a page at a time; each is read when asked for."""
    bounds = {"$gt": f"{campaign}/", "$lt": f"{campaign}0"}  # "0" follows "/"
    while True:
        page = find(store, "candidates", {"_id": bounds}, wanted, first=size)
        if len(page):
            yield page
        if len(page) < size:
            return
        bounds["$gt"] = page[-1]["_id"]
