"""Batches of graphs as tensors on a device, with lengths and angles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.ml.alike import filled_up
from runner.ml.graphs import GraphBatch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

COLLINEAR = 1 - 1e-6
"""What CHGNet multiplies cosines with, so that the angle of 180 degrees has a derivative."""


@dataclass(frozen=True)
class Graph:
    """A batch as tensors on the device: indices, lengths (float64) and angles.

    `centres` (2 * short bonds,) is the site that a directed short bond leaves. Of each angle,
    `starts` is its first directed short bond, and `owning` and `ends` are the short bonds that its
    two are.
    """

    n_cells: int
    numbers: Tensor
    owners: Tensor
    first: Tensor
    second: Tensor
    short: Tensor
    centres: Tensor
    starts: Tensor
    owning: Tensor
    ends: Tensor
    lengths: Tensor
    angle_values: Tensor
    with_angles: Tensor


@dataclass(frozen=True)
class Geometry:
    """Positions and lattices of a batch as float64 tensors, from which lengths follow.

    `strains` (cells, 3, 3) are zero: what energies are derived by for stresses.
    """

    positions_ang: Tensor
    lattices_ang: Tensor
    strains: Tensor


def geometry(batch: GraphBatch, device: str, *, derivable: bool = False) -> Geometry:
    """Return where the atoms of a batch are, for derivatives by position and strain if asked."""
    import torch

    lattices = sent(batch.lattices_ang, device)
    strains = torch.zeros_like(lattices, requires_grad=derivable)
    lattices = lattices @ (torch.eye(3, dtype=lattices.dtype, device=device) + strains)
    frac, owners = sent(batch.frac_coords, device), sent(batch.owners, device)
    return Geometry(_combined(frac, lattices[owners]), lattices, strains)


def _combined(numbers: Tensor, vectors: Tensor) -> Tensor:
    """Return for each row the sum of its three vectors times its three numbers."""
    return (numbers[:, :, None] * vectors).sum(1)


def sent(values: NDArray[np.generic], device: str) -> Tensor:
    """Return an array as a tensor on the device; to a GPU it travels while others compute."""
    import torch

    tensor = torch.from_numpy(values)
    if device == "cpu":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


def graph(batch: GraphBatch, where: Geometry, device: str) -> Graph:
    """Return a batch as the network reads it; lengths and angles are computed in float64."""
    import torch

    owners = sent(batch.owners, device)
    bonds, short, angles = (sent(x, device) for x in (batch.bonds, batch.short, batch.angles))
    first, second = bonds[:, 0].contiguous(), bonds[:, 1].contiguous()
    steps = _combined(sent(batch.images, device), where.lattices_ang[owners[first]])
    vectors = where.positions_ang[second] + steps - where.positions_ang[first]
    lengths = vectors.norm(dim=1)
    units = vectors[short] / lengths[short][:, None]
    leaving = torch.cat([units, -units])
    starts, ends = angles[:, 0].contiguous(), angles[:, 1].contiguous()
    cosines = (leaving.index_select(0, starts) * leaving.index_select(0, ends)).sum(1) * COLLINEAR
    centres = torch.cat([first[short], second[short]])
    with_angles = torch.zeros(len(batch), dtype=torch.bool, device=device)
    with_angles[owners[centres[starts]]] = True
    return Graph(
        n_cells=len(batch),
        numbers=sent(batch.numbers, device),
        owners=owners,
        first=first,
        second=second,
        short=short,
        centres=centres,
        starts=starts,
        owning=starts % len(short),
        ends=ends % len(short),
        lengths=lengths,
        angle_values=filled_up(cosines, 0.0).acos()[: len(angles)],
        with_angles=with_angles[owners[first]],
    )
