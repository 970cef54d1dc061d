"""Repairs that hold workflows, fireworks, ledger and launches against each other.

They go over all that is not finished, a page of workflows at a time: when a run starts without
workers, when nothing is left to run, and when somebody asks for it. While workers work, what they
are about to write looks like a fault; then only what looks the same for a minute is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fireworks_ext import leases, ledger, pages, removal, states
from fireworks_ext.janitor import breakdowns
from fireworks_ext.janitor.lost_runs import LOST_S, silence_s
from fireworks_ext.janitor.repairs import Report
from fireworks_ext.janitor.sightings import Sightings
from fireworks_ext.processes import is_gone, parse, running_in
from fireworks_ext.store import Store
from schemas.ledger import AttemptRecord, StageEntry, StageState

UNFINISHED = ("READY", "WAITING", "RESERVED", "RUNNING", "FIZZLED", "PAUSED", "DEFUSED")
UNSETTLED = [state.value for state in StageState if not state.settled]
LIVE = ("READY", "WAITING")
Document = Mapping[str, Any]


@dataclass
class Rest:
    """One campaign gone over; `quiet` says that nobody works on it."""

    store: Store
    report: Report
    sightings: Sightings
    quiet: bool

    @property
    def campaign(self) -> str:
        """The campaign's name."""
        return self.report.campaign

    def tidy(self) -> None:
        """Put right workflows, ledger, launches and attempts."""
        self._workflows()
        self._strays()
        self._stages()
        self._launches()
        self._attempts()

    def _is_certain(self, name: str, look: Any) -> bool:
        """Tell whether what looks wrong is, and is not just being written."""
        if self.quiet or self.sightings.is_stale(name, look):
            return True
        self.report.suspects += 1
        return False

    def _workflows(self) -> None:
        """Mend workflows that were half inserted, and those that are behind their fireworks."""
        wanted = {"fw_id": 1, "state": 1, "spec._waits_for": 1}
        for state in UNFINISHED:
            query = {"metadata.campaign": self.campaign, "state": state}
            for page in pages.pages(self.store.workflows, query):
                nodes = [node for workflow in page for node in workflow["nodes"]]
                found = self.store.fireworks.find({"fw_id": {"$in": nodes}}, wanted)
                fireworks = {one["fw_id"]: one for one in found}
                for workflow in page:
                    if "locked" not in workflow:
                        self._workflow(workflow, fireworks)
                if self.quiet:
                    breakdowns.send_on(self.store, page, self.report)

    def _workflow(self, workflow: Document, fireworks: Mapping[int, Document]) -> None:
        name = f"workflow {workflow['nodes']}"
        missing = [node for node in workflow["nodes"] if node not in fireworks]
        look = (missing, workflow["updated_on"])
        if missing:
            if self._is_certain(name, look):
                removal.mend(self.store, workflow, missing)
                self.report.add(name, f"fireworks {missing} were never inserted")
        elif _is_behind(workflow, fireworks) and self._is_certain(name, look):
            states.repair(self.store, workflow, by=self.report.by)
            self.report.add(name, "its states were behind those of its fireworks")

    def _strays(self) -> None:
        """Remove fireworks that are in no workflow: FireWorks' workers would stumble over them.

        The ledger names a firework then that is not there, and the next run makes another.
        """
        for state in LIVE:
            query = {"spec.campaign": self.campaign, "state": state}
            for page in pages.pages(self.store.fireworks, query, {"fw_id": 1}):
                ids = [one["fw_id"] for one in page]
                owners = self.store.workflows.find({"nodes": {"$in": ids}}, {"nodes": 1})
                owned = {node for one in owners for node in one["nodes"]}
                for fw_id in ids:
                    name = f"firework {fw_id}"
                    if fw_id not in owned and self._is_certain(name, "stray"):
                        self.store.fireworks.delete_one({"fw_id": fw_id, "state": state})
                        self.report.add(name, "belongs to no workflow")

    def _stages(self) -> None:
        """Run stages again that FireWorks calls completed and the ledger does not call settled."""
        stages = ledger.find_campaign(self.store, self.campaign).get("stages", ())
        for stage in stages:
            where = f"stages.{stage}"
            mine = {
                "campaign": self.campaign,
                "member": True,
                f"{where}.state": {"$in": UNSETTLED},
                "pending": {"$in": [False, None]},  # what is pending has no fireworks
            }
            for page in pages.pages(
                self.store.candidates, {**mine, "_id": self._ids()}, {where: 1}
            ):
                named = {one["stages"][stage]["fw_id"]: one["_id"] for one in page}
                query = {"fw_id": {"$in": list(named)}, "state": "COMPLETED"}
                for one in list(self.store.fireworks.find(query, {"fw_id": 1})):
                    self._stage(named[one["fw_id"]], stage, one["fw_id"])

    def _ids(self) -> dict[str, str]:
        """Return the bounds of the names of the campaign's candidates."""
        return {"$gt": f"{self.campaign}/", "$lt": f"{self.campaign}0"}

    def _stage(self, candidate: str, stage: str, fw_id: int) -> None:
        # Once more: workers write the ledger first, and the firework may have ended since.
        found = self.store.candidates.find_one({"_id": candidate}, {f"stages.{stage}": 1})
        entry = found["stages"].get(stage) if found else None
        if entry is None or entry["state"] not in UNSETTLED or entry["fw_id"] != fw_id:
            return
        if self._is_certain(f"stage {candidate} {stage}", entry["state"]):
            try:
                states.rerun(self.store, fw_id)
            except states.WorkflowBusy:  # the next round is another chance
                self.report.suspects += 1
                return
            self.report.add(
                f"firework {fw_id}", f"is COMPLETED, and {stage} is {entry['state']} in the ledger"
            )

    def _launches(self) -> None:
        """Archive launches that count as running and belong to no firework any more."""
        wanted = {"launch_id": 1, "fw_id": 1, "fworker": 1, "time_start": 1, "state_history": 1}
        for state in ("RUNNING", "RESERVED"):
            for page in pages.pages(self.store.launches, {"state": state}, wanted):
                ids = sorted({one["fw_id"] for one in page})
                mine = {"fw_id": {"$in": ids}, "spec.campaign": self.campaign}
                found = self.store.fireworks.find(mine, {"fw_id": 1, "launches": 1})
                owners = {one["fw_id"]: one["launches"] for one in found}
                for launch in page:
                    owned = owners.get(launch["fw_id"], [launch["launch_id"]])
                    if launch["launch_id"] not in owned:
                        self._launch(launch)

    def _launch(self, launch: Document) -> None:
        process = parse(str((launch["fworker"] or {}).get("name", "")))
        gone = process is None or is_gone(process)
        if not gone and silence_s(launch["state_history"][-1]["created_on"]) < LOST_S:
            return  # its worker may be about to write the firework
        name = f"launch {launch['launch_id']}"
        if gone or self._is_certain(name, launch["state_history"][-1].get("updated_on")):
            self.store.launches.update_one(
                {"launch_id": launch["launch_id"]}, {"$set": {"state": "ARCHIVED"}}
            )
            self.report.add(name, "belongs to no firework")

    def _attempts(self) -> None:
        """Close attempts whose worker is gone and whose key nobody will look at again."""
        open_ones = {"campaign": self.campaign, "recorded_at": None, "outcome": "running"}
        for document in list(self.store.attempts.find(open_ones)):
            known = {k: v for k, v in document.items() if k in AttemptRecord.model_fields}
            attempt = AttemptRecord.model_validate(known)
            process = parse(attempt.worker)
            gone = process is not None and is_gone(process)
            directory = Path(attempt.directory)
            if not (gone or leases.is_free(self.store, attempt.key)) or running_in(directory):
                continue
            if _will_run(self.store, attempt):
                continue  # the next worker takes it in, or closes it
            name = f"attempt {attempt.attempt} at {attempt.key[:12]}"
            if gone or self._is_certain(name, attempt.started_at):
                self._close(attempt, directory)
                self.report.add(name, f"its worker {attempt.worker} is gone")

    def _close(self, attempt: AttemptRecord, directory: Path) -> None:
        query = {"key": attempt.key, "attempt": attempt.attempt}
        result = self.store.results.find_one(query, {"finished_at": 1})
        finished = result["finished_at"] if result else _last_change(directory, attempt)
        seconds = max((finished - attempt.started_at).total_seconds(), 0.0)
        ledger.end_attempt(
            self.store,
            attempt.key,
            attempt.attempt,
            outcome="ok" if result else "lost",
            finished_at=finished,
            walltime_s=seconds,
            core_hours=ledger.core_hours(attempt.cores, seconds),
        )


