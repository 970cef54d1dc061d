import json
from collections.abc import Mapping
from itertools import product
from math import log
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import ValidationError

from runner.filters.tolerance_factor import ToleranceFactorParams, plugin
from schemas.protocols import Surroundings

HERE = Surroundings(folder=Path(), seed=0)


def scored(
    *sites: Mapping[str, str], labels: Mapping[str, int] | None = None, **params: object
) -> list[dict[str, object]]:
    counts = labels or {"A": 1, "B": 1, "X": 3}
    elements, amounts = [], []
    for held in sites:
        atoms: dict[str, float] = {}
        for label, symbol in held.items():
            atoms[symbol] = atoms.get(symbol, 0.0) + counts[label]
        elements.append(sorted(atoms))
        amounts.append([atoms[symbol] for symbol in sorted(atoms)])
    batch = pa.record_batch(
        {"elements": elements, "amounts": amounts, "sites": [json.dumps(s) for s in sites]}
    )
    rows: list[dict[str, object]] = plugin.scorer(
        ToleranceFactorParams.model_validate(params), HERE
    )(batch).to_pylist()
    return rows


@pytest.mark.parametrize(
    ("a", "b", "x", "tolerance_factor", "octahedral_factor"),
    [
        # From Shannon's radii by hand: Sr XII 1.44, Ti VI 0.605, O VI 1.40.
        ("Sr", "Ti", "O", 2.84 / (2**0.5 * 2.005), 0.605 / 1.40),
        # Cs XII 1.88, Pb VI 1.19, I VI 2.20.
        ("Cs", "Pb", "I", 4.08 / (2**0.5 * 3.39), 1.19 / 2.20),
        # Ba XII 1.61, Zr VI 0.72, S VI 1.84.
        ("Ba", "Zr", "S", 3.45 / (2**0.5 * 2.56), 0.72 / 1.84),
    ],
)
def test_factors_follow_from_shannon_radii(
    a: str, b: str, x: str, tolerance_factor: float, octahedral_factor: float
) -> None:
    (row,) = scored({"A": a, "B": b, "X": x})

    assert row["tolerance_factor"] == pytest.approx(tolerance_factor)
    assert row["octahedral_factor"] == pytest.approx(octahedral_factor)
    assert row["note"] is None


def test_bartels_factor_follows_from_its_formula_and_the_charge_of_a() -> None:
    strontium, caesium = scored({"A": "Sr", "B": "Ti", "X": "O"}, {"A": "Cs", "B": "Pb", "X": "I"})

    # From Shannon's radii by hand: tau = r_X / r_B - n_A (n_A - (r_A / r_B) / ln(r_A / r_B)).
    ratio = 1.44 / 0.605
    assert strontium["bartel_tau"] == pytest.approx(1.40 / 0.605 - 2 * (2 - ratio / log(ratio)))
    ratio = 1.88 / 1.19
    assert caesium["bartel_tau"] == pytest.approx(2.20 / 1.19 - 1 * (1 - ratio / log(ratio)))


def test_bartels_factor_is_unknown_where_a_is_not_larger_than_b() -> None:
    (row,) = scored({"A": "Ce", "B": "Ba", "X": "O"})  # Ce4+ XII 1.14, Ba2+ VI 1.35

    assert row["tolerance_factor"] == pytest.approx(2.54 / (2**0.5 * 2.75))
    assert row["bartel_tau"] is None
    assert row["note"] == "no bartel_tau: it needs an A that is larger than B"


@pytest.mark.parametrize("sites", ["[1, 2]", "{", '{"A": ["Sr"], "B": "Ti", "X": "O"}', None])
def test_sites_that_name_no_elements_are_unknown_and_leave_other_rows_alone(
    sites: str | None,
) -> None:
    good = '{"A":"Sr","B":"Ti","X":"O"}'
    batch = pa.record_batch(
        {
            "elements": [["O", "Sr", "Ti"]] * 2,
            "amounts": [[3.0, 1.0, 1.0]] * 2,
            "sites": pa.array([sites, good], pa.string()),
        }
    )

    odd, other = plugin.scorer(ToleranceFactorParams(), HERE)(batch).to_pylist()

    assert (odd["tolerance_factor"], odd["note"]) == (None, "no sites A, B, X")
    assert other["tolerance_factor"] is not None


def test_all_36_perovskites_of_the_photovoltaics_campaign_have_a_value() -> None:
    sites = [
        {"A": a, "B": b, "X": x}
        for a, b, x in product(("Ca", "Sr", "Ba"), ("Ti", "Zr", "Hf", "Sn"), ("O", "S", "Se"))
    ]

    rows = scored(*sites)

    assert len(rows) == 36
    assert all(row["tolerance_factor"] is not None for row in rows)


@pytest.mark.parametrize(
    ("sites", "note"),
    [
        ({"A": "Mg", "B": "Ti", "X": "O"}, "no Shannon radius of Mg2+ in coordination XII"),
        ({"A": "Na", "B": "Mg", "X": "O"}, "no oxidation states make it neutral"),
        ({"A": "Ar", "B": "Ti", "X": "O"}, "no common oxidation states of Ar"),
        ({"A": "O", "X": "Ti"}, "no sites A, B, X"),
        ({"A": "P", "B": "N", "X": "Ca"}, "no Shannon radius of P3- in coordination XII"),
        (
            {"A": "Si", "B": "Na", "X": "Li"},
            "the ions Si4-, Na+, Li+ make no perovskite: X must oppose A and B",
        ),
    ],
)
def test_what_cannot_be_known_is_null_with_a_note(sites: Mapping[str, str], note: str) -> None:
    (row,) = scored(sites)

    assert row["tolerance_factor"] is None
    assert row["octahedral_factor"] is None
    assert row["error"] is None
    assert row["note"] == note


def test_a_candidate_without_labels_is_unknown() -> None:
    batch = pa.record_batch(
        {"elements": [["Si"]], "amounts": [[2.0]], "sites": pa.nulls(1, pa.string())}
    )

    (row,) = plugin.scorer(ToleranceFactorParams(), HERE)(batch).to_pylist()

    assert (row["tolerance_factor"], row["note"]) == (None, "no sites A, B, X")


def test_other_labels_coordinations_and_spin_states_can_be_named() -> None:
    (eight,) = scored({"A": "Mg", "B": "Ti", "X": "O"}, coordination={"A": 8})
    (renamed,) = scored(
        {"M": "Sr", "B": "Ti", "X": "O"}, labels={"M": 1, "B": 1, "X": 3}, sites={"A": "M"}
    )
    (high,) = scored({"A": "La", "B": "Co", "X": "O"})
    (low,) = scored({"A": "La", "B": "Co", "X": "O"}, spin="low")

    assert eight["tolerance_factor"] == pytest.approx((0.89 + 1.40) / (2**0.5 * 2.005))
    assert renamed["tolerance_factor"] is not None
    assert high["octahedral_factor"] == pytest.approx(0.61 / 1.40)  # Co3+ VI, high spin
    assert low["octahedral_factor"] == pytest.approx(0.545 / 1.40)


def test_a_coordination_that_no_ion_has_is_refused() -> None:
    with pytest.raises(ValidationError, match="no radii are known for coordination 13"):
        ToleranceFactorParams(coordination={"A": 13})
