"""Whether a computed candidate turned out good: what filters are judged by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fireworks_ext import ledger
from fireworks_ext.store import Store
from schemas.expressions import Expression, parse
from schemas.ledger import ResultRecord, StageState

BLOCK = 1000


def goodness(store: Store, campaign: str, good: str | None) -> Iterator[tuple[str, bool | None]]:
    """Yield the id of every member and whether it is good; None: not known, or not known yet.

    Parameters
    ----------
    good
        The expression that makes a candidate good. Without it those are good whose stages have all
        ended well, and those are not for which one was skipped.
    """
    expression = parse(good) if good else None
    members = store.candidates.find({"campaign": campaign, "member": True})
    for block in _blocks(members):
        keys = {entry["key"] for one in block for entry in one["stages"].values()}
        results = ledger.find_results(store, keys, campaign) if expression else {}
        for one in block:
            yield one["id"], _verdict(one, expression, results)


def _blocks(documents: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    block: list[Mapping[str, Any]] = []
    for document in documents:
        block.append(document)
        if len(block) == BLOCK:
            yield block
            block = []
    if block:
        yield block


def _verdict(
    member: Mapping[str, Any], good: Expression | None, results: Mapping[str, ResultRecord]
) -> bool | None:
    states = {name: StageState(entry["state"]) for name, entry in member["stages"].items()}
    if good is None:
        asked = states
    else:
        stages = {name.rpartition(".")[0] for name in good.names} & states.keys()
        asked = {name: states[name] for name in stages}
    if StageState.SKIPPED in asked.values():
        return False
    if any(state is not StageState.OK for state in asked.values()):
        return None
    if good is None:
        return True
    row: dict[str, object] = dict(member["columns"])
    for name in asked:
        record = results.get(member["stages"][name]["key"])
        for column, value in (record.values if record else {}).items():
            row[f"{name}.{column}"] = value
    return good.evaluate(row)
