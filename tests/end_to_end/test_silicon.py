"""Silicon through the whole of the program: relaxed, then its bands from the relaxed density."""

from __future__ import annotations

from typing import Any

import pytest

SPEC = """
version: 1
campaign: silicon
space:
  - kind: prototype
    prototype: diamond
    species: {A: [Si]}
    lattice_ang: 5.5
defaults:
  espresso: {protocol: fast, pseudopotentials: debian-pbe, ecutwfc_ry: 20, kspacing_per_ang: 0.6}
stages:
  relax: {engine: espresso, task: vc-relax}
  plain: {engine: espresso, task: scf, structure: relax}
  started: {engine: espresso, task: scf, structure: relax, charge_density: relax,
            when: relax.volume_ang3_per_atom < 25 and plain.scf_iterations > 0}
"""


@pytest.mark.pw
@pytest.mark.slow
def test_a_stage_that_starts_from_a_charge_density_gives_the_same_energy_sooner(bench: Any) -> None:
    status = bench.run(SPEC)
    assert [(stage.stage, stage.ok) for stage in status.stages] == [
        ("relax", 1),
        ("plain", 1),
        ("started", 1),
    ]
    store = bench.prepare(SPEC).store
    stages = store.candidates.find_one({})["stages"]
    values = {
        stage: store.results.find_one({"key": entry["key"]})["values"]
        for stage, entry in stages.items()
    }
    plain, started = values["plain"], values["started"]
    # Both are converged to 1e-8 Ry per atom.
    assert started["energy_ev"] == pytest.approx(plain["energy_ev"], abs=1e-5)
    assert started["scf_iterations"] < plain["scf_iterations"]
    assert 5.3 < values["relax"]["a_ang"] * 2**0.5 < 5.6
