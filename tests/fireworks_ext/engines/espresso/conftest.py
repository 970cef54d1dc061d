from collections.abc import Callable
from pathlib import Path

import pytest

from fireworks_ext.engines.espresso.params import EspressoParams
from schemas.profile import Site
from schemas.structure import Structure

HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def _own_data_directory(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Families are built in a folder of the test session, never in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MATCAMPAIGN_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def silicon() -> Structure:
    half = 2.73
    return Structure(
        lattice_ang=((0.0, half, half), (half, 0.0, half), (half, half, 0.0)),
        species=("Si", "Si"),
        frac_coords=((0.0, 0.0, 0.0), (0.25, 0.25, 0.25)),
    )


@pytest.fixture
def make_params() -> Callable[..., EspressoParams]:
    def make(**settings: object) -> EspressoParams:
        return EspressoParams.model_validate(
            {
                "pseudopotentials": "debian-pbe",
                "ecutwfc_ry": 20.0,
                "ecutrho_ry": 80.0,
                "kmesh": (2, 2, 2),
                "valences": {"Si": 4.0, "Fe": 16.0, "O": 6.0},
                **settings,
            }
        )

    return make


@pytest.fixture
def runs() -> Path:
    return HERE / "runs"
