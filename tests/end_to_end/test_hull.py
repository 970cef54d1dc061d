"""A binary system on pw.x: distances to its hull, and what an edit of one member computes again."""

from __future__ import annotations

from typing import Any

import pytest
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition

SPEC = """
version: 1
campaign: al-p
space:
  - {kind: prototype, prototype: fcc, species: {A: [Al]}, lattice_ang: 4.04}
  - {kind: prototype, prototype: bcc, species: {A: [P]}, lattice_ang: 3.07}
  - {kind: prototype, prototype: fcc, species: {A: [P]}, lattice_ang: 3.9}
  - {kind: prototype, prototype: zincblende, species: {A: [Al], X: [P]}, lattice_ang: 5.47}
  - {kind: prototype, prototype: rocksalt, species: {A: [Al], X: [P]}, lattice_ang: 5.15}
  - {kind: prototype, prototype: cesium-chloride, species: {A: [Al], X: [P]}, lattice_ang: 3.1}
  - {kind: prototype, prototype: fluorite, species: {A: [Al], X: [P]}, lattice_ang: 5.5}
defaults:
  espresso: {protocol: fast, pseudopotentials: gth-pbe, ecutwfc_ry: 16, kspacing_per_ang: 0.8}
stages:
  scf: {engine: espresso, task: scf}
  hull: {analysis: hull, over: campaign, of: scf}
  fine: {engine: espresso, task: scf, kspacing_per_ang: 0.6,
         when: hull.above_hull_ev_per_atom < 0.01}
"""
SAME_EV_PER_ATOM = 1e-6
"""What the hull and pymatgen may differ by."""


def rows(store: Any) -> list[tuple[Any, Any, Any]]:
    """Return each candidate with what the stages scf and hull found of it."""
    members = store.candidates.find({"member": True})

    def values(member: Any, stage: str) -> Any:
        return store.results.find_one({"key": member["stages"][stage]["key"]})["values"]

    return [(one, values(one, "scf"), values(one, "hull")) for one in members]


def assert_as_pymatgen(store: Any) -> dict[str, float]:
    found = rows(store)
    entries = [
        PDEntry(Composition("".join(one["structure"]["species"])), scf["energy_ev"])
        for one, scf, _ in found
    ]
    diagram = PhaseDiagram(entries)
    for entry, (_, _, row) in zip(entries, found, strict=True):
        assert row["above_hull_ev_per_atom"] == pytest.approx(
            diagram.get_e_above_hull(entry), abs=SAME_EV_PER_ATOM
        )
        assert row["formation_energy_ev_per_atom"] == pytest.approx(
            diagram.get_form_energy_per_atom(entry), abs=SAME_EV_PER_ATOM
        )
        parts = diagram.get_decomposition(entry.composition)
        assert sorted(part["fraction"] for part in row["decomposition"]) == pytest.approx(
            sorted(parts.values()), abs=SAME_EV_PER_ATOM
        )
    return {one["stages"]["hull"]["key"]: row["above_hull_ev_per_atom"] for one, _, row in found}


@pytest.mark.pw
@pytest.mark.slow
def test_hull_distances_are_those_of_pymatgen_and_follow_an_edit_of_one_member(bench: Any) -> None:
    status = bench.run(SPEC)
    store = bench.prepare(SPEC).store
    assert [stage.ok for stage in status.stages[:2]] == [7, 7]
    distances = assert_as_pymatgen(store)
    stable = sum(distance < 0.01 for distance in distances.values())
    assert 2 <= stable < 7
    assert [stage for _, stage in bench.computed].count("fine") == stable
    (zincblende,) = (
        row for one, _, row in rows(store) if one["formula"] == "AlP" and row["on_hull"]
    )
    assert zincblende["formation_energy_ev_per_atom"] < -0.5
    keys = set(distances)

    bench.run(SPEC.replace("lattice_ang: 5.47", "lattice_ang: 5.4"))
    edited = [one for one in bench.computed if one[1] == "scf"]
    assert edited == [("AlP", "scf")]
    assert len(bench.computed) <= 2  # and what its new distance lets through
    distances = assert_as_pymatgen(store)
    assert not keys & set(distances)
