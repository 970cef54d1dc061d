import pytest

from fireworks_ext.engines.espresso.dispersion import KEYWORDS_OF, check_dispersion
from fireworks_ext.engines.espresso.keywords import mistake
from schemas.errors import UserError

PAW = ("paw",)


@pytest.mark.parametrize(
    ("dispersion", "version"), [("d3", 3), ("d3-bj", 4)], ids=["zero damping", "Becke-Johnson"]
)
def test_the_damping_of_d3_is_a_version_of_pw(dispersion: str, version: int) -> None:
    assert KEYWORDS_OF[dispersion]["dftd3_version"] == version


def test_all_keywords_are_those_of_pw() -> None:
    for keywords in KEYWORDS_OF.values():
        assert [mistake(name, value) for name, value in keywords.items()] == [None] * len(keywords)


def test_a_functional_without_a_fit_is_refused_with_what_it_has() -> None:
    check_dispersion("d3-bj", "pbesol", PAW, {})
    with pytest.raises(UserError, match=r"d3-bj is fitted for .*lda; take dispersion: none"):
        check_dispersion("d3-bj", "lda", PAW, {})
    with pytest.raises(UserError, match="for pbesol there is d3, d3-bj"):
        check_dispersion("d2", "pbesol", PAW, {})


def test_a_fit_of_ones_own_is_accepted() -> None:
    check_dispersion("d2", "pbesol", PAW, {"london_s6": 1.0})
    check_dispersion("d3", "lda", PAW, {"input_dft": "pbe"})
    check_dispersion("none", "lda", PAW, {})


def test_ts_is_refused_for_other_than_norm_conserving_files() -> None:
    check_dispersion("ts", "pbe", ("norm-conserving",), {})
    with pytest.raises(UserError, match="norm-conserving pseudopotentials only"):
        check_dispersion("ts", "pbe", ("norm-conserving", "paw"), {})
