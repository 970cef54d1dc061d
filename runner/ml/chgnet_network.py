"""The network of CHGNet, arranged for many small cells: the same numbers with less work.

Deng et al., Nature Machine Intelligence 5, 1031 (2023), doi:10.1038/s42256-023-00716-3. A gated
layer there multiplies a matrix with the features of two atoms and a bond (or of two bonds, an angle
and an atom) laid side by side, for every bond and every angle. The product is a sum of one product
per part, so here each atom and each bond is multiplied once, and bonds and angles gather sums.
What is never read is not computed: features of bonds beyond the short radius, the last angles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import pi, sqrt
from typing import TYPE_CHECKING, Any

from runner.ml.alike import added_product, filled_up, multiplied, power
from runner.ml.graphs import Radii
from runner.ml.tensors import Graph

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Weights = Mapping[str, Any]

FEATURES = 64
DEFAULT_BOND_ANG = 5.0
DEFAULT_SHORT_ANG = 3.0
DEFAULT_CUTOFF_POWER = 8


@dataclass(frozen=True)
class Answers:
    """What the network says of a batch: tensors, energies in eV per cell, moments in Bohr."""

    energies_ev: Tensor
    moments_bohr: Tensor


class Network:
    """The network with its weights, on a device, in a floating-point type."""

    def __init__(
        self, weights: Weights, settings: Mapping[str, Any], *, device: str, dtype: torch.dtype
    ) -> None:
        self.device = device
        self.dtype = dtype
        self.radii = Radii(
            bond_ang=float(settings.get("atom_graph_cutoff", DEFAULT_BOND_ANG)),
            short_ang=float(settings.get("bond_graph_cutoff", DEFAULT_SHORT_ANG)),
        )
        self._power = int(settings.get("cutoff_coeff", DEFAULT_CUTOFF_POWER))
        self._weights = {
            name: value.to(device=device, dtype=dtype) for name, value in weights.items()
        }
        self._n_layers = len({name.split(".")[1] for name in weights if "atom_conv" in name})
        self._atoms = [
            _Gated(self._weights, f"atom_conv_layers.{i}.twoBody_atom")
            for i in range(self._n_layers)
        ]
        inner = range(self._n_layers - 1)
        self._bonds = [_Gated(self._weights, f"bond_conv_layers.{i}.twoBody_bond") for i in inner]
        self._angles = [_Gated(self._weights, f"angle_layers.{i}.twoBody_bond") for i in inner]

    def __call__(self, graph: Graph) -> Answers:
        """Return what the network says of a graph."""
        import torch

        atoms = self._weights["atom_embedding.embedding.weight"][graph.numbers - 1]
        state = self._features(graph)
        moments = None
        for layer in range(self._n_layers):
            if layer == self._n_layers - 1:
                moments = self._linear("site_wise", atoms).abs().squeeze(1)
            atoms = self._convolved_atoms(layer, atoms, state, graph)
            if layer < self._n_layers - 1 and len(graph.starts):
                self._convolve_bonds(layer, atoms, state, graph)
                if layer < self._n_layers - 2:
                    self._update_angles(layer, atoms, state, graph)
        shifts = self._weights["composition_model.fc.weight"][0][graph.numbers - 1]
        per_atom = self._read_out(atoms).squeeze(1) + shifts
        energies = torch.zeros(graph.n_cells, dtype=torch.float64, device=self.device)
        return Answers(energies.index_add(0, graph.owners, per_atom.double()), moments)

    def _features(self, graph: Graph) -> _Features:
        """Return the features of bonds and angles at the first layer, and the weights of bonds."""
        import torch

        weights = self._weights
        wide = self._radial(graph.lengths, "ag", self.radii.bond_ang)
        near = self._radial(graph.lengths[graph.short], "bg", self.radii.short_ang)
        near_weights = multiplied(near, weights["bond_weights_bg.weight"].T)
        scaled = torch.outer(
            filled_up(graph.angle_values, 1.0).to(self.dtype),
            weights["angle_basis_expansion.fourier_expansion.frequencies"],
        )
        constant = torch.full_like(scaled[:, :1], 1 / sqrt(2))
        waves = torch.cat([constant, scaled.sin(), scaled.cos()], dim=1) / sqrt(pi)
        waves = waves[: len(graph.starts)]
        return _Features(
            bonds=multiplied(wide, weights["bond_embedding.weight"].T),
            bond_weights=multiplied(wide, weights["bond_weights_ag.weight"].T),
            short_weights=near_weights,
            partner_weights=near_weights.index_select(0, graph.ends),
            angles=multiplied(waves, weights["angle_embedding.weight"].T),
        )

    def _radial(self, lengths: Tensor, which: str, radius_ang: float) -> Tensor:
        """Return the Bessel functions of lengths times the polynomial that ends at the radius."""
        frequencies = self._weights[f"bond_basis_expansion.rbf_expansion_{which}.frequencies"]
        n = len(lengths)
        lengths = filled_up(lengths, radius_ang)[:, None]
        scaled = lengths / radius_ang
        # In float64: near the radius, terms of 80 leave a difference of 1e-3.
        envelope = self._envelope(scaled).to(self.dtype)
        waves = (frequencies * scaled.to(self.dtype)).sin() / lengths.to(self.dtype)
        return (sqrt(2 / radius_ang) * waves * envelope)[:n]

    def _envelope(self, scaled: Tensor) -> Tensor:
        p = self._power
        falling = scaled * (p * (p + 2) - scaled * (p * (p + 1) / 2))
        value = 1 - power(scaled, p) * ((p + 1) * (p + 2) / 2 - falling)
        return value * (scaled < 1)

    def _convolved_atoms(self, layer: int, atoms: Tensor, state: _Features, graph: Graph) -> Tensor:
        gated = self._atoms[layer]
        of_centre, of_bond, of_other = gated.parts
        centre = added_product(gated.bias, atoms, of_centre)
        other = multiplied(atoms, of_other)
        bond = multiplied(state.bonds, of_bond)
        gathered = atoms.new_zeros(atoms.shape)
        # Both directions of every bond: as seen from its first site, then from its second.
        for here, there in ((graph.first, graph.second), (graph.second, graph.first)):
            sums = centre.index_select(0, here).add_(other.index_select(0, there)).add_(bond)
            gathered.index_add_(0, here, gated(sums) * state.bond_weights)
        return self._linear(f"atom_conv_layers.{layer}.mlp_out.layers.1", gathered) + atoms

    def _convolve_bonds(self, layer: int, atoms: Tensor, state: _Features, graph: Graph) -> None:
        gated = self._bonds[layer]
        messages = gated(gated.angle_sums(atoms, state, graph)) * state.partner_weights
        gathered = state.short_weights.new_zeros(state.short_weights.shape)
        gathered = gathered.index_add_(0, graph.owning, messages) * state.short_weights
        name = f"bond_conv_layers.{layer}.mlp_out.layers.1"
        bonds = state.bonds.index_add(
            0, graph.short, multiplied(gathered, self._weights[f"{name}.weight"].T)
        )
        bias = self._weights.get(f"{name}.bias")
        if bias is not None:
            # As for a cell alone: one without angles skips this layer.
            bonds = bonds + bias * graph.with_angles[:, None]
        state.bonds = bonds

    def _update_angles(self, layer: int, atoms: Tensor, state: _Features, graph: Graph) -> None:
        gated = self._angles[layer]
        state.angles = state.angles + gated(gated.angle_sums(atoms, state, graph))

    def _read_out(self, atoms: Tensor) -> Tensor:
        import torch.nn.functional as f

        norm = self._weights.get("readout_norm.weight")
        if norm is not None:
            atoms = f.layer_norm(atoms, (FEATURES,), norm, self._weights["readout_norm.bias"])
        names = sorted(
            {name.rsplit(".", 1)[0] for name in self._weights if name.startswith("mlp.layers.")},
            key=lambda name: int(name.rsplit(".", 1)[1]),
        )
        for name in names[:-1]:
            atoms = f.silu(self._linear(name, atoms))
        return self._linear(names[-1], atoms)

    def _linear(self, name: str, values: Tensor) -> Tensor:
        product = multiplied(values, self._weights[f"{name}.weight"].T)
        bias = self._weights.get(f"{name}.bias")
        return product if bias is None else product + bias


@dataclass
class _Features:
    """Features that the layers pass on; bonds and angles change from layer to layer."""

    bonds: Tensor
    bond_weights: Tensor
    short_weights: Tensor
    partner_weights: Tensor
    angles: Tensor


class _Gated:
    """A gated layer: silu(core) * sigmoid(gate), its first matrix cut into parts.

    `parts` are matrices of shape (64, width), one per group of 64 input columns; the core's
    columns come first in `width`, then the gate's.
    """

    def __init__(self, weights: Weights, name: str) -> None:
        import torch

        core, gate = f"{name}.mlp_core.layers", f"{name}.mlp_gate.layers"
        self._hidden = f"{core}.0.weight" in weights
        first, last = (0, 3) if self._hidden else (1, 1)
        whole = torch.cat([weights[f"{core}.{first}.weight"], weights[f"{gate}.{first}.weight"]])
        self.parts = [part.T.contiguous() for part in whole.split(FEATURES, dim=1)]
        self.bias = torch.cat([weights[f"{core}.{first}.bias"], weights[f"{gate}.{first}.bias"]])
        self._second = [
            (weights[f"{one}.{last}.weight"], weights[f"{one}.{last}.bias"]) for one in (core, gate)
        ]
        self._norms = [
            (weights[f"{name}.{norm}.weight"], weights[f"{name}.{norm}.bias"])
            for norm in ("bn1", "bn2")
            if f"{name}.{norm}.weight" in weights
        ]

    def angle_sums(self, atoms: Tensor, state: _Features, graph: Graph) -> Tensor:
        """Return the first product for every angle: of its two bonds, of itself, of its atom."""
        of_first, of_second, of_angle, of_atom = self.parts
        short = state.bonds[graph.short]
        centre = added_product(self.bias, atoms, of_atom)
        leaving = multiplied(short, of_first).repeat(2, 1) + centre.index_select(0, graph.centres)
        arriving = multiplied(short, of_second)
        sums = leaving.index_select(0, graph.starts).add_(arriving.index_select(0, graph.ends))
        return added_product(sums, state.angles, of_angle)

    def __call__(self, sums: Tensor) -> Tensor:
        """Return the layer's output from the sums of its first products."""
        import torch.nn.functional as f

        spare = not sums.requires_grad  # nothing has to be kept for derivatives
        halves = list(
            (f.silu(sums, inplace=spare) if self._hidden else sums).split(FEATURES, dim=1)
        )
        if self._hidden:
            halves = [
                added_product(bias, half, weight.T)
                for half, (weight, bias) in zip(halves, self._second, strict=True)
            ]
        if self._norms:
            halves = [
                f.layer_norm(half, (FEATURES,), weight, bias)
                for half, (weight, bias) in zip(halves, self._norms, strict=True)
            ]
        core, gate = halves
        return f.silu(core, inplace=spare) * gate.sigmoid()
