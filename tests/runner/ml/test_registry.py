import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runner.cli import app
from runner.ml import registry, weights
from runner.ml.energies import energies, energy_models, method_key
from schemas.errors import UserError
from schemas.models import Models

TOY = """
import numpy as np
from types import SimpleNamespace
from runner.ml.domain import Domain
from runner.ml.protocol import Prediction, Record
from schemas.columns import Column

class Toy:
    record = Record(
        name="toy", version="7", method_key="toy-7", description="atomic numbers, added up",
        citation="10.0000/none", licence="MIT",
        columns=(Column("energy_ev_per_atom", "float", "Minus the mean number.", "eV/atom"),),
        domain=Domain(frozenset({"Mg", "O", "Na", "Cl"}), {"volume_ang3_per_atom": (5.0, 15.0)}),
        uncertain=("energy_ev_per_atom",),
    )
    def missing(self):
        return None
    def weights(self):
        return {"weights of toy": "0" * 64}
    def setup(self, device):
        def predict(cells):
            means = [-float(cells.one(i)[1].mean()) for i in range(len(cells))]
            values = {"energy_ev_per_atom": np.array(means)}
            doubts = {"energy_ev_per_atom": np.full(len(cells), 0.125)}
            return Prediction(values, [None] * len(means), doubts)
        return predict

toy = Toy()
nonsense = SimpleNamespace(record=None)
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A distribution with a model, one without, and one that lacks a package."""
    (tmp_path / "toy_models.py").write_text(TOY)
    (tmp_path / "lacking_models.py").write_text("import no_such_package_anywhere\n")
    info = tmp_path / "toy_models-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-models\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[matcampaign.models]\ntoy = toy_models:toy\nnonsense = toy_models:nonsense\n"
        "lacking = lacking_models:model\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._entry_points.cache_clear()
    yield "toy"
    registry._entry_points.cache_clear()
    sys.modules.pop("toy_models", None)


def test_a_model_of_another_distribution_is_there_by_its_name(toy: str, rocksalt) -> None:
    assert toy in registry.names()
    assert toy in energy_models()
    assert method_key(toy) == "toy-7"

    found = energies(
        toy, [rocksalt(4.2, "Mg", "O"), rocksalt(5.64, "Na", "Cl"), rocksalt(4.05, "Al")]
    )

    assert [one.energy_ev_per_atom for one in found] == [-10.0, -14.0, None]
    assert found[2].error == "toy was not trained on Al"


def test_a_model_without_forces_relaxes_nothing_and_says_so(toy: str, rocksalt) -> None:
    with pytest.raises(UserError, match="'toy' gives no forces"):
        energies(toy, [rocksalt(4.2, "Mg", "O")], relax=True)


def test_a_broken_distribution_says_what_is_wrong_and_spoils_no_list(toy: str) -> None:
    with pytest.raises(UserError, match="lacks some of record, missing, weights, setup"):
        registry.get("nonsense")
    with pytest.raises(UserError, match=r"lacking_models:model.*no_such_package_anywhere"):
        registry.get("lacking")

    entries = {entry.name: entry for entry in registry.listing().models}

    assert not entries["lacking"].installed
    assert "no_such_package_anywhere" in str(entries["lacking"].problem)
    assert entries["toy"].installed
    assert "nonsense" not in energy_models()


def test_a_range_of_the_training_data_is_a_bound_of_the_domain(toy: str, rocksalt) -> None:
    from runner.crystal.cells import arrays, to_arrow
    from runner.ml.domain import outside_domain

    cells = arrays(to_arrow([rocksalt(4.2, "Mg", "O"), rocksalt(5.64, "Na", "Cl")]))

    assert outside_domain(registry.get(toy).record.domain, cells).tolist() == [False, True]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("chgnet", "did you mean 'chgnet-0.3.0'"),
        ("alignn", "pip install alignn.*mp_e_form_alignn"),
        ("m3gnet", "pip install matgl.*M3GNet-MP-2021.2.8-PES"),
        ("megnet", "pip install matgl.*MEGNet-MP-2018.6.1-Eform"),
    ],
)
def test_a_model_that_is_not_here_is_told_with_what_to_do(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        registry.get(name)
    with pytest.raises(UserError, match=message):
        method_key(name)


def test_versions_have_keys_of_their_own() -> None:
    keys = [method_key(name) for name in registry.BUILT_IN]

    assert len(set(keys)) == len(keys)
    assert method_key("chgnet-0.3.0") == "chgnet-0.3.0"


def test_a_missing_package_is_told_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, rocksalt
) -> None:
    monkeypatch.setattr(weights, "find_spec", lambda _: None)

    model = registry.get("chgnet-0.3.0")

    assert model.missing() == (
        'torch and chgnet are not installed; install with: pip install "matcampaign[ml]"'
    )
    for ask in (model.weights, lambda: energies("chgnet-0.3.0", [rocksalt(4.05, "Al")])):
        with pytest.raises(
            UserError, match=r"model chgnet-0.3.0: torch and chgnet are not installed"
        ):
            ask()


def test_missing_weights_are_told_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "somewhere" / "__init__.py"
    package.parent.mkdir()
    package.touch()
    spec = type("Spec", (), {"origin": str(package)})
    monkeypatch.setattr(weights, "find_spec", lambda _: spec)

    problem = registry.get("sevennet-0").missing()

    assert problem is not None
    assert "SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth" in problem


def test_the_command_lists_models_with_key_and_what_is_missing(toy: str) -> None:
    told = CliRunner().invoke(app, ["models", "list"])
    asked = CliRunner().invoke(app, ["models", "list", "--json"])

    assert told.exit_code == asked.exit_code == 0
    assert "method key chgnet-0.3.0; doi:10.1038/s42256-023-00716-3" in told.output
    report = Models.model_validate_json(_data(asked.output))
    assert {"chgnet-0.3.0", "sevennet-0", "toy", "alignn"} <= {one.name for one in report.models}


def _data(output: str) -> str:
    import json

    return json.dumps(json.loads(output)["data"])


def test_a_file_that_changed_has_another_hash(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    first = weights.sha256(file)
    file.write_bytes(b"another")

    assert first == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    assert weights.sha256(file) != first


def test_no_structures_have_no_energies() -> None:
    assert energies("chgnet-0.3.0", []) == []