def _is_behind(workflow: Document, fireworks: Mapping[int, Document]) -> bool:
    """Tell whether a kill came between the write of a firework and of what depends on it."""
    real = {str(node): fireworks[node]["state"] for node in workflow["nodes"]}
    derived = states.workflow_state(workflow["links"], real)
    if real != workflow["fw_states"] or derived != workflow["state"]:
        return True
    held_back = {
        str(child)
        for node, children in workflow["links"].items()
        for child in children
        if real[node] != "COMPLETED"
    }
    return any(
        state == "WAITING"
        and node not in held_back
        and "_waits_for" not in fireworks[int(node)].get("spec", {})
        for node, state in real.items()
    )


def _will_run(store: Store, attempt: AttemptRecord) -> bool:
    """Tell whether the stage of an attempt is still to be worked on."""
    name = ledger.candidate_key(attempt.campaign, attempt.candidate)
    member = store.candidates.find_one({"_id": name, "member": True}, {"stages": 1})
    entry = member["stages"].get(attempt.stage) if member else None
    if entry is None or entry["key"] != attempt.key:
        return False
    return not StageEntry.model_validate(entry).state.settled


def _last_change(directory: Path, attempt: AttemptRecord) -> datetime:
    """Return when anything in a run directory was last written."""
    try:
        latest = max(entry.stat().st_mtime for entry in directory.iterdir())
    except (OSError, ValueError):
        return attempt.started_at  # the directory was removed, or is empty
    return datetime.fromtimestamp(latest, UTC).replace(tzinfo=None)
