import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import ValidationError

from runner.crystal.cells import to_arrow
from runner.filters.chgnet import ChgnetParams, plugin
from schemas.protocols import Surroundings
from schemas.structure import Structure

HERE = Surroundings(folder=Path(), seed=0)


def cell(edge_ang: float, *species: str) -> Structure:
    """A rocksalt cell, or a face-centred one of one atom."""
    half = edge_ang / 2
    return Structure.model_validate(
        {
            "lattice_ang": [[0, half, half], [half, 0, half], [half, half, 0]],
            "species": species,
            "frac_coords": [[0, 0, 0], [0.5, 0.5, 0.5]][: len(species)],
        }
    )


def scored(*structures: Structure, **params: object) -> list[dict[str, object]]:
    if not _installed():
        pytest.skip("torch or chgnet is not installed")
    batch = pa.record_batch({"structure": to_arrow(structures)})
    rows: list[dict[str, object]] = plugin.scorer(ChgnetParams.model_validate(params), HERE)(
        batch
    ).to_pylist()
    return rows


def _installed() -> bool:
    from runner.ml.chgnet import Chgnet

    return Chgnet("0.3.0").missing() is None


def test_the_energy_alone_is_given_unless_more_is_asked_for() -> None:
    (row,) = scored(cell(4.24, "Mg", "O"))

    # What chgnet 0.4.2 says itself, to the tolerance of single precision.
    assert row["energy_ev_per_atom"] == pytest.approx(-6.313457, abs=1e-5)
    assert row == {"energy_ev_per_atom": row["energy_ev_per_atom"], "note": None, "error": None}
    assert row["energy_ev_per_atom"] == round(float(str(row["energy_ev_per_atom"])), 6)


def test_forces_pressures_and_moments_come_when_they_are_asked_for() -> None:
    params = {"max_force": True, "pressure": True, "moments": True}
    small, large, iron = scored(
        cell(4.0, "Mg", "O"), cell(4.5, "Mg", "O"), cell(4.3, "Fe", "O"), **params
    )

    assert float(str(small["pressure_gpa"])) > 10
    assert float(str(large["pressure_gpa"])) < -10
    assert float(str(small["max_force_ev_per_ang"])) < 1e-3  # by symmetry
    assert float(str(iron["max_moment_bohr"])) == pytest.approx(3.7, abs=0.3)


def test_a_relaxed_cell_is_lower_and_at_rest_and_says_how_it_changed() -> None:
    (before,) = scored(cell(4.5, "Mg", "O"))
    (after,) = scored(cell(4.5, "Mg", "O"), relax={"fmax_ev_per_ang": 0.02}, pressure=True)

    assert float(str(after["energy_ev_per_atom"])) < float(str(before["energy_ev_per_atom"])) - 0.05
    assert abs(float(str(after["pressure_gpa"]))) < 0.5
    # 4.21 angstrom was measured, PBE gives 4.26: a sixth of the volume is given up.
    assert float(str(after["volume_change"])) == pytest.approx((4.24 / 4.5) ** 3 - 1, abs=0.02)
    assert int(str(after["relax_steps"])) > 0


def test_relax_true_is_a_relaxation_with_the_defaults() -> None:
    wanted = ChgnetParams.model_validate({"relax": True})

    assert wanted == ChgnetParams.model_validate({"relax": {}})
    assert "volume_change" in [column.name for column in plugin.columns(wanted)]


def test_a_relaxation_that_does_not_end_is_an_error_of_its_row_alone() -> None:
    far, near = scored(
        cell(5.2, "Mg", "O"), cell(4.24, "Mg", "O"), relax={"fmax_ev_per_ang": 0.2, "steps": 2}
    )

    assert "not relaxed in 2 steps" in str(far["error"])
    assert far["energy_ev_per_atom"] is None
    assert near["error"] is None


def test_elements_that_the_model_never_saw_give_no_value_and_a_note() -> None:
    polonium, magnesia, beyond = scored(
        cell(4.7, "Po"), cell(4.24, "Mg", "O"), cell(4.7, "Am", "O")
    )

    assert polonium["energy_ev_per_atom"] is None
    assert (polonium["note"], polonium["error"]) == (
        "chgnet-0.3.0 was not trained on Po",
        None,
    )
    assert beyond["note"] == "chgnet-0.3.0 was not trained on Am"
    assert magnesia["energy_ev_per_atom"] is not None


def test_a_cell_with_a_lonely_atom_is_an_error_of_its_row_alone() -> None:
    lonely, magnesia = scored(cell(20.0, "Ar"), cell(4.24, "Mg", "O"))

    assert lonely["error"] == "1 of 1 atoms have no neighbour within 6 angstrom"
    assert magnesia["error"] is None


@pytest.mark.parametrize("version", ["0.3.0", "0.2.0", "r2scan"])
def test_the_weights_are_told_by_their_hash(version: str) -> None:
    if not _installed():
        pytest.skip("torch or chgnet is not installed")
    (hashed,) = plugin.files(ChgnetParams.model_validate({"model": version}), HERE).items()

    assert hashed[0] == f"weights of chgnet-{version}"
    assert len(hashed[1]) == 64


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"model": "0.4.0"}, "'0.3.0', 'r2scan' or '0.2.0'"),
        ({"relax": {"fmax": 0.1}}, "fmax"),
        ({"relax": {"fmax_ev_per_ang": 0}}, "greater than 0"),
        ({"device": "tpu"}, "'auto', 'cpu' or 'cuda'"),
    ],
)
def test_mistakes_in_params_are_told(params: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ChgnetParams.model_validate(params)


def test_validation_imports_no_heavy_package() -> None:
    code = (
        "import sys; from schemas.registry import scores\n"
        "for name in ('chgnet', 'sevennet', 'model'):\n"
        "    score = scores.get(name)\n"
        "    example = score.params.model_json_schema()['examples'][0]\n"
        "    score.columns(score.params.model_validate(example))\n"
        "print({'torch', 'numpy', 'pymatgen', 'pyarrow', 'ase'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
