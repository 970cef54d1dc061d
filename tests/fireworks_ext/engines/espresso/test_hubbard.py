import re
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from fireworks_ext.engines.espresso.hubbard import (
    DEFAULT_SHELLS,
    TABLE_TO_7_0,
    canonical_shells,
    hubbard_card,
    hubbard_keywords,
)
from fireworks_ext.engines.espresso.params import EspressoParams
from fireworks_ext.engines.espresso.physics import physics
from schemas.errors import UserError

Make = Callable[..., EspressoParams]


def test_an_element_and_its_usual_shell_are_the_same_quantity(make_params: Make) -> None:
    short = make_params(hubbard_u_ev={"Fe": 4.0})
    assert make_params(hubbard_u_ev={"Fe-3d": 4.0}) == short
    other = make_params(hubbard_u_ev={"Fe-4s": 4.0})
    assert physics("scf", other) != physics("scf", short)


def test_all_mistakes_in_shells_are_told_at_once(make_params: Make) -> None:
    with pytest.raises(ValidationError) as caught:
        make_params(hubbard_u_ev={"Iron": 4, "La": 3, "Fe": 1, "Fe-4s": 2, "Na": 1})
    for words in (
        "'Iron' is no element and no shell of one",
        "La has no usual shell for U: name one, as in La-4f",
        "U of Fe is given twice",
        "Na has no usual shell",
    ):
        assert words in str(caught.value)


def test_a_stage_replaces_u_of_an_element_in_whatever_word() -> None:
    lower = {"hubbard_u_ev": {"Fe": 4.0, "O": 1.0}}
    kept = EspressoParams.uncovered(lower, {"hubbard_u_ev": {"Fe-4s": 2.0}})
    assert kept == {"hubbard_u_ev": {"O": 1.0}}


def test_shells_that_old_versions_have_are_the_usual_ones() -> None:
    assert all(DEFAULT_SHELLS[element] == shell for element, shell in TABLE_TO_7_0.items())


def test_old_versions_refuse_other_shells_than_those_of_their_table() -> None:
    with pytest.raises(UserError) as caught:
        hubbard_keywords(["Fe", "S"], canonical_shells({"Fe-4s": 1, "S": 2}), "atomic")
    assert "Fe-4s (it takes 3d), S-3p (it has none); pw.x 7.1 or newer can" in str(caught.value)


def test_both_syntaxes_say_the_same_projectors_and_values() -> None:
    u_ev = canonical_shells({"Fe": 4.0, "O-2p": 1.0})
    keywords = hubbard_keywords(["Fe", "Fe", "O", "Sr"], u_ev, "ortho-atomic")
    assert keywords == {
        "lda_plus_u": True,
        "lda_plus_u_kind": 0,
        "u_projection_type": "ortho-atomic",
        "hubbard_u(1)": 4.0,
        "hubbard_u(2)": 4.0,
        "hubbard_u(3)": 1.0,
    }
    labels = [("Fe1", "Fe"), ("Fe2", "Fe"), ("O", "O"), ("Sr", "Sr")]
    card = hubbard_card(labels, u_ev, "ortho-atomic")
    assert card.projectors == "ortho-atomic"
    assert card.u_ev == (("Fe1-3d", 4.0), ("Fe2-3d", 4.0), ("O-2p", 1.0))


def test_projectors_are_physics_only_where_there_is_u(make_params: Make) -> None:
    plain = physics("scf", make_params())
    assert physics("scf", make_params(hubbard_projectors="ortho-atomic")) == plain
    atomic = physics("scf", make_params(hubbard_u_ev={"Fe": 4}))
    ortho = make_params(hubbard_u_ev={"Fe": 4}, hubbard_projectors="ortho-atomic")
    assert physics("scf", ortho) == {**atomic, "hubbard_projectors": "ortho-atomic"}


@pytest.mark.parametrize("field", [{"hubbard_projectors": "ortho-atomic"}, {"dispersion": "d3"}])
def test_a_new_word_and_the_keyword_of_the_same_are_refused(
    make_params: Make, field: dict[str, str]
) -> None:
    keyword = {"hubbard_projectors": "u_projection_type", "dispersion": "vdw_corr"}[
        next(iter(field))
    ]
    with pytest.raises(ValidationError, match=re.escape(f"keyword '{keyword}'")):
        make_params(**field, params={keyword: "atomic"})
