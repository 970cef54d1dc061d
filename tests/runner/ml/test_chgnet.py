"""CHGNet with its real weights, against the package that they come from and against DFT."""

import contextlib
import io
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.crystal.cells import CellArrays, arrays, to_arrow
from runner.ml.chgnet import Chgnet, ChgnetPotential
from runner.ml.evaluations import GPA_PER_EV_PER_ANG3
from runner.ml.protocol import ENERGY
from runner.ml.ready import GraphProcesses, part
from runner.ml.relaxation import NotRelaxed, relaxed
from schemas.structure import Structure

pytest.importorskip("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what the package imports
    stock_model = pytest.importorskip("chgnet.model")

VERSIONS = ("0.3.0", "0.2.0", "r2scan")
# The package computes everything in single precision, lengths and cutoffs too. On 176 random
# perovskites its energies differ from ours by up to 5e-6 eV/atom, those of r2scan by 1.0e-5.
TOLERANCE_EV_PER_ATOM = {"0.3.0": 1e-5, "0.2.0": 1e-5, "r2scan": 2e-5}


@cache
def ours(version: str = "0.3.0") -> ChgnetPotential:
    return Chgnet(version).potential("cpu")


@cache
def stock(version: str) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):
        return stock_model.CHGNet.load(model_name=version, use_device="cpu", verbose=False)


def stock_prediction(version: str, structure: Structure, task: str) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # how it makes numbers of tensors
        found: dict[str, Any] = stock(version).predict_structure(structure.to_pymatgen(), task=task)
    return found


def cells_of(structures: list[Structure]) -> CellArrays:
    return arrays(to_arrow(structures))


@pytest.mark.parametrize("version", VERSIONS)
def test_energies_are_those_of_the_package(version: str, mixture: list[Structure]) -> None:
    found = ours(version).energies(cells_of(mixture))

    expected = [float(stock_prediction(version, one, "e")["e"]) for one in mixture]
    assert found.errors == [None] * len(mixture)
    assert found.values[ENERGY] == pytest.approx(expected, abs=TOLERANCE_EV_PER_ATOM[version])


@pytest.mark.parametrize("version", VERSIONS)
def test_forces_stress_and_moments_are_those_of_the_package(
    version: str, mixture: list[Structure]
) -> None:
    cells = cells_of(mixture)
    for index in (1, 2, 7):
        found = ours(version).evaluate(*cells.one(index))
        expected = stock_prediction(version, mixture[index], "efsm")

        # Single precision again; forces here are up to 10 eV/angstrom, stresses up to 100 GPa.
        assert found.energy_ev / mixture[index].n_atoms == pytest.approx(
            float(expected["e"]), abs=TOLERANCE_EV_PER_ATOM[version]
        )
        assert found.forces_ev_per_ang == pytest.approx(expected["f"], abs=1e-3)
        assert found.stress_ev_per_ang3 * GPA_PER_EV_PER_ANG3 == pytest.approx(
            expected["s"], abs=5e-3
        )
        assert found.moments_bohr == pytest.approx(expected["m"], abs=5e-5)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_energy_does_not_depend_on_the_companions_of_its_cell(
    version: str, mixture: list[Structure]
) -> None:
    potential = ours(version)
    cells = cells_of(mixture)
    together = potential.energies(cells).values[ENERGY]
    backwards = potential.energies(cells_of(mixture[::-1])).values[ENERGY][::-1]
    alone = [potential.energies(part(cells, i, i + 1)).values[ENERGY][0] for i in range(len(cells))]

    # To the last bit: sums and functions are arranged so that rows are rounded alike everywhere.
    assert together.tolist() == backwards.tolist() == alone


def test_an_energy_does_not_depend_on_the_size_of_batches(mixture: list[Structure]) -> None:
    cells = cells_of(mixture * 3)
    network = ours()._network

    found = {
        budget: ChgnetPotential(network, budget, ours()._source).energies(cells).values[ENERGY]
        for budget in (1, 2500, 6000, 100_000)
    }

    assert {tuple(values.tolist()) for values in found.values()} == {tuple(found[1].tolist())}


