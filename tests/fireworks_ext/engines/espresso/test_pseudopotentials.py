import hashlib
import multiprocessing
import os
from pathlib import Path

import pytest
from elsewhere import build_family

from fireworks_ext.engines.espresso import pseudopotentials, recipes
from fireworks_ext.engines.espresso.params import EspressoParams
from fireworks_ext.engines.espresso.pseudopotentials import load, read_family
from fireworks_ext.engines.espresso.resolution import resolve
from schemas.errors import UserError
from schemas.profile import Site
from schemas.structure import Structure

needs_espresso_data = pytest.mark.skipif(
    not recipes.ESPRESSO_DATA.is_dir(), reason="quantum-espresso-data is not installed"
)
needs_cp2k_data = pytest.mark.skipif(
    not recipes.CP2K_TABLE.is_file(), reason="cp2k-data is not installed"
)

GTH_SILICON = """\
Si GTH-PBE-q4
14 4 0
10 11 1 0 2001 0
0.44000000 1 -6.26928833
2
0.43563383 2 8.95174150 -2.70627082
3.49378060
0.49794218 1 2.43127673
0.00000000
"""


def _family(folder: Path, *, functional: str = "pbe", md5: str = "", more: str = "") -> Site:
    """Write a family `own` with silicon and return a site that finds it."""
    own = folder / "own"
    own.mkdir(parents=True)
    (own / "Si.gth").write_text(GTH_SILICON)
    md5 = md5 or hashlib.md5(GTH_SILICON.encode(), usedforsecurity=False).hexdigest()
    (own / "family.yaml").write_text(
        f"name: own\nfunctional: {functional}\nsource: a test\nelements:\n"
        f"  Si: {{file: Si.gth, md5: {md5}{more}}}\n"
    )
    return Site(pseudopotentials=(folder,))


def _params(**settings: object) -> EspressoParams:
    return EspressoParams.model_validate(
        {"pseudopotentials": "own", "kspacing_per_ang": 0.3, **settings}
    )


def test_cutoffs_and_valences_come_from_the_family(tmp_path: Path, silicon: Structure) -> None:
    site = _family(tmp_path, more=", ecutwfc_ry: 50, ecutwfc_tight_ry: 80")
    found = resolve(silicon, _params(), site)
    assert (found.ecutwfc_ry, found.ecutrho_ry, found.valences) == (50, 200, {"Si": 4})
    assert resolve(silicon, _params(cutoff_accuracy="tight"), site).ecutwfc_ry == 80
    assert resolve(silicon, _params(ecutwfc_ry=33), site).ecutwfc_ry == 33


def test_an_element_without_a_measured_cutoff_asks_for_one(
    tmp_path: Path, silicon: Structure
) -> None:
    site = _family(tmp_path)
    with pytest.raises(UserError, match=r"no measured cutoff of Si .* give ecutwfc_ry"):
        resolve(silicon, _params(), site)
    assert resolve(silicon, _params(ecutwfc_ry=30), site).ecutrho_ry == 120


def test_an_element_that_the_family_lacks_is_named(tmp_path: Path) -> None:
    carbon = Structure(
        lattice_ang=((0.0, 1.8, 1.8), (1.8, 0.0, 1.8), (1.8, 1.8, 0.0)),
        species=("C",),
        frac_coords=((0.0, 0.0, 0.0),),
    )
    with pytest.raises(UserError, match="has no C; it has Si"):
        resolve(carbon, _params(), _family(tmp_path))


def test_a_family_with_a_file_of_another_functional_is_refused(
    tmp_path: Path, silicon: Structure
) -> None:
    with pytest.raises(UserError, match="functionals cannot mix"):
        resolve(silicon, _params(ecutwfc_ry=30), _family(tmp_path, functional="pbesol"))


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    site = _family(tmp_path)
    family = load("own", site)
    before = family.sha256("Si")
    assert before == hashlib.sha256(GTH_SILICON.encode()).hexdigest()
    path = family.path("Si")
    path.write_text(GTH_SILICON + " ")
    os.utime(path, ns=(0, 0))
    with pytest.raises(UserError, match="content is not the one"):
        family.sha256("Si")


def test_an_unknown_family_is_refused_with_the_nearest(site: Site) -> None:
    with pytest.raises(UserError, match="did you mean 'gth-pbe'"):
        load("gth-pbx", site)


def test_a_family_file_with_a_mistake_says_where(tmp_path: Path) -> None:
    site = _family(tmp_path, md5="123")
    with pytest.raises(UserError, match=r"elements\.Si\.md5"):
        load("own", site)


