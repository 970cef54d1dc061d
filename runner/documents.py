"""Documents of the ledger and of FireWorks, built as plain dicts from what was compiled.

They are what pydantic and FireWorks make of the same values, at a tenth of the time: what
candidates have in common is serialised once, and nothing is walked through that is plain already.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, NamedTuple

from fireworks_ext.tasks import RunStage
from schemas.ledger import CandidateRecord, StageEntry
from schemas.work import StageOrder

Document = dict[str, Any]

_NONE: list[int] = []
VARYING = frozenset({"candidate", "formula", "key", "params", "resources", "inputs", "reads"})
"""What differs between the orders of one stage."""
_common = itemgetter(*(name for name in StageOrder.model_fields if name not in VARYING))


def record_document(record: CandidateRecord, *, pending: bool) -> Document:
    """Return a member's document, still without `_id` and stages."""
    document = {**vars(record), "structure": record.structure.flat(), "pending": pending}
    del document["stages"]
    return document


def entry_document(entry: StageEntry, fw_id: int | None) -> Document:
    """Return where a stage stands, with the firework that it has."""
    return {**vars(entry), "state": entry.state._value_, "fw_id": fw_id}


class Place(NamedTuple):
    """Where a firework stands among the new ones of its member: those above and below, by place."""

    above: tuple[int, ...]
    below: tuple[int, ...]


def _shape(new: Mapping[str, StageOrder]) -> tuple[Place, ...]:
    """Return how some orders hang together, parents first."""
    places = {name: place for place, name in enumerate(new)}
    above = [
        tuple(sorted(places[name] for name in order.reads if name in places))
        for order in new.values()
    ]
    return tuple(
        Place(mine, tuple(child for child, other in enumerate(above) if place in other))
        for place, mine in enumerate(above)
    )


class Writer:
    """Makes the documents of one submission; keeps what they have in common."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._now = datetime.now(UTC)
        self._iso_now = self._now.isoformat()
        self._shapes: dict[tuple[str, ...], tuple[Place, ...]] = {}
        self._templates: dict[str, tuple[tuple[Any, ...], Document]] = {}
        self._last: dict[str, tuple[StageOrder, Document]] = {}
        self._tasks: list[Document] = [RunStage().to_dict()]

    def order(self, order: StageOrder) -> Document:
        """Return an order as `model_dump(mode="json")` does, fields in the same sequence."""
        values = vars(order)
        common = _common(values)
        known = self._templates.get(order.stage)
        if known is None or known[0] != common:
            known = common, self._template(order)
            self._templates[order.stage] = known
        # What is plain already is taken as it is, and what all have in common put over the rest.
        document = {**values, **known[1], "resources": vars(values["resources"])}
        inputs = document["inputs"] = {}
        for role, one in values["inputs"].items():
            inputs[role] = vars(one)
            if one.order is not None:
                inputs[role] = {**vars(one), "order": self._same(one.order)}
        self._last[order.stage] = order, document
        return document

    def _same(self, order: StageOrder) -> Document:
        """Return the document of an order that another one holds, which was mostly made before."""
        last = self._last.get(order.stage)
        return last[1] if last is not None and last[0] is order else self.order(order)

    def _template(self, order: StageOrder) -> Document:
        """Return what the orders of a stage have in common and is no plain value."""
        common = order.model_dump(mode="json", exclude=set(VARYING))
        return {name: value for name, value in common.items() if value is not vars(order)[name]}

    def fireworks(
        self, record: CandidateRecord, new: Mapping[str, StageOrder], first_id: int
    ) -> tuple[Document, list[Document]]:
        """Return a member's new fireworks as one small workflow, and they themselves.

        Their `_id` is their number, so that one that is sent twice is stored once.
        """
        # Stages read the same stages for all candidates of a generator.
        key = (record.generator, *new)
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes[key] = _shape(new)
        links: dict[str, list[int]] = {}
        parent_links: dict[str, list[int]] = {}
        states: dict[str, str] = {}
        fireworks: list[Document] = []
        fw_id = first_id
        priority = record.priority
        for order, (above, below) in zip(new.values(), shape, strict=True):
            name = str(fw_id)
            state = "READY"
            links[name] = [first_id + one for one in below] if below else []
            if above:
                parent_links[name] = [first_id + one for one in above]
                state = "WAITING"
            states[name] = state
            fireworks.append(self._firework(self.order(order), fw_id, state, priority))
            fw_id += 1
        workflow = {
            "_id": first_id,
            "links": links,
            "parent_links": parent_links,
            "nodes": list(range(first_id, fw_id)),
            "metadata": {
                "campaign": record.campaign,
                "project": self._project,
                "candidate": record.id,
                "formula": record.formula,
            },
            "state": "READY",
            "name": f"{record.campaign} {record.formula}",
            "created_on": self._now,
            "updated_on": self._now,
            "fw_states": states,
        }
        return workflow, fireworks

    def _firework(self, order: Document, fw_id: int, state: str, priority: int) -> Document:
        stage = order["stage"]
        return {
            "_id": fw_id,
            "spec": {
                "campaign": order["campaign"],
                "stage": stage,
                "key": order["key"],
                "order": order,
                "_priority": priority,
                "_add_launchpad_and_fw_id": True,
                "_tasks": self._tasks,
            },
            "fw_id": fw_id,
            "created_on": self._iso_now,
            "updated_on": self._iso_now,
            "launches": _NONE,
            "archived_launches": _NONE,
            "state": state,
            "name": f"{order['formula']} {stage}",
        }