def test_energies_with_graphs_from_processes_are_the_same(mixture: list[Structure]) -> None:
    processes = GraphProcesses(1)
    fed = ChgnetPotential(ours()._network, 6000, processes)
    cells = cells_of(mixture)

    assert (
        fed.energies(cells).values[ENERGY].tolist()
        == ours().energies(cells).values[ENERGY].tolist()
    )
    processes.close()


def test_a_cell_that_cannot_be_predicted_has_an_error_and_the_others_their_energies(
    mixture: list[Structure],
) -> None:
    lonely = Structure.model_validate(
        {"lattice_ang": np.diag([9.0] * 3).tolist(), "species": ["He"], "frac_coords": [[0, 0, 0]]}
    )
    alone = ours().energies(cells_of(mixture)).values[ENERGY].tolist()

    found = ours().energies(cells_of([mixture[0], lonely, *mixture[1:]]))

    assert found.errors[1] == "1 of 1 atoms have no neighbour within 6 angstrom"
    assert np.isnan(found.values[ENERGY][1])
    assert np.delete(found.values[ENERGY], 1).tolist() == alone


class Small:
    """The network on a device whose memory holds few bonds and angles."""

    device, dtype = "cpu", None

    def __init__(self, most: int) -> None:
        self.radii, self.most = ours()._network.radii, most

    def __call__(self, graph: Any) -> Any:
        import torch

        if 2 * len(graph.first) + len(graph.starts) > self.most:
            raise torch.OutOfMemoryError("no")
        return ours()._network(graph)


def test_where_memory_is_short_batches_are_halved_and_only_a_cell_too_large_alone_fails(
    mixture: list[Structure],
) -> None:
    cells = cells_of(mixture)
    whole = ours().energies(cells).values[ENERGY].tolist()

    enough = ChgnetPotential(Small(10_000), 100_000, ours()._source).energies(cells)
    short = ChgnetPotential(Small(4_000), 100_000, ours()._source).energies(cells)

    assert enough.errors == [None] * len(mixture)
    assert enough.values[ENERGY].tolist() == whole
    large = [i for i, one in enumerate(mixture) if one.n_atoms == 40]
    assert [i for i, error in enumerate(short.errors) if error] == large
    assert "do not fit into the GPU's memory" in str(short.errors[large[0]])


def test_memory_stays_within_bounds_with_large_cells_among_small_ones(
    mixture: list[Structure],
) -> None:
    rng = np.random.default_rng(3)
    large = _supercell(mixture[1], 4)
    structures = [mixture[i] for i in rng.integers(0, len(mixture), 60)]
    structures[30] = large
    alone = _peak_mb(lambda: ours().energies(cells_of([large])))

    mixed = _peak_mb(lambda: ours().energies(cells_of(structures)))

    # The largest cell alone sets the peak; a second one beside it would take hundreds of MB.
    assert mixed - alone < 60


def _peak_mb(work: Callable[[], object]) -> float:
    """The largest memory of this process while it works, from proc_pid_status(5)."""
    Path("/proc/self/clear_refs").write_text("5")
    work()
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024


def _supercell(structure: Structure, times: int) -> Structure:
    shifts = np.array(list(np.ndindex(times, times, times)))
    frac = (np.array(structure.frac_coords)[None] + shifts[:, None]) / times
    return Structure.model_validate(
        {
            "lattice_ang": (np.array(structure.lattice_ang) * times).tolist(),
            "species": list(structure.species) * times**3,
            "frac_coords": frac.reshape(-1, 3).tolist(),
        }
    )


def test_a_supercell_has_the_energy_of_its_cell(mixture: list[Structure]) -> None:
    single, double = (
        ours().energies(cells_of([mixture[1], _supercell(mixture[1], 2)])).values[ENERGY]
    )

    assert single == pytest.approx(double, abs=2e-6)


