"""An order under its lease, and the records that are made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from fireworks_ext import artefacts
from fireworks_ext.processes import host_name
from fireworks_ext.worker.session import Session
from schemas.errors import UserError
from schemas.handover import Briefing
from schemas.identity import digest
from schemas.ledger import AttemptRecord, CandidateRecord, ResultRecord
from schemas.protocols import Engine
from schemas.registry import engines
from schemas.result import Correction, Result
from schemas.structure import Structure
from schemas.work import StageOrder


@dataclass
class Leased:
    """What is to be carried out, by whom, and what the database is to know of it afterwards."""

    session: Session
    briefing: Briefing
    results: list[ResultRecord] = field(default_factory=list)
    _attempts: dict[int, AttemptRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine: Engine = engines.get(self.order.engine)
        self.params: Any = self.engine.params.model_validate(self.order.params)
        self._known = {one.attempt: one for one in self.briefing.attempts}

    @property
    def order(self) -> StageOrder:
        """What is asked for."""
        return self.briefing.order

    @property
    def candidate(self) -> CandidateRecord:
        """The candidate that it is asked of."""
        return self.briefing.candidate

    @property
    def reads(self) -> Mapping[str, ResultRecord]:
        """The results that it reads, by stage."""
        return self.briefing.reads

    @property
    def attempts(self) -> tuple[AttemptRecord, ...]:
        """The attempts of which the database does not know how they ended."""
        return tuple(self._attempts.values())

    def record(self, attempt: AttemptRecord | None) -> None:
        """Keep an attempt that ended, for the database."""
        if attempt is not None:
            self._attempts[attempt.attempt] = attempt

    def recorded(self, directories: Iterable[Path]) -> list[AttemptRecord]:
        """Return the records of the attempts in some directories, the newest first."""
        # How one ended that the database knows has been written by whoever made it.
        ended = {number: one for number, one in self._known.items() if one.outcome != "running"}
        there = {**self._known, **self._attempts, **ended}
        numbers = sorted((int(one.name) for one in directories), reverse=True)
        return [there[number] for number in numbers if number in there]

    def structure(self) -> Structure:
        """Return the structure to start from. Raises UserError when upstream left none."""
        source = self.order.inputs.get("structure")
        if source is None or source.key is None:
            return self.candidate.structure
        for record in self.reads.values():
            if record.key == source.key and record.structure is not None:
                return record.structure
        raise UserError(f"stage '{source.stage}' left no structure")

    def may_use(self, record: ResultRecord) -> bool:
        """Tell whether a result serves this campaign: a deviation serves the one that made it."""
        return not record.deviation or record.campaign == self.order.campaign

    def inherited(self) -> dict[str, str]:
        """Return, by stage, how the results that this one starts from are not what keys say.

        What only `when` reads decides whether it is computed, and changes nothing of the result.
        """
        used = {source.stage for source in self.order.inputs.values()}
        reads = {stage: one for stage, one in self.reads.items() if stage in used}
        return {stage: one.deviation for stage, one in reads.items() if one.deviation}

    def deviation(self, made: tuple[Correction, ...], inherited: Mapping[str, str]) -> str:
        """Return "" when the result is what its key says, or a hash of how it is not."""
        changed: dict[str, Any] = {
            one.parameter: one.after
            for one in made
            if one.parameter and self.engine.is_physics(self.order.task, one.parameter)
        }
        if not changed and not inherited:
            return ""
        return digest({"changed": changed, "inherited": dict(inherited)})

    def attempt_record(
        self, attempt: int, directory: Path | None, begun: datetime
    ) -> AttemptRecord:
        """Return the record of an attempt that begins; without a run directory it has no files."""
        order = self.order
        return AttemptRecord(
            key=order.key,
            attempt=attempt,
            campaign=order.campaign,
            candidate=order.candidate,
            formula=order.formula,
            stage=order.stage,
            engine=order.engine,
            task=order.task,
            machine=host_name(),
            worker=self.session.process.name,
            directory=str(directory or ""),
            cores=order.resources.all_cores,
            work=self.engine.work(self.candidate.structure, order.task, self.params),
            memory_guess_gb=self._memory_guess_gb(),
            usd_per_core_hour=self.session.site.usd_per_core_hour,
            started_at=begun,
        )

    def _memory_guess_gb(self) -> float | None:
        """Return what the engine thinks that one process of the calculation needs."""
        guess = self.engine.resources(self.candidate.structure, self.order.task, self.params)
        return None if guess.memory_gb is None else guess.memory_gb / guess.cores

    def result_record(
        self,
        opened: AttemptRecord,
        directory: Path | None,
        result: Result,
        finished: datetime,
        made: tuple[Correction, ...],
    ) -> ResultRecord:
        """Return the record of an attempt that came to a result, with what handlers changed."""
        return ResultRecord(
            key=opened.key,
            deviation=self.deviation(made, self.inherited()),
            campaign=opened.campaign,
            attempt=opened.attempt,
            engine=opened.engine,
            task=opened.task,
            program=result.program,
            values=result.values,
            structure=result.structure,
            products=result.products,
            recovery=made,
            artefacts=str(directory or ""),
            walltime_s=(finished - opened.started_at).total_seconds(),
            cores=opened.cores,
            usd_per_core_hour=opened.usd_per_core_hour,
            started_at=opened.started_at,
            finished_at=finished,
            token=self.briefing.token,
        )

    def keep(self, directory: Path, record: ResultRecord) -> None:
        """Write a result into its run directory, before the database hears of it.

        On a disk that has become full the database alone has it.
        """
        outcome = {"record": record.model_dump(mode="json")}
        try:
            artefacts.write_record(directory, artefacts.OUTCOME, outcome)
        except OSError as error:
            self.session.disk.lost(error, self.session.artefacts.root)
