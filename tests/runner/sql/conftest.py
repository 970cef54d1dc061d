# ruff: noqa: DTZ001  (published times are naive UTC)

from datetime import datetime
from pathlib import Path

import pytest

from runner.export.parquet import publish
from schemas.columns import Column
from schemas.tables import RESULTS, SCREENING

ENERGY = Column("energy_ev_per_atom", "float", "Total energy.", "eV")
GAP = Column("band_gap_ev", "float", "Band gap.", "eV")
FORCES = Column("forces_ev_per_ang", "floats", "Norms of the forces.", "eV/angstrom")


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three results of one stage, one of another campaign, two screened candidates."""
    folder = tmp_path_factory.mktemp("results")
    columns = (*RESULTS, ENERGY, GAP, FORCES)
    rows = [
        {
            "candidate_id": "aa",
            "formula": "BaTiO3",
            "elements": ["Ba", "O", "Ti"],
            "n_atoms": 5,
            "outcome": "ok",
            "energy_ev_per_atom": -8.5,
            "band_gap_ev": 1.75,
            "forces_ev_per_ang": [0.5, 0.25],
            "recovery": [{"failure": "scf_not_converged", "before": 0.7, "after": 0.3}],
            "walltime_s": 5400.0,
            "started_at": datetime(2026, 1, 31, 10, 0, 0, 120_999),
            "finished_at": datetime(2026, 1, 31, 11, 30, 0),
        },
        {
            "candidate_id": "bb",
            "formula": "SrTiO3",
            "elements": ["O", "Sr", "Ti"],
            "n_atoms": 10,
            "outcome": "ok",
            "energy_ev_per_atom": -7.25,
            "band_gap_ev": float("nan"),
            "walltime_s": 1800.0,
            "started_at": datetime(2026, 1, 31, 23, 59, 59),
            "finished_at": datetime(2026, 2, 1, 0, 29, 59),
        },
        {
            "candidate_id": "cc",
            "formula": "CaO",
            "elements": ["Ca", "O"],
            "n_atoms": 2,
            "outcome": "failed",
            "failure": "out_of_walltime",
            "failure_message": "no time\nleft",
        },
    ]
    publish(folder, "results", {"campaign": "solar", "stage": "scf"}, rows, columns)
    other = [{"candidate_id": "aa", "formula": "BaTiO3", "n_atoms": 5, "outcome": "ok"}]
    publish(folder, "results", {"campaign": "other", "stage": "relax"}, other, RESULTS)
    screened = [
        {"row": 0, "formula": "BaTiO3", "verdict": "pass", "choice": {"A": "Ba", "n": 3}},
        {"row": 1, "formula": "HgO", "verdict": "reject", "reason": "toxic"},
    ]
    publish(folder, "screening", {"campaign": "solar"}, screened, SCREENING)
    return folder
