from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from runner.crystal.elements import SYMBOLS
from runner.crystal.supply import supply
from runner.filters.elements import ElementsParams, plugin
from schemas.protocols import Surroundings

HERE = Surroundings(folder=Path(), seed=0)


def scored(*compositions: dict[str, float], **params: object) -> list[Any]:
    batch = pa.record_batch(
        {
            "elements": [sorted(one) for one in compositions],
            "amounts": [[float(one[symbol]) for symbol in sorted(one)] for one in compositions],
        }
    )
    chosen = ElementsParams.model_validate(params)
    rows: list[Any] = plugin.scorer(chosen, HERE)(batch).to_pylist()
    return rows


def test_the_price_of_a_compound_is_the_mean_by_mass() -> None:
    (row,) = scored({"Fe": 2, "O": 3})

    # 0.424 and 0.154 USD/kg in the table; 55.845 and 15.999 g/mol.
    iron, oxygen = 2 * 55.845, 3 * 15.999
    expected = (0.424 * iron + 0.154 * oxygen) / (iron + oxygen)
    assert row["element_cost_usd_per_kg"] == pytest.approx(expected, rel=1e-4)
    assert (row["note"], row["error"]) == (None, None)


def test_prices_of_ones_own_take_the_place_of_the_tables() -> None:
    (row,) = scored({"Fe": 1}, prices_usd_per_kg={"Fe": 10.0})

    assert row["element_cost_usd_per_kg"] == pytest.approx(10.0)


def test_the_rarest_element_is_named_with_its_abundance() -> None:
    (row,) = scored({"Cs": 1, "Pb": 1, "I": 3})

    assert (row["rarest_element"], row["rarest_element_ppm"]) == ("I", 0.45)


def test_toxicity_is_that_of_the_worst_element_and_unknown_where_that_is_not_assessed() -> None:
    lead, cobalt, iron, titanium, nothing = scored(
        {"Pb": 1, "Ti": 1, "O": 3}, {"Li": 1, "Co": 1, "O": 2}, {"Fe": 1, "O": 1},
        {"Ti": 1, "O": 2}, {"Na": 1, "Cl": 1},
    )  # fmt: skip

    assert [row["toxicity_class"] for row in (lead, cobalt, iron, nothing)] == [1, 2, 4, 4]
    assert lead["note"] is None
    assert titanium["toxicity_class"] is None
    assert titanium["note"] == "ICH Q3D does not assess Ti"


def test_what_is_not_known_is_null_with_a_note_and_radioactivity_always_known() -> None:
    technetium, uranium, bismuth = scored({"Tc": 1, "O": 2}, {"U": 1, "O": 2}, {"Bi": 2, "O": 3})

    assert technetium["element_cost_usd_per_kg"] is None
    assert technetium["rarest_element"] is None
    assert technetium["note"] == ("no price of Tc; no abundance of Tc; ICH Q3D does not assess Tc")
    assert [row["radioactive"] for row in (technetium, uranium, bismuth)] == [True, True, False]


def test_the_table_has_every_element_once_and_plausible_numbers() -> None:
    table = supply()

    assert len(table.price_usd_per_kg) == len(SYMBOLS) + 1
    assert np.nanmin(table.price_usd_per_kg) > 0.05
    # The crust is a whole: 10^6 mg per kg, within the errors of the large ones.
    assert np.nansum(table.crust_mg_per_kg) == pytest.approx(1e6, rel=0.02)


def test_a_price_of_what_is_no_element_is_refused() -> None:
    with pytest.raises(ValidationError, match="'Aluminium' is not an element"):
        ElementsParams.model_validate({"prices_usd_per_kg": {"Aluminium": 2.0}})
