"""Reference structures as members of a campaign: what its own hulls refer to.

Where a campaign has an analysis over all candidates, its reference structures go through the stages
that the analysis gathers, and through nothing else: no filter and no `when` touches them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from runner.analysis_stage import AnalysisStage
from runner.load import LoadedCampaign
from runner.screening import Survivor
from runner.stages import AnyStage, Stage
from schemas.candidate import REFERENCES, Candidate
from schemas.identity import candidate_id
from schemas.stages import CANDIDATE
from schemas.structure import Structure


def reference_members(loaded: LoadedCampaign, survivors: Sequence[Survivor]) -> list[Survivor]:
    """Return the references that some candidate may decompose into, and that are none themselves.

    They are worked on after the candidates.

    Raises
    ------
    UserError
        When a reference structure cannot be read or built.
    """
    if not loaded.barriers:
        return []
    systems = {frozenset(survivor.candidate.composition) for survivor in survivors}
    there = {survivor.candidate_id for survivor in survivors}
    row = max((survivor.row for survivor in survivors), default=-1)
    found: list[Survivor] = []
    for structure in loaded.surroundings.references:
        name = candidate_id(structure)
        competes = any(system.issuperset(structure.species) for system in systems)
        if competes and name not in there:
            there.add(name)
            row += 1
            found.append(Survivor(row, _candidate(structure), name, control=False, scores={}))
    return found


def _candidate(structure: Structure) -> Candidate:
    return Candidate(
        generator=REFERENCES,
        choice={"formula": structure.formula},
        composition=Counter(structure.species),
        build=lambda: structure,
        formula=structure.formula,
    )


def stages_of(stages: Sequence[AnyStage], generator: str) -> tuple[AnyStage, ...]:
    """Return the stages that a member goes through, by the generator that it comes from."""
    if generator != REFERENCES:
        return tuple(stages)
    by_name = {stage.name: stage for stage in stages}
    wanted = [stage.of for stage in stages if isinstance(stage, AnalysisStage)]
    for name in wanted:
        stage = by_name[name]
        if isinstance(stage, Stage):
            wanted += [other for other in _uses(stage) if other not in wanted]
    return tuple(
        replace(stage, when=None, dependencies=_uses(stage)) if isinstance(stage, Stage) else stage
        for stage in stages
        if stage.name in wanted or isinstance(stage, AnalysisStage)
    )


def _uses(stage: Stage) -> tuple[str, ...]:
    """Return the stages whose products a stage uses."""
    return tuple(dict.fromkeys(one for one in stage.roles.values() if one != CANDIDATE))
