from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.crystal.charge_balance import ChargeBalance

states = st.lists(st.integers(-4, 6).filter(bool), min_size=1, max_size=3, unique=True).map(
    lambda found: tuple(sorted(found))
)
labels = st.dictionaries(
    st.sampled_from(["Li", "Fe", "O", "S", "Ti", "N"]), states, min_size=1, max_size=5
)


@st.composite
def spaces(draw: st.DrawFn) -> tuple[list[dict[str, tuple[int, ...]]], list[int]]:
    options = draw(st.lists(labels, min_size=1, max_size=4))
    return options, [draw(st.integers(1, 4)) for _ in options]


@settings(max_examples=150, deadline=None)
@given(spaces())
def test_the_choices_are_those_of_a_search_through_all_in_its_order(
    space: tuple[list[dict[str, tuple[int, ...]]], list[int]],
) -> None:
    options, amounts = space
    balance = ChargeBalance(options, amounts)

    def neutral(choice: tuple[str, ...]) -> bool:
        each = [of[symbol] for of, symbol in zip(options, choice, strict=True)]
        return any(
            sum(state * n for state, n in zip(chosen, amounts, strict=True)) == 0
            for chosen in product(*each)
        )

    expected = [choice for choice in product(*options) if neutral(choice)]
    assert list(balance.choices()) == expected
    assert balance.count() == len(expected)
    for choice in expected:
        for chosen in balance.assignments(choice):
            assert sum(state * n for state, n in zip(chosen, amounts, strict=True)) == 0


def test_the_smallest_charges_come_first_and_an_element_may_be_in_two_states() -> None:
    magnetite = ChargeBalance([{"Fe": (2, 3)}, {"Fe": (2, 3)}, {"O": (-2, -1)}], [1, 2, 4])

    assert magnetite.assignments(("Fe", "Fe", "O")) == ((2, 3, -2),)
    oxide = ChargeBalance([{"A": (1, 2)}, {"O": (-2, -1)}], [1, 1])
    assert oxide.assignments(("A", "O")) == ((1, -1), (2, -2))


def test_what_cannot_be_balanced_is_not_visited() -> None:
    # 60 ** 5 choices, of which the last label allows none: a search through them would take hours.
    many = {f"E{i}": (1, 2, 3) for i in range(60)}
    balance = ChargeBalance([many, many, many, many, {"F": (1,)}], [1, 1, 1, 1, 1])

    assert list(balance.choices()) == []
    assert balance.count() == 0
