"""Documents read a page at a time: memory does not grow with a collection, on any store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bson import ObjectId

from fireworks_ext.store import Store

FIRST_OBJECT_ID = ObjectId("0" * 24)
PAGE = 250
"""Some MB, with the results of a few stages of so many members."""

Document = dict[str, Any]


def pages(
    collection: Any,
    query: Mapping[str, Any],
    wanted: Mapping[str, Any] | None = None,
    *,
    size: int = PAGE,
) -> Iterator[list[Document]]:
    """Yield what a query finds in the order of `_id`; each page is read when it is asked for.

    An index that ends with `_id`, on fields of which the query fixes all others, makes a page cost
    what it holds. Where the query says nothing of `_id`, numbers come first (what we insert), then
    what FireWorks inserts: a bound finds only what is of its own kind.
    """
    every = (query["_id"],) if "_id" in query else ({"$gt": 0}, {"$gt": FIRST_OBJECT_ID})
    for bounds in map(dict, every):
        while True:
            search = {**query, "_id": bounds}
            page = list(collection.find(search, wanted).sort("_id", 1).limit(size))
            if page:
                yield page
            if len(page) < size:
                break
            bounds["$gt"] = page[-1]["_id"]


def candidates(
    store: Store, campaign: str, wanted: Mapping[str, Any] | None = None, *, size: int = PAGE
) -> Iterator[list[Document]]:
    """Yield the candidates of a campaign by id, also those that are no members any more."""
    mine = {"_id": {"$gt": f"{campaign}/", "$lt": f"{campaign}0"}}  # "0" follows "/"
    return pages(store.candidates, mine, wanted, size=size)


def chunks(values: Sequence[Any], size: int = PAGE) -> Iterator[Sequence[Any]]:
    """Yield so many values at a time."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
