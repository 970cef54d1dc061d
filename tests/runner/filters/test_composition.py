from pathlib import Path

import pyarrow as pa
import pytest

from runner.filters.composition import CompositionParams, plugin
from schemas.protocols import Surroundings

HERE = Surroundings(folder=Path(), seed=0)


def test_values_of_strontium_titanate_and_of_its_supercell_agree_with_tables() -> None:
    batch = pa.record_batch(
        {
            "elements": [["O", "Sr", "Ti"], ["O", "Sr", "Ti"], ["Ar", "O"]],
            "amounts": [[3.0, 1.0, 1.0], [24.0, 8.0, 8.0], [1.0, 1.0]],
        }
    )

    cell, supercell, argon = plugin.scorer(CompositionParams(), HERE)(batch).to_pylist()

    assert cell["molar_mass_g_per_mol"] == pytest.approx(183.49, abs=0.01)  # IUPAC weights
    assert cell["mean_atomic_number"] == pytest.approx((38 + 22 + 3 * 8) / 5)
    assert cell["max_atomic_number"] == 38
    assert cell["electronegativity_difference"] == pytest.approx(3.44 - 0.95)  # Pauling: O, Sr
    assert supercell == pytest.approx(cell)
    assert argon["electronegativity_difference"] is None
    assert argon["note"] == "an element has no electronegativity"
    assert argon["max_atomic_number"] == 18
