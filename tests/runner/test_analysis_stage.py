"""A stage with `analysis` as people write it, and what is said of its mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.load import LoadedCampaign, load
from schemas.errors import InvalidFile

HEAD = """\
version: 1
campaign: c
space: [{kind: prototype, prototype: fcc, species: {A: [Mg]}}]
stages:
  scf: {engine: toy, task: scf}
"""
HULL = "  hull: {analysis: hull, over: campaign, of: scf, energy: value}\n"


def loaded(folder: Path, stages: str) -> LoadedCampaign:
    path = folder / "c.yaml"
    path.write_text(HEAD + stages)
    return load(path)


def test_an_analysis_stands_after_what_it_gathers_and_before_what_reads_it(tmp_path: Path) -> None:
    below = "  a: {engine: toy, task: scf, when: hull.on_hull and hull.note is null}\n"
    campaign = loaded(tmp_path, below + HULL)
    assert [stage.name for stage in campaign.stages] == ["scf", "hull", "a"]
    assert [stage.name for stage in campaign.calculations] == ["scf", "a"]
    (hull,) = campaign.barriers
    assert (hull.analysis, hull.of, hull.settings) == ("hull", "scf", {"energy": "value"})


HULL_OF = "  hull: {analysis: hull, over: campaign, energy: value, of: "
MISTAKES = {
    "no such analysis": (
        "  h: {analysis: hul, over: campaign, of: scf}",
        "6: stages.h.analysis: no analysis 'hul'; did you mean 'hull'?",
    ),
    "reserved analysis": (
        "  h: {analysis: formula, over: campaign, of: scf}",
        (
            "6: stages.h.analysis: `analysis: formula` is part of the language and not built yet "
            "in this version"
        ),
    ),
    "over a sweep": (
        "  h: {analysis: hull, over: sweep, of: scf, energy: value}",
        "6: stages.h.over: `over: sweep` is part of the language and not built yet in this version",
    ),
    "over something": (
        "  h: {analysis: hull, over: everything, of: scf, energy: value}",
        "6: stages.h.over: found 'everything', expected campaign",
    ),
    "of nothing": (
        "  h: {analysis: hull, over: campaign, energy: value}",
        "6: stages.h.of: missing, expected text",
    ),
    "of no stage": (
        f"{HULL_OF}sfc}}",
        "6: stages.hull.of: no stage with an engine 'sfc'; did you mean 'scf'?",
    ),
    "of itself": (
        f"{HULL_OF}hull}}",
        "6: stages.hull.of: found 'hull', expected another stage than itself",
    ),
    "of another analysis": (
        HULL + "  more: {analysis: hull, over: campaign, of: hull, energy: value}",
        "7: stages.more.of: no stage with an engine 'hull'; known: scf",
    ),
    "of a stage without energies": (
        "  h: {analysis: hull, over: campaign, of: scf}",
        "6: stages.h.of: 'scf' has no column 'energy_ev_per_atom', which hull reads; known: value",
    ),
    "an energy of the cell": (
        "  h: {analysis: hull, over: campaign, of: scf, energy: energy_ev}",
        "6: stages.h.energy: 'energy_ev' is in eV, expected a column in eV/atom",
    ),
    "a gate": (
        "  h: {analysis: hull, over: campaign, of: scf, energy: value, when: n_atoms > 1}",
        "6: stages.h.when: `when` is for stages with an engine; an analysis gathers all results",
    ),
    "an unknown key": (
        "  h: {analysis: hull, over: campaign, of: scf, energy: value, enrgy: value}",
        "6: stages.h.enrgy: unknown key; did you mean 'energy'?",
    ),
    "an engine": (
        "  h: {engine: toy, task: scf, analysis: hull}",
        "6: stages.h.analysis: `analysis` is for stages of an analysis, which have no engine",
    ),
    "its structure": (
        HULL + "  a: {engine: toy, task: scf, structure: hull}",
        "7: stages.a.structure: 'hull' does not provide a structure; it provides nothing",
    ),
    "no such column": (
        HULL + "  a: {engine: toy, task: scf, when: hull.above_hull < 1}",
        "7: stages.a.when: hull has no column 'above_hull'; did you mean 'on_hull'?",
    ),
    "a circle": (
        (
            "  a: {engine: toy, task: scf, when: hull.on_hull}\n"
            "  hull: {analysis: hull, over: campaign, of: a, energy: value}"
        ),
        "6: stages.a.when: stages wait for each other: a -> hull -> a",
    ),
}


@pytest.mark.parametrize(("stages", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_once(tmp_path: Path, stages: str, expected: str) -> None:
    with pytest.raises(InvalidFile) as refused:
        loaded(tmp_path, stages + "\n")
    assert [line.partition(":")[2] for line in refused.value.lines] == [expected]
