import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireworks_ext.engines.espresso.parallel import is_hybrid, k_pools, parallel_flags


@pytest.mark.parametrize(
    ("ranks", "points", "pools"),
    [(1, 5, 1), (4, 1, 1), (4, 4, 4), (6, 4, 3), (7, 3, 1), (8, 99, 8)],
)
def test_pools_divide_the_ranks_and_none_is_empty(ranks: int, points: int, pools: int) -> None:
    assert k_pools(ranks, points) == pools


def test_a_single_rank_needs_no_flags() -> None:
    assert parallel_flags(1, n_kpoints=10, n_bands=1000, hybrid=True) == ()


@pytest.mark.parametrize(
    ("ranks", "bands", "side"), [(4, 20, 1), (4, 600, 2), (9, 5000, 3), (16, 600, 2), (20, 5000, 4)]
)
def test_small_matrices_stay_on_one_rank_and_large_ones_get_a_square(
    ranks: int, bands: int, side: int
) -> None:
    flags = parallel_flags(ranks, n_kpoints=1, n_bands=bands)
    assert flags == ("-nk", "1", "-nd", str(side * side))


def test_only_exact_exchange_gets_band_groups() -> None:
    assert "-nb" not in parallel_flags(8, n_kpoints=1, n_bands=64)
    flags = parallel_flags(8, n_kpoints=2, n_bands=64, hybrid=True)
    assert flags == ("-nk", "2", "-nb", "4")
    assert "-nb" not in parallel_flags(8, n_kpoints=8, n_bands=64, hybrid=True)


def test_more_ranks_than_planes_get_task_groups() -> None:
    assert "-nt" not in parallel_flags(64, n_kpoints=1, n_planes=64)
    flags = parallel_flags(64, n_kpoints=1, n_planes=24)
    assert flags[flags.index("-nt") + 1] == "4"


def test_flags_of_the_profile_win_and_the_others_fit_them() -> None:
    assert parallel_flags(16, n_kpoints=16, n_bands=600, given=("-npool", "2")) == ("-nd", "4")
    flags = parallel_flags(16, n_kpoints=2, n_bands=5000, given=("-ndiag", "1", "-ntg", "2"))
    assert flags == ("-nk", "2")
    hybrid = parallel_flags(4, n_kpoints=1, n_bands=64, hybrid=True, given=("-nband", "2"))
    assert hybrid == ("-nk", "1")


@given(
    ranks=st.integers(1, 300),
    points=st.integers(1, 200),
    bands=st.integers(1, 4000),
    planes=st.integers(1, 200),
    hybrid=st.booleans(),
)
def test_every_choice_can_be_carried_out(
    *, ranks: int, points: int, bands: int, planes: int, hybrid: bool
) -> None:
    flags = parallel_flags(ranks, n_kpoints=points, n_bands=bands, n_planes=planes, hybrid=hybrid)
    numbers = dict(zip(flags[::2], map(int, flags[1::2]), strict=True))
    pools, groups = numbers.get("-nk", 1), numbers.get("-nb", 1)
    assert pools <= points
    assert ranks % (pools * groups) == 0
    per_group = ranks // pools // groups
    assert per_group % numbers.get("-nt", 1) == 0
    assert numbers.get("-nd", 1) <= per_group


@pytest.mark.parametrize(
    ("raw", "hybrid"),
    [({"input_dft": "PBE0"}, True), ({"exx_fraction": 0.25}, True), ({"input_dft": "pbe"}, False)],
)
def test_exact_exchange_is_known_by_its_keywords(raw: dict[str, object], *, hybrid: bool) -> None:
    assert is_hybrid(raw) is hybrid
