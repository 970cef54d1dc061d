from fireworks_ext.engines.espresso.bands import METAL, UNKNOWN, gap


def test_the_gap_is_between_the_highest_filled_and_the_lowest_empty_band() -> None:
    found = gap([[[0.0, 1.0, 3.0], [0.0, 1.5, 2.5]]], [2])
    assert (found.band_gap_ev, found.direct_gap_ev, found.is_metal) == (1.0, 1.0, False)
    indirect = gap([[[1.5, 4.0], [0.0, 2.0]]], [1])
    assert (indirect.band_gap_ev, indirect.direct_gap_ev) == (0.5, 2.0)


def test_overlapping_bands_and_half_filled_bands_are_metals() -> None:
    assert gap([[[0.0, 1.0], [2.0, 3.0]]], [1]) == METAL
    assert gap([[[0.0, 1.0]]], [0.5]) == METAL


def test_without_empty_bands_the_gap_is_unknown() -> None:
    assert gap([[[0.0, 1.0]]], [2]) == UNKNOWN


def test_the_gap_of_two_spins_lies_between_them_and_the_direct_one_within_one() -> None:
    found = gap([[[0.0, 5.0]], [[1.0, 3.0]]], [1, 1])
    assert (found.band_gap_ev, found.direct_gap_ev) == (2.0, 2.0)
    magnet = gap([[[0.0, 5.0]], [[3.0, 6.0]]], [1, 0])
    assert (magnet.band_gap_ev, magnet.direct_gap_ev) == (3.0, 5.0)
