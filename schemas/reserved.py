"""Words that are part of the language and not built yet: known to the schema, refused by name."""

from __future__ import annotations

from collections.abc import Mapping

IN_CAMPAIGN: Mapping[str, str] = {
    "rounds": "Active learning: {max, until, acquire, batch}.",
    "model": "A model that the campaign trains: {train: ...}.",
    "points": "Candidates without a structure: sets of parameters.",
    "sweep": "Values that are all computed: {ecutwfc_ry: [40, 60, 80]}; lists multiply.",
    "cases": "Params by condition: [{if, params}], resolved for each candidate.",
}
IN_FILTER: Mapping[str, str] = {
    "select": "A choice by group: {top: 10, by: scf.band_gap_ev, per: formula}.",
}
IN_STAGE: Mapping[str, str] = {
    "sweep": IN_CAMPAIGN["sweep"],
    "cases": IN_CAMPAIGN["cases"],
    "select": IN_FILTER["select"],
    "transform": "A stage that changes the structure: {remove: Li}.",
    "files": "Scripts and potentials that the stage reads.",
    "jobflow": "A stage that runs a Jobflow flow: {maker, kwargs}.",
    "initial": "Role: the stage that gives the first image of a path.",
    "final": "Role: the stage that gives the last image of a path.",
    "points": IN_CAMPAIGN["points"],
}
IN_DEFAULTS: Mapping[str, str] = {word: IN_STAGE[word] for word in ("sweep", "cases", "files")}
GENERATORS: tuple[str, ...] = ()
"""Kinds of `space` that will be built."""
ANALYSES = ("formula",)
"""Names of `analysis` that will be built."""
OVER_SWEEP = "over: sweep"
"""A barrier over the points of a sweep; `over: campaign` is one over all candidates."""
WHOLE_STAGES = frozenset(("transform", "jobflow"))
"""Words that make a stage something else than a calculation by an engine."""
NOT_BUILT = "is part of the language and not built yet in this version"


def refusal(word: str) -> str:
    """Return the message for a reserved word."""
    return f"`{word}` {NOT_BUILT}"
