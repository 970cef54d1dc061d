import pytest
from pymatgen.core import Composition, Species
from pymatgen.core.structure_prediction.substitution_probability import (
    SubstitutionPredictor,
    SubstitutionProbability,
)

from runner.crystal.similarity import Ion, Rules, ionic_similarity


def theirs(old: list[Ion], atoms: list[int], threshold: float) -> dict[tuple[Ion, ...], float]:
    """Return what pymatgen's own predictor finds, without what leaves all as it is."""
    species = [Species(*ion) for ion in old]
    found = SubstitutionPredictor(threshold=threshold).composition_prediction(
        Composition(dict(zip(species, atoms, strict=True)))
    )
    answers = {}
    for one in found:
        new = {str(before): after for after, before in one["substitutions"].items()}
        ions = tuple((str(new[str(s)].symbol), int(new[str(s)].oxi_state or 0)) for s in species)
        if ions != tuple(old) and len({symbol for symbol, _ in ions}) == len(ions):
            answers[ions] = float(one["probability"])
    return answers


@pytest.mark.parametrize(
    ("old", "atoms"),
    [
        ([("Na", 1), ("Cl", -1)], [1, 1]),
        ([("Sr", 2), ("Ti", 4), ("O", -2)], [1, 1, 3]),
    ],
)
def test_substitutions_and_their_probabilities_are_those_of_pymatgen(
    old: list[Ion], atoms: list[int]
) -> None:
    found = ionic_similarity().substitutions(old, atoms, Rules(threshold=5e-3, most=len(old)))

    expected = theirs(old, atoms, 5e-3)
    assert expected
    ours = {ions: probability for probability, ions in found}
    # Theirs may put one element in another state, which makes no other structure.
    assert ours == pytest.approx(
        {
            ions: value
            for ions, value in expected.items()
            if all(a == b or a[0] != b[0] for a, b in zip(old, ions, strict=True))
        }
    )
    assert [probability for probability, _ in found] == sorted(ours.values(), reverse=True)


def test_probabilities_of_what_may_come_for_an_ion_sum_to_one() -> None:
    similarity = ionic_similarity()
    table = SubstitutionProbability()  # type: ignore[no-untyped-call]  # ships without types

    for ion in (("Fe", 2), ("O", -2), ("La", 3)):
        ranked = similarity.ranked(ion)
        assert sum(probability for probability, _ in ranked) == pytest.approx(1.0)
        probability, new = ranked[1]
        assert probability == pytest.approx(table.cond_prob(Species(*new), Species(*ion)))


def test_rules_bound_how_many_come_which_ones_and_their_charges() -> None:
    similarity = ionic_similarity()
    old, atoms = [("Sr", 2), ("Ti", 4), ("O", -2)], [1, 1, 3]

    one = similarity.substitutions(old, atoms, Rules(threshold=1e-3, most=1))
    assert one
    for _, ions in one:
        assert sum(new != before for new, before in zip(ions, old, strict=True)) == 1

    kept = similarity.substitutions(
        old, atoms, Rules(threshold=1e-3, most=3, kept=frozenset(("O",)))
    )
    assert kept
    assert {ions[2] for _, ions in kept} == {("O", -2)}

    only = similarity.substitutions(
        old, atoms, Rules(threshold=1e-4, most=3, allowed=frozenset(("Ba", "Zr")))
    )
    assert {symbol for _, ions in only for symbol, _ in ions} == {"Sr", "Ba", "Ti", "Zr", "O"}

    charged = similarity.substitutions(old, atoms, Rules(threshold=1e-3, most=1, balanced=False))
    assert len(charged) > len(one)


def test_an_ion_that_the_data_do_not_hold_is_named() -> None:
    with pytest.raises(ValueError, match=r"Xe8\+ is not among the ions"):
        ionic_similarity().ranked(("Xe", 8))
