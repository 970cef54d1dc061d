"""Reference structures as members of a campaign: what its own hulls refer to.

Where a campaign has an analysis over all candidates, its reference structures go through the stages
that the analysis gathers, and through nothing else: no filter and no `when` touches them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from runner.analysis_stage import AnalysisStage
from runner.load import LoadedCampaign
from runner.screening import Survivor
from runner.stages import AnyStage, Stage
from schemas.candidate import REFERENCES, Candidate
from schemas.identity import candidate_id
from schemas.stages import CANDIDATE
from schemas.structure import Structure


def reference_members(loaded: LoadedCampaign, survivors: Iterable[Survivor]) -> list[Survivor]:
    """Return the references that some candidate may decompose into, and that are none themselves.

    They are worked on after the candidates.

    Raises
    ------
    UserError
        When a reference structure cannot be read or built.
    """
    if not loaded.barriers:
        return []
    references: dict[str, Structure] = {}
    for structure in loaded.surroundings.references:
        references.setdefault(candidate_id(structure), structure)
    systems: set[frozenset[str]] = set()
    row = -1
    for survivor in survivors:
        references.pop(survivor.candidate_id, None)
        systems.add(frozenset(survivor.candidate.composition))
        row = max(row, survivor.row)
    competing = [
        (name, structure)
        for name, structure in references.items()
        if any(system.issuperset(structure.species) for system in systems)
    ]
    return [
        Survivor(row + place, _candidate(structure), name, control=False, scores={})
        for place, (name, structure) in enumerate(competing, 1)
    ]


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
