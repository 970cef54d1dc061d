"""SevenNet: energies, forces and stresses of cells, by the calculator of the package `sevenn`.

Park et al., J. Chem. Theory Comput. 20, 4857 (2024), doi:10.1021/acs.jctc.4c00190.
Unlike CHGNet these models learned energies without the corrections of the Materials Project for
anions: oxides lie 0.69 eV per oxygen atom too high against their elements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from runner.crystal.cells import CellArrays
from runner.crystal.elements import SYMBOLS
from runner.ml import weights
from runner.ml.chgnet import ENERGY_COLUMN, LAST_LEARNED, NOT_LEARNED
from runner.ml.devices import Device, chosen
from runner.ml.domain import Domain
from runner.ml.graphs import Radii, UnsuitableCell, bonds_of
from runner.ml.protocol import ENERGY, Evaluation, Prediction, Predictor, Record
from schemas.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INSTALL = 'pip install "matcampaign[sevenn]"'
PACKAGES = ("torch", "sevenn")
RADII = Radii(bond_ang=5.0, short_ang=0.0)
"""How far atoms see each other in these models: cells are looked at before they are given over."""
FILES: Mapping[str, str] = MappingProxyType(
    {
        "7net-0": "pretrained_potentials/SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth",
        "7net-l3i5": "pretrained_potentials/SevenNet_l3i5/checkpoint_l3i5.pth",
    }
)


@dataclass(frozen=True)
class Sevennet:
    """One version of SevenNet; see `runner.ml.protocol.PotentialModel`."""

    variant: str

    @property
    def record(self) -> Record:
        """What is known of it."""
        name = self.variant.replace("7net", "sevennet")
        return Record(
            name=name,
            version=name.removeprefix("sevennet-"),
            method_key=name,
            description="PBE and PBE+U energies of the Materials Project without its corrections "
            "(MPtrj)",
            citation="10.1021/acs.jctc.4c00190",
            licence="MIT",
            columns=(ENERGY_COLUMN,),
            domain=Domain(frozenset(SYMBOLS[:LAST_LEARNED]) - NOT_LEARNED),
        )

    def missing(self) -> str | None:
        """Return what is not installed here and how to get it."""
        absent = weights.missing(PACKAGES, INSTALL)
        if absent is None and self._file() is None:
            return f"the package sevenn has no file {FILES[self.variant]}; install with: {INSTALL}"
        return absent

    def weights(self) -> Mapping[str, str]:
        """Return the SHA-256 of the file of weights."""
        return {f"weights of {self.record.name}": weights.sha256(self._there())}

    def setup(self, device: Device) -> Predictor:
        """Return the function that predicts energies."""
        return self.potential(device).energies

    def potential(self, device: Device) -> SevennetPotential:
        """Load the calculator; a second call in a process gives the one that is there."""
        path = self._there()
        return _loaded(weights.sha256(path), path, chosen(device, self.record.name))

    def _file(self) -> Path | None:
        return weights.packaged("sevenn", FILES[self.variant])

    def _there(self) -> Path:
        """Return the file of weights. Raises UserError where it, or a package, is missing."""
        path = self._file()
        problem = self.missing()
        if problem or path is None:
            raise UserError(f"model {self.record.name}: {problem}")
        return path


@cache
def _loaded(_sha256: str, path: Path, device: str) -> SevennetPotential:
    import warnings

    with warnings.catch_warnings():
        # What it imports warns of its own old habits.
        warnings.simplefilter("ignore")
        from sevenn.calculator import SevenNetCalculator

        return SevennetPotential(SevenNetCalculator(str(path), device=device))


class SevennetPotential:
    """The loaded calculator, which takes cells one by one; see `runner.ml.protocol.Potential`."""

    def __init__(self, calculator: Any) -> None:
        self._calculator = calculator

    def energies(self, cells: CellArrays) -> Prediction:
        """Return the energies per atom."""
        import numpy as np

        values = np.full(len(cells), np.nan)
        errors: list[str | None] = [None] * len(cells)
        for index in range(len(cells)):
            cell = cells.one(index)
            try:
                values[index] = self.evaluate(*cell).energy_ev / len(cell[1])
            except UnsuitableCell as error:
                errors[index] = str(error)
        return Prediction({ENERGY: values}, errors)

    def evaluate(
        self,
        lattice_ang: NDArray[np.float64],
        numbers: NDArray[np.uint8],
        frac_coords: NDArray[np.float64],
    ) -> Evaluation:
        """Return energy, forces and stress of one cell."""
        import numpy as np
        from ase import Atoms

        cell = CellArrays(lattice_ang[None], numbers, frac_coords, np.array([0, len(numbers)]))
        bonds_of(cell, 0, RADII)  # refuses what the calculator would choke on
        atoms = Atoms(numbers=numbers, cell=lattice_ang, scaled_positions=frac_coords, pbc=True)
        atoms.calc = self._calculator
        return Evaluation(
            energy_ev=float(atoms.get_potential_energy()),
            forces_ev_per_ang=np.asarray(atoms.get_forces(), dtype=np.float64),
            stress_ev_per_ang3=np.asarray(atoms.get_stress(voigt=False), dtype=np.float64),
        )
