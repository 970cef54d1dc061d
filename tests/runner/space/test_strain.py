from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from runner.space.strain import StrainParams, plugin
from schemas.candidate import Candidate
from schemas.protocols import Surroundings

SALT = {
    "kind": "prototype",
    "prototype": "rocksalt",
    "species": {"A": ["Mg", "Ca"], "X": ["O"]},
    "lattice_ang": 4.21,
}
LARGE = {"kind": "supercells", "of": SALT, "matrix": [5, 5, 5]}


def made(seed: int = 7, **params: object) -> list[Candidate]:
    given = StrainParams.model_validate({"of": SALT, **params})
    return list(plugin.candidates(given, Surroundings(folder=Path(), seed=seed)))


def lattice(candidate: Candidate) -> np.ndarray:
    return np.array(candidate.structure.lattice_ang)


def test_a_volumetric_strain_changes_the_volume_by_that_fraction_and_no_angle() -> None:
    smaller, larger = made(volumetric=[-0.05, 0.1])[:2]

    assert smaller.structure.volume_ang3 == pytest.approx(0.95 * 4.21**3 / 4)
    assert larger.structure.volume_ang3 == pytest.approx(1.10 * 4.21**3 / 4)
    gram = lattice(larger) @ lattice(larger).T
    assert gram / gram[0, 0] == pytest.approx(
        np.array([[1, 0.5, 0.5], [0.5, 1, 0.5], [0.5, 0.5, 1]])
    )


def test_a_uniaxial_strain_stretches_one_axis_and_a_shear_turns_one_right_angle() -> None:
    x, z, shear = made(uniaxial=[0.02], axes=["x", "z"], shear=[0.04], planes=["xy"])[:3]
    perfect = made(unstrained=True, volumetric=[0.01])[0]
    start = np.linalg.inv(lattice(perfect))

    assert start @ lattice(x) == pytest.approx(np.diag((1.02, 1.0, 1.0)))
    assert start @ lattice(z) == pytest.approx(np.diag((1.0, 1.0, 1.02)))
    change = start @ lattice(shear)
    cosine = change[0] @ change[1] / np.linalg.norm(change[0]) / np.linalg.norm(change[1])
    assert np.pi / 2 - np.arccos(cosine) == pytest.approx(0.04, abs=1e-4)  # to second order
    assert change == pytest.approx(change.T)
    assert [c.extra["strain"] for c in (perfect, x, z, shear)] == [
        "none", "x 0.02", "z 0.02", "xy 0.04",
    ]  # fmt: skip
    assert shear.extra["strain_voigt"] == [0, 0, 0, 0, 0, 0.04]


def test_atoms_stay_at_their_fractional_places_under_strain() -> None:
    (strained, *_) = made(uniaxial=[0.1])

    assert strained.structure.frac_coords == ((0.0, 0.0, 0.0), (0.5, 0.5, 0.5))
    assert strained.sites == {"A": "Mg", "X": "O"}


def moves_ang(candidate: Candidate, perfect: Candidate) -> np.ndarray:
    apart = np.array(candidate.structure.frac_coords) - np.array(perfect.structure.frac_coords)
    moved: np.ndarray = (apart - np.rint(apart)) @ lattice(perfect)
    return moved


def test_rattled_atoms_move_by_the_amplitude_and_not_all_together() -> None:
    rattled = made(of=LARGE, rattles=2, amplitude_ang=0.05)[0]
    perfect = made(of=LARGE, unstrained=True, volumetric=[0.1])[0]

    moves = moves_ang(rattled, perfect)

    # 750 components: the relative error of a standard deviation is 2.6 %.
    assert moves.std() == pytest.approx(0.05, rel=0.1)
    assert abs(moves.mean(axis=0)).max() < 1e-12
    assert rattled.structure.lattice_ang == perfect.structure.lattice_ang


def test_a_rattled_cell_follows_the_seed_and_is_the_same_in_a_shorter_list() -> None:
    first = made(rattles=3, amplitude_ang=0.05, volumetric=[-0.05, 0.05])
    fewer = made(rattles=1, amplitude_ang=0.05, volumetric=[0.05])

    assert len({c.id for c in first}) == len(first) == 2 * 2 * 3
    assert fewer[0].id == first[3].id
    assert [c.id for c in made(rattles=3, amplitude_ang=0.05, volumetric=[-0.05, 0.05])] == [
        c.id for c in first
    ]
    assert not {c.id for c in made(8, rattles=3, amplitude_ang=0.05)} & {c.id for c in first}


def test_the_count_is_known_before_anything_is_made() -> None:
    params = StrainParams.model_validate(
        {
            "of": LARGE,
            "volumetric": (0.1,),
            "uniaxial": (0.1, 0.2),
            "shear": (0.1,),
            "unstrained": True,
            "rattles": 4,
            "amplitude_ang": 0.01,
        }
    )

    count = plugin.count(params, Surroundings(folder=Path(), seed=7))

    assert count == 2 * (1 + 1 + 6 + 3) * 4
    assert count == sum(1 for _ in plugin.candidates(params, Surroundings(folder=Path(), seed=7)))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "no strain; give volumetric, uniaxial, shear or rattles"),
        ({"rattles": 2}, "found rattles alone"),
        ({"volumetric": [0.1], "amplitude_ang": 0.1}, "found amplitude_ang alone"),
        ({"volumetric": [5]}, "less than 0.5"),
        ({"uniaxial": [0.1], "axes": ["a"]}, "'x', 'y' or 'z'"),
    ],
)
def test_mistakes_in_params_are_named(params: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        made(**params)
