"""CHGNet: energies, forces, stresses and moments of cells, from the weights that `chgnet` ships.

Deng et al., Nature Machine Intelligence 5, 1031 (2023), doi:10.1038/s42256-023-00716-3. Of the
package only the files of weights are used; graphs and network are our own, see `graphs` and
`chgnet_network`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from multiprocessing import parent_process
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from runner.crystal.cells import CellArrays
from runner.crystal.elements import SYMBOLS
from runner.ml import weights
from runner.ml.devices import Device, chosen
from runner.ml.domain import Domain
from runner.ml.graphs import GraphBatch, bonds_of, joined
from runner.ml.protocol import ENERGY, Evaluation, Prediction, Predictor, Record
from runner.ml.ready import GraphProcesses, Source, graphs
from schemas.columns import Column
from schemas.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from runner.ml.chgnet_network import Network

INSTALL = 'pip install "matcampaign[ml]"'
PACKAGES = ("torch", "chgnet")
BUDGET_CPU = 6_000
"""Bonds and angles per batch that run fastest: 3 MB per tensor, which stay in the cache."""
BUDGET_CUDA = 400_000
"""Bonds and angles per batch: 3 GB or so."""
NOT_LEARNED = frozenset({"Po", "At", "Rn", "Fr", "Ra"})
"""Elements up to Pu that the Materials Project, and so the data set MPtrj, does not hold."""
LAST_LEARNED = 94
FILES: Mapping[str, str] = MappingProxyType(
    {
        "0.3.0": "pretrained/0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar",
        "0.2.0": "pretrained/0.2.0/chgnet_0.2.0_e30f77s348m32.pth.tar",
        "r2scan": "pretrained/r2scan/chgnet_r2scan_transfer_learning_e15f36s161m23.pth.tar",
    }
)
LEARNED: Mapping[str, str] = MappingProxyType(
    {
        "0.3.0": "PBE and PBE+U energies of the Materials Project with its corrections (MPtrj)",
        "0.2.0": "as 0.3.0, an earlier network",
        "r2scan": "r2SCAN energies of the Materials Project, starting from 0.3.0",
    }
)
ENERGY_COLUMN = Column(ENERGY, "float", "Energy of the cell as the model learned it.", "eV/atom")


@dataclass(frozen=True)
class Chgnet:
    """One version of CHGNet; see `runner.ml.protocol.PotentialModel`."""

    version: str

    @property
    def record(self) -> Record:
        """What is known of it."""
        name = f"chgnet-{self.version}"
        return Record(
            name=name,
            version=self.version,
            method_key=name,
            description=LEARNED[self.version],
            citation="10.1038/s42256-023-00716-3",
            licence="BSD-3-Clause (modified)",
            columns=(ENERGY_COLUMN,),
            domain=Domain(frozenset(SYMBOLS[:LAST_LEARNED]) - NOT_LEARNED),
        )

    def missing(self) -> str | None:
        """Return what is not installed here and how to get it."""
        absent = weights.missing(PACKAGES, INSTALL)
        if absent is None and self._file() is None:
            return f"the package chgnet has no file {FILES[self.version]}; install with: {INSTALL}"
        return absent

    def weights(self) -> Mapping[str, str]:
        """Return the SHA-256 of the file of weights."""
        return {f"weights of {self.record.name}": weights.sha256(self._there())}

    def setup(self, device: Device) -> Predictor:
        """Return the function that predicts energies."""
        return self.potential(device).energies

    def potential(self, device: Device) -> ChgnetPotential:
        """Load the network; a second call in a process gives the one that is there."""
        path = self._there()
        return _loaded(weights.sha256(path), path, chosen(device, self.record.name))

    def _file(self) -> Path | None:
        return weights.packaged("chgnet", FILES[self.version])

    def _there(self) -> Path:
        """Return the file of weights. Raises UserError where it, or a package, is missing."""
        path = self._file()
        problem = self.missing()
        if problem or path is None:
            raise UserError(f"model {self.record.name}: {problem}")
        return path


@cache
def _loaded(_sha256: str, path: Path, device: str) -> ChgnetPotential:
    import torch

    from runner.ml.chgnet_network import Network

    stored = torch.load(path, map_location="cpu", weights_only=True)["model"]
    network = Network(
        stored["state_dict"], stored["model_args"], device=device, dtype=torch.float32
    )
    if device == "cpu":
        return ChgnetPotential(network, BUDGET_CPU, graphs)
    # Where scores run in several processes already, each makes its own graphs.
    alone = parent_process() is None
    return ChgnetPotential(network, BUDGET_CUDA, GraphProcesses() if alone else graphs)


class ChgnetPotential:
    """The loaded network; see `runner.ml.protocol.Potential`."""

    def __init__(self, network: Network, budget: int, source: Source) -> None:
        self._network = network
        self._budget = budget
        self._source = source

    def energies(self, cells: CellArrays) -> Prediction:
        """Return the energies per atom; memory is bounded at any mix of sizes."""
        import numpy as np

        values = np.full(len(cells), np.nan)
        errors: list[str | None] = [None] * len(cells)
        for ready in self._source(cells, self._network.radii, self._budget):
            for place, why in ready.refused.items():
                errors[place] = why
            if ready.graph is not None:
                values[ready.places] = self._energies(cells, ready.places, ready.graph, errors)
        return Prediction({ENERGY: values / np.diff(cells.starts)}, errors)

    def _energies(
        self,
        cells: CellArrays,
        places: NDArray[np.int64],
        batch: GraphBatch,
        errors: list[str | None],
    ) -> NDArray[np.float64]:
        """Return the energies of a batch in eV; where memory is short, of its halves."""
        import numpy as np
        import torch

        from runner.ml.tensors import geometry, graph

        device = self._network.device
        try:
            with torch.inference_mode():
                answers = self._network(graph(batch, geometry(batch, device), device))
                energies: NDArray[np.float64] = answers.energies_ev.cpu().numpy()
                return energies
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
        if len(places) == 1:
            errors[places[0]] = f"{batch.items} bonds and angles do not fit into the GPU's memory"
            return np.array([np.nan])
        radii = self._network.radii
        halves = [
            (half, joined([bonds_of(cells, place, radii) for place in half.tolist()], radii))
            for half in np.array_split(places, 2)
        ]
        return np.concatenate([self._energies(cells, *half, errors) for half in halves])

    def evaluate(
        self,
        lattice_ang: NDArray[np.float64],
        numbers: NDArray[np.uint8],
        frac_coords: NDArray[np.float64],
    ) -> Evaluation:
        """Return energy, forces, stress and moments of one cell."""
        import numpy as np
        import torch

        from runner.ml.tensors import geometry, graph

        cell = CellArrays(lattice_ang[None], numbers, frac_coords, np.array([0, len(numbers)]))
        network = self._network
        batch = joined([bonds_of(cell, 0, network.radii)], network.radii)
        where = geometry(batch, network.device, derivable=True)
        answers = network(graph(batch, where, network.device))
        by_position, by_strain = torch.autograd.grad(
            answers.energies_ev.sum(), (where.positions_ang, where.strains)
        )
        return Evaluation(
            energy_ev=float(answers.energies_ev.detach()),
            forces_ev_per_ang=-by_position.cpu().numpy(),
            stress_ev_per_ang3=by_strain[0].cpu().numpy() / abs(np.linalg.det(lattice_ang)),
            moments_bohr=answers.moments_bohr.detach().double().cpu().numpy(),
        )