def test_a_source_that_is_not_installed_names_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    absent = recipes.Recipe("gone", "pbe", "some-package", tmp_path / "gone", "")
    monkeypatch.setattr(recipes, "RECIPES", {"gone": absent})
    with pytest.raises(UserError, match="apt-get install some-package"):
        load("gone", site)


def test_spin_without_moments_asks_for_them(tmp_path: Path, silicon: Structure) -> None:
    site = _family(tmp_path)
    with pytest.raises(UserError, match="give moments_bohr"):
        resolve(silicon, _params(ecutwfc_ry=30, spin="collinear"), site)


def test_spin_with_moments_for_other_elements_only_is_no_spin(
    tmp_path: Path, silicon: Structure
) -> None:
    params = _params(ecutwfc_ry=30, spin="collinear", moments_bohr={"Fe": 4.0})
    assert resolve(silicon, params, _family(tmp_path)).spin == "none"


def test_moments_of_the_structure_are_used(tmp_path: Path, silicon: Structure) -> None:
    magnet = silicon.model_copy(update={"moments_bohr": (1.0, -1.0)})
    params = _params(ecutwfc_ry=30, spin="collinear")
    assert resolve(magnet, params, _family(tmp_path)).moments_bohr == (1.0, -1.0)


@needs_espresso_data
@pytest.mark.parametrize("name", ["debian-pbe", "debian-pbesol", "debian-lda"])
def test_families_of_the_distribution_hold_one_functional(name: str, site: Site) -> None:
    family = load(name, site)
    assert set(family.family.elements) == set(recipes.RECIPES[name].files)
    for element in family.family.elements:
        assert family.header(element).functional == family.family.functional
        assert family.sha256(element) == family.entry(element).sha256


@needs_cp2k_data
def test_the_gth_families_cover_87_elements_and_differ_in_semicore(site: Site) -> None:
    semicore, valence = load("gth-pbe", site), load("gth-pbe-valence", site)
    assert len(semicore.family.elements) == len(valence.family.elements) == 87
    assert semicore.header("Mg").valence == 10
    assert valence.header("Mg").valence == 2
    assert semicore.header("O").valence == valence.header("O").valence == 6


@needs_cp2k_data
def test_processes_that_build_the_same_family_at_once_all_get_it(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        folders = set(pool.map(build_family, [("gth-pbe", tmp_path)] * 3))
    assert folders == {str(tmp_path / "gth-pbe")}
    assert len(read_family(tmp_path / "gth-pbe").elements) == 87
    assert [path.name for path in tmp_path.iterdir()] == ["gth-pbe"]


@needs_cp2k_data
@needs_espresso_data
def test_shipped_cutoffs_belong_to_the_files_that_were_measured(site: Site) -> None:
    for name, elements in recipes.measured_cutoffs().items():
        family = load(name, site)
        for element, found in elements.items():
            assert family.entry(element).md5 == found["md5"], (name, element)
            loose, standard = found["ecutwfc_loose_ry"], found["ecutwfc_ry"]
            assert loose <= standard <= found["reference_ry"]


@needs_espresso_data
def test_cutoffs_of_a_family_that_was_built_before_they_were_measured_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(pseudopotentials.DATA_DIRECTORY_VARIABLE, str(tmp_path))
    with monkeypatch.context() as before:
        before.setattr(recipes, "measured_cutoffs", dict)
        assert load("debian-pbe", Site()).family.elements["Si"].ecutwfc_ry is None
        assert load("debian-pbe", Site()).cutoffs("Si") == {}
    assert load("debian-pbe", Site()).cutoffs("Si")["standard"] > 0


def test_the_documentation_quotes_the_measured_cutoffs() -> None:
    root = next(p for p in Path(__file__).parents if (p / "pyproject.toml").is_file())
    lines = (root / "docs" / "pseudopotentials.md").read_text().splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.count(" | ") == 6]
    quoted = {(row[0], row[1]): row[2:] for row in rows if row[0] in recipes.RECIPES}
    keys = ("ecutwfc_loose_ry", "ecutwfc_ry", "ecutwfc_tight_ry", "ecutrho_ry", "reference_ry")
    measured = {
        (family, element): [f"{found[key]:g}" if found[key] else "none" for key in keys]
        for family, elements in recipes.measured_cutoffs().items()
        for element, found in elements.items()
    }
    assert quoted == measured
