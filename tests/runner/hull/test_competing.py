from collections.abc import Mapping

import pytest

from runner.crystal.prototypes import PROTOTYPES
from runner.hull.competing import (
    COMPACT,
    PROTOTYPE_OF,
    how_to_add,
    missing_binaries,
    named,
    required_pairs,
)


@pytest.mark.parametrize(
    ("composition", "formulas"),
    [
        ({"Sr": 1, "Ti": 1, "O": 3}, ["SrO", "TiO2"]),
        ({"Li": 1, "Co": 1, "O": 2}, ["Co2O3", "Li2O"]),
        ({"Ca": 1, "C": 1, "O": 3}, ["CO2", "CaO"]),  # carbon is the cation of carbonates
        ({"Ca": 2, "C": 1}, ["Ca2C"]),  # and the anion of carbides
        ({"Cs": 1, "Pb": 1, "I": 2, "Br": 1}, ["CsBr", "CsI", "PbBr2", "PbI2"]),
        ({"Na": 1, "Ti": 1, "O": 3}, ["Na2O", "TiO2"]),  # no usual states make it neutral
        ({"Cu": 5, "Zr": 1}, []),  # an alloy
        ({"Si": 1}, []),
    ],
    ids=str,
)
def test_each_pair_of_cation_and_anion_is_required(
    composition: Mapping[str, int], formulas: list[str]
) -> None:
    assert sorted(pair.formula for pair in required_pairs(composition)) == formulas


def test_only_pairs_without_any_binary_are_missing() -> None:
    held = {frozenset(("Sr", "O"))}

    missing = missing_binaries({"Sr": 1, "Ti": 1, "O": 3}, held.__contains__)

    assert named(missing) == "Ti-O (TiO2)"


def test_the_way_to_add_one_is_shown_as_it_would_stand_in_the_file() -> None:
    words = how_to_add(required_pairs({"Sr": 1, "Ti": 1, "O": 3}))

    assert "{kind: prototype, prototype: rocksalt, species: {A: [Sr], X: [O]}}" in words


def test_the_prototypes_of_such_examples_are_ones_that_there_are() -> None:
    assert {*PROTOTYPE_OF.values(), *COMPACT.values()} <= set(PROTOTYPES)
    assert "prototype: cadmium-iodide" in how_to_add(required_pairs({"Sn": 1, "S": 2}))


def test_where_no_prototype_fits_files_are_asked_for() -> None:
    assert "structures" in how_to_add(required_pairs({"Al": 2, "O": 3}))
