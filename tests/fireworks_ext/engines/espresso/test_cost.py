from collections.abc import Callable

import pytest

from fireworks_ext.engines.espresso.cost import resources, work
from fireworks_ext.engines.espresso.params import EspressoParams
from schemas.structure import Structure

Make = Callable[..., EspressoParams]


@pytest.mark.parametrize(
    "more",
    [
        {"ecutwfc_ry": 40.0, "ecutrho_ry": 160.0},
        {"ecutrho_ry": 160.0},
        {"kmesh": (4, 4, 4)},
        {"spin": "collinear"},
        {"valences": {"Si": 12.0}},
    ],
)
def test_whatever_makes_a_calculation_longer_raises_its_work(
    silicon: Structure, make_params: Make, more: dict[str, object]
) -> None:
    assert work(silicon, "scf", make_params(**more)) > work(silicon, "scf", make_params())


def test_relaxations_take_more_than_single_points(silicon: Structure, make_params: Make) -> None:
    params = make_params()
    scf, relax, cell = (work(silicon, task, params) for task in ("scf", "relax", "vc-relax"))
    assert scf < relax < cell


def test_small_cells_ask_for_one_core_and_large_ones_for_more(make_params: Make) -> None:
    def crystal(side_ang: float, n: int) -> Structure:
        return Structure(
            lattice_ang=((side_ang, 0.0, 0.0), (0.0, side_ang, 0.0), (0.0, 0.0, side_ang)),
            species=("Si",) * n,
            frac_coords=tuple((i / n, 0.3 * i / n, 0.7 * (i % 3) / 3) for i in range(n)),
        )

    params = make_params(ecutwfc_ry=60.0, ecutrho_ry=240.0, kmesh=(4, 4, 4))
    small, large = (resources(crystal(*s), "vc-relax", params) for s in ((2.5, 1), (11.0, 32)))
    assert small.cores == 1
    assert large.cores > 1
    assert large.walltime_min > small.walltime_min
    assert (large.memory_gb or 0) > (small.memory_gb or 0)


def test_work_can_be_asked_for_before_cutoffs_are_known(silicon: Structure) -> None:
    params = EspressoParams(pseudopotentials="gth-pbe", kspacing_per_ang=0.3)
    assert work(silicon, "scf", params) > 0
