from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fireworks_ext.engines.espresso import plugin
from fireworks_ext.engines.espresso.params import EspressoParams
from fireworks_ext.engines.espresso.recipes import ESPRESSO_DATA
from schemas.errors import UserError
from schemas.profile import Site
from schemas.protocols import Calculation
from schemas.registry import engines
from schemas.resources import Resources
from schemas.structure import Structure

Make = Callable[..., EspressoParams]


def test_the_registry_finds_the_engine() -> None:
    assert engines.get("espresso") is plugin


def test_an_unknown_task_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'vc-relax'"):
        plugin.columns("vcrelax")


@pytest.mark.skipif(not ESPRESSO_DATA.is_dir(), reason="quantum-espresso-data is not installed")
def test_the_run_directory_can_be_run_by_hand_as_it_stands(
    tmp_path: Path, silicon: Structure, make_params: Make, site: Site
) -> None:
    params = plugin.resolve(silicon, "scf", make_params(), site)
    calculation = Calculation("scf", silicon, params, Resources(walltime_min=10))
    plugin.inputs(calculation, tmp_path, site)
    assert {path.name for path in tmp_path.iterdir()} == {"pw.in", "deck.json", "pseudo"}
    text = (tmp_path / "pw.in").read_text()
    assert "outdir = './out'" in text
    assert (tmp_path / "pseudo" / "Si.pbe-rrkj.UPF").is_file()


@pytest.mark.skipif(not ESPRESSO_DATA.is_dir(), reason="quantum-espresso-data is not installed")
def test_writing_inputs_twice_gives_the_same_bytes(
    tmp_path: Path, silicon: Structure, make_params: Make, site: Site
) -> None:
    params = plugin.resolve(silicon, "relax", make_params(), site)
    calculation = Calculation("relax", silicon, params, Resources())
    texts = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        plugin.inputs(calculation, tmp_path / name, site)
        texts.append((tmp_path / name / "pw.in").read_bytes())
    assert texts[0] == texts[1]


@pytest.mark.skipif(not ESPRESSO_DATA.is_dir(), reason="quantum-espresso-data is not installed")
def test_files_are_known_by_their_content(
    silicon: Structure, site: Site, make_params: Make
) -> None:
    files = plugin.files(silicon, make_params(), site)
    assert list(files) == ["Si"]
    assert len(files["Si"]) == 64


def test_a_missing_density_is_an_error_with_its_folder(
    tmp_path: Path, silicon: Structure, make_params: Make, site: Site
) -> None:
    calculation = Calculation(
        "scf",
        silicon,
        make_params(),
        Resources(),
        upstream={"charge_density": tmp_path / "gone"},
    )
    with pytest.raises(UserError, match="gone"):
        plugin.inputs(calculation, tmp_path, site)


def test_a_method_leaves_aside_what_belongs_to_elements_and_keeps_all_else() -> None:
    common = {"pseudopotentials": "gth-pbe", "kspacing_per_ang": 0.2}

    def method(**own: Any) -> dict[str, Any]:
        return plugin.method("scf", plugin.params.model_validate(common | own))

    plain = method(ecutwfc_ry=30)
    assert method(ecutwfc_ry=90, ecutrho_ry=360) == plain
    assert method(ecutwfc_ry=30, spin="collinear", moments_bohr={"Fe": 2.0}) == plain
    assert method(ecutwfc_ry=30, hubbard_u_ev={"Fe-3d": 4.0}) == plain
    for other in (
        {"pseudopotentials": "debian-pbe"},
        {"smearing": "gaussian"},
        {"degauss_ry": 0.03},
        {"kspacing_per_ang": 0.3},
        {"params": {"input_dft": "pbesol"}},
    ):
        assert method(**({"ecutwfc_ry": 30} | other)) != plain
