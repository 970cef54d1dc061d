"""Cells that the tests of models share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from schemas.structure import Structure

A, B, X = ("Ca", "Sr", "Ba", "La", "Na"), ("Ti", "Zr", "Fe", "Mn", "Sn"), ("O", "S", "F")
SITES = ((0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (0.0, 0.5, 0.5))


def perovskite(rng: np.random.Generator, repeats: tuple[int, int, int] = (1, 1, 1)) -> Structure:
    """Return a perovskite with random elements and slightly displaced atoms."""
    edge_ang = float(rng.uniform(3.8, 4.3))
    images = list(np.ndindex(*repeats))
    species = [str(rng.choice(kind)) for _ in images for kind in (A, B, X, X, X)]
    frac = [(np.add(site, image)) / repeats for image in images for site in SITES]
    moved = np.array(frac) + rng.normal(0.0, 0.01 / np.array(repeats), (len(frac), 3))
    lattice = np.diag(edge_ang * np.array(repeats)) + rng.normal(0.0, 0.05, (3, 3))
    return Structure.model_validate(
        {"lattice_ang": lattice.tolist(), "species": species, "frac_coords": moved.tolist()}
    )


def fcc(edge_ang: float, *species: str) -> Structure:
    """Return a primitive face-centred cell of one or two atoms (rocksalt)."""
    half = edge_ang / 2
    return Structure.model_validate(
        {
            "lattice_ang": [[0, half, half], [half, 0, half], [half, half, 0]],
            "species": species,
            "frac_coords": [[0, 0, 0], [0.5, 0.5, 0.5]][: len(species)],
        }
    )


@pytest.fixture
def rocksalt() -> Callable[..., Structure]:
    """Return a function that makes primitive face-centred cells."""
    return fcc


@pytest.fixture
def mixture() -> list[Structure]:
    """Cells of 1 to 40 atoms, in no order of size."""
    rng = np.random.default_rng(20230914)
    shapes = [(1, 1, 1), (2, 2, 1), (1, 1, 1), (2, 2, 2), (1, 1, 2), (1, 1, 1), (2, 1, 1)]
    cells = [perovskite(rng, shape) for shape in shapes]
    return [fcc(4.05, "Al"), *cells, fcc(4.24, "Mg", "O"), fcc(5.64, "Na", "Cl")]
