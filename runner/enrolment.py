"""From survivors of the filters to members of a campaign, with exactly the work that is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fireworks_ext import ledger
from fireworks_ext.store import Store
from runner.compilation import Compilation
from runner.compile import LIVE, UNSTARTED, all_keys, member
from runner.load import LoadedCampaign
from runner.orders import Machine, orders
from runner.reference_members import reference_members, stages_of
from runner.screening import Survivor
from runner.submit import Counts, Submission, submit
from schemas.errors import UserError
from schemas.ledger import CandidateRecord, StageEntry, StageState
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

    With them go the references that analyses need. Analyses whose results have all ended are
    computed on the way, and what they let through is submitted with the rest. Members of earlier
    runs that are no survivors any more stay in the ledger, marked; what they had not started is
    taken away.

    Raises
    ------
    UserError
        When stages cannot be done for some candidates; nothing is submitted then.
    """
    name = loaded.campaign.campaign
    survivors = [*survivors, *reference_members(loaded, survivors)]
    before, fireworks = _snapshot(store, name)
    wanted = all_orders(loaded, survivors, machine, before)
    members = [record_of(name, survivor) for survivor in survivors]
    compilation = Compilation(
        stages=loaded.stages,
        members=members,
        orders=wanted,
        before=before,
        known=ledger.find_results(store, all_keys(wanted), name),
        fireworks=fireworks,
    )
    compiled = compilation.compiled(store)
    submissions = [
        Submission(record, made, before.pop(record.id, None))
        for record, made in zip(members, compiled, strict=True)
    ]
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
                    stages_of(loaded.stages, candidate.generator),
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


def _snapshot(
    store: Store, campaign: str
) -> tuple[dict[str, dict[str, StageEntry]], dict[int, str]]:
    """Return the stages of all members, and the states of all fireworks, while workers work.

    A worker writes into the ledger how a stage ended, and then ends the firework. So fireworks are
    read first, and those again whose stage has ended since, or that had ended and shall go on: what
    nobody runs any more by then has not been given up or sent on unseen.
    """
    fireworks = _firework_states(store, {"spec.campaign": campaign})
    before = _stages_before(store, campaign)
    given_up = {StageState.FAILED, StageState.HELD}
    doubtful = [
        entry.fw_id
        for stages in before.values()
        for entry in stages.values()
        if entry.fw_id in fireworks
        and (entry.state in given_up or not (entry.state.settled or fireworks[entry.fw_id] in LIVE))
    ]
    if doubtful:
        fireworks |= _firework_states(store, {"fw_id": {"$in": doubtful}})
    return before, fireworks


def _stages_before(store: Store, campaign: str) -> dict[str, dict[str, StageEntry]]:
    documents = store.candidates.find({"campaign": campaign}, {"id": 1, "stages": 1})
    return {
        document["id"]: {
            name: StageEntry.model_validate(entry) for name, entry in document["stages"].items()
        }
        for document in documents
    }


def _firework_states(store: Store, query: Mapping[str, Any]) -> dict[int, str]:
    documents: list[dict[str, Any]] = store.fireworks.find(dict(query), {"fw_id": 1, "state": 1})
    return {document["fw_id"]: document["state"] for document in documents}