def test_forces_and_stress_are_derivatives_of_the_energy(mixture: list[Structure]) -> None:
    lattice, numbers, frac = cells_of(mixture).one(1)
    found = ours().evaluate(lattice, numbers, frac)
    step = 2e-3

    moved = np.zeros_like(frac)
    moved[2] = step * np.array([0.6, 0.0, 0.8]) @ np.linalg.inv(lattice)
    strain = step * np.array([[0.5, 0.2, 0.0], [0.2, -0.3, 0.1], [0.0, 0.1, 0.4]])
    up, down = (ours().evaluate(lattice, numbers, frac + sign * moved) for sign in (1, -1))
    wide, narrow = (
        ours().evaluate(lattice @ (np.eye(3) + sign * strain), numbers, frac) for sign in (1, -1)
    )

    volume = abs(np.linalg.det(lattice))
    assert (down.energy_ev - up.energy_ev) / 2 == pytest.approx(
        step * found.forces_ev_per_ang[2] @ [0.6, 0.0, 0.8], abs=2e-5
    )
    assert (wide.energy_ev - narrow.energy_ev) / 2 == pytest.approx(
        volume * (found.stress_ev_per_ang3 * strain).sum(), abs=5e-5
    )


def test_relaxed_volumes_of_elements_are_those_of_dft() -> None:
    dcdft = pytest.importorskip("ase.collections").dcdft
    for name in ("Al", "Cu", "Si", "Mg", "Ni", "Na", "W", "Ge", "Ti", "Au"):
        atoms = dcdft[name]
        end = relaxed(
            ours(),
            (atoms.cell.array * 1.03, atoms.numbers.astype(np.uint8), atoms.get_scaled_positions()),
            fmax_ev_per_ang=0.02,
            steps=300,
        )

        volume = abs(np.linalg.det(end.lattice_ang)) / len(atoms)
        # PBE volumes of WIEN2k, Lejaeghere et al., doi:10.1080/10408436.2013.772503.
        assert volume == pytest.approx(dcdft.data[name]["wien2k_volume"], rel=0.03), name


def test_magnesia_forms_with_its_known_enthalpy(rocksalt: Callable[..., Structure]) -> None:
    metal = Structure.model_validate(
        {
            "lattice_ang": [[3.19, 0, 0], [-1.595, 2.7626, 0], [0, 0, 5.18]],
            "species": ["Mg", "Mg"],
            "frac_coords": [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]],
        }
    )
    oxygen = Structure.model_validate(
        {
            "lattice_ang": [[4.0, 0, 0], [0, 4.0, 0], [0, 0, 4.0]],
            "species": ["O", "O"],
            "frac_coords": [[0, 0, 0], [0, 0, 0.3075]],
        }
    )
    energies = []
    for structure in (rocksalt(4.24, "Mg", "O"), metal, oxygen):
        cell = cells_of([structure]).one(0)
        end = relaxed(ours(), cell, fmax_ev_per_ang=0.05, steps=300)
        energies.append(end.evaluation.energy_ev / structure.n_atoms)

    formation = energies[0] - (energies[1] + energies[2]) / 2

    # Measured: -601.6 kJ/mol, -3.118 eV/atom (NIST-JANAF tables, 1998).
    assert formation == pytest.approx(-3.118, abs=0.1)


def test_a_relaxation_that_does_not_end_is_said_to(mixture: list[Structure]) -> None:
    with pytest.raises(NotRelaxed, match="not relaxed in 2 steps: the largest force is"):
        relaxed(ours(), cells_of(mixture).one(1), fmax_ev_per_ang=0.01, steps=2)


def test_elements_outside_the_training_data_are_named(mixture: list[Structure]) -> None:
    odd = Structure.model_validate(
        {"lattice_ang": np.diag([3.3] * 3).tolist(), "species": ["Po"], "frac_coords": [[0, 0, 0]]}
    )
    domain = Chgnet("0.3.0").record.domain
    from runner.ml.domain import outside_domain

    cells = cells_of([odd, *mixture])

    assert domain.unseen(cells, 0) == ["Po"]
    assert outside_domain(domain, cells).tolist() == [True, *[False] * len(mixture)]
    assert len(domain.elements) == 89
