"""From survivors of the filters to members of a campaign, with exactly the work that is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fireworks_ext import ledger
from fireworks_ext.store import Store
from runner.compile import UNSTARTED, Machine, all_keys, compile_member, member, orders
from runner.load import LoadedCampaign
from runner.screening import Survivor
from runner.submit import Counts, Submission, submit
from schemas.errors import UserError
from schemas.ledger import CandidateRecord, StageEntry
from schemas.work import StageOrder

MOST_SHOWN = 10
"""Candidates named when many cannot be computed for the same kind of reason."""


def enrol(
    store: Store,
    loaded: LoadedCampaign,
    survivors: Sequence[Survivor],
    machine: Machine,
    *,
    by: str,
) -> Counts:
    """Make the survivors the members of the campaign, and submit what nobody has computed yet.

    Members of earlier runs that are no survivors any more stay in the ledger, marked; what they
    had not started is taken away.

    Raises
    ------
    UserError
        When stages cannot be done for some candidates; nothing is submitted then.
    """
    name = loaded.campaign.campaign
    before = _stages_before(store, name)
    wanted = all_orders(loaded, survivors, machine, before)
    fireworks = _firework_states(store, name)
    known = ledger.find_results(store, all_keys(wanted), name)
    submissions = []
    for survivor, mine in zip(survivors, wanted, strict=True):
        record = record_of(name, survivor)
        old = before.pop(record.id, None)
        compiled = compile_member(
            mine,
            old or {},
            columns=record.columns,
            known=known,
            fireworks=fireworks,
        )
        submissions.append(Submission(record, compiled, old))
    wanted_ids = {entry.fw_id for item in submissions for entry in item.compiled.entries.values()}
    store.candidates.update_many(
        {"_id": {"$in": [ledger.candidate_key(name, one) for one in before]}},
        {"$set": {"member": False}},
    )
    return submit(
        store,
        submissions,
        project=loaded.campaign.project or "",
        by=by,
        orphans=[
            one for one, state in fireworks.items() if state in UNSTARTED and one not in wanted_ids
        ],
    )


def all_orders(
    loaded: LoadedCampaign,
    survivors: Sequence[Survivor],
    machine: Machine,
    before: Mapping[str, Mapping[str, StageEntry]] | None = None,
) -> list[dict[str, StageOrder]]:
    """Return the orders of every survivor. Raises one UserError for all that cannot be done."""
    made, refused = [], []
    for survivor in survivors:
        candidate = survivor.candidate
        try:
            made.append(
                orders(
                    loaded.campaign.campaign,
                    survivor.candidate_id,
                    candidate.structure,
                    loaded.stages,
                    machine,
                    (before or {}).get(survivor.candidate_id),
                )
            )
        except UserError as error:
            refused.append(str(error))
    if refused:
        more = len(refused) - MOST_SHOWN
        lines = refused[:MOST_SHOWN] + ([f"... and {more} more"] if more > 0 else [])
        raise UserError(
            f"{len(refused)} of {len(survivors)} candidates cannot be computed:\n  "
            + "\n  ".join(lines)
        )
    return made


def record_of(campaign: str, survivor: Survivor) -> CandidateRecord:
    """Return the ledger's record of a survivor, without stages."""
    columns = {**survivor.candidate.row(), **survivor.scores}
    return member(campaign, survivor.row, survivor.candidate, columns, control=survivor.control)


def _stages_before(store: Store, campaign: str) -> dict[str, dict[str, StageEntry]]:
    documents = store.candidates.find({"campaign": campaign}, {"id": 1, "stages": 1})
    return {
        document["id"]: {
            name: StageEntry.model_validate(entry) for name, entry in document["stages"].items()
        }
        for document in documents
    }


def _firework_states(store: Store, campaign: str) -> dict[int, str]:
    documents: list[dict[str, Any]] = store.fireworks.find(
        {"spec.campaign": campaign}, {"fw_id": 1, "state": 1}
    )
    return {document["fw_id"]: document["state"] for document in documents}
