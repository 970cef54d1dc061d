from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.crystal.cells import CellArrays, arrays, to_arrow
from runner.ml.batches import budgeted
from runner.ml.graphs import Bonds, GraphBatch, Radii, UnsuitableCell, bonds_of, joined
from runner.ml.ready import GraphProcesses, graphs
from schemas.structure import Structure

RADII = Radii(bond_ang=6.0, short_ang=3.0)


def all_bonds(cells: CellArrays) -> list[Bonds]:
    return [bonds_of(cells, index, RADII) for index in range(len(cells))]


def images_within(structure: Structure, radius_ang: float) -> set[tuple[int, int, int, int, int]]:
    """All (site, site, image) within the radius, found by looking at every image."""
    lattice = np.array(structure.lattice_ang)
    positions = np.array(structure.frac_coords) @ lattice
    heights = 1 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    spread = np.ptp(np.array(structure.frac_coords), axis=0)
    reach = [range(-int(n), int(n) + 1) for n in np.ceil(radius_ang / heights + spread)]
    found = set()
    for x in reach[0]:
        for y in reach[1]:
            for z in reach[2]:
                moved = positions + np.array([x, y, z]) @ lattice
                lengths = np.linalg.norm(moved[None] - positions[:, None], axis=2)
                for i, j in zip(
                    *np.nonzero((lengths < radius_ang) & (lengths > 1e-8)), strict=True
                ):
                    found.add((int(i), int(j), x, y, z))
    return found


@given(seed=st.integers(0, 10_000), n_atoms=st.integers(1, 5))
@settings(max_examples=15, deadline=None)
def test_bonds_are_all_images_within_the_radius_each_pair_once(seed: int, n_atoms: int) -> None:
    rng = np.random.default_rng(seed)
    lattice = np.diag(rng.uniform(2.5, 6.0, 3)) + rng.normal(0.0, 0.6, (3, 3))
    structure = Structure.model_validate(
        {
            "lattice_ang": lattice.tolist(),
            "species": ["Si"] * n_atoms,
            "frac_coords": rng.uniform(-1.0, 2.0, (n_atoms, 3)).tolist(),
        }
    )

    (bonds,) = all_bonds(arrays(to_arrow([structure])))

    images = bonds.images.astype(int)
    there = {
        (int(i), int(j), *map(int, n))
        for i, j, n in zip(bonds.first, bonds.second, images, strict=True)
    }
    back = {(j, i, -x, -y, -z) for i, j, x, y, z in there}
    assert len(there) == len(bonds.first)
    assert not there & back
    assert there | back == images_within(structure, RADII.bond_ang)


def test_angles_are_all_ordered_pairs_of_different_short_bonds_of_one_atom(
    mixture: list[Structure],
) -> None:
    cells = all_bonds(arrays(to_arrow(mixture)))
    batch = joined(cells, RADII)
    n_short = len(batch.short)
    centres = np.concatenate([batch.bonds[batch.short, 0], batch.bonds[batch.short, 1]])

    expected = {
        pair
        for centre in range(len(batch.numbers))
        for pair in permutations(np.flatnonzero(centres == centre).tolist(), 2)
    }

    assert {(int(a), int(b)) for a, b in batch.angles} == expected
    assert len(batch.angles) == len(expected) == sum(one.n_angles for one in cells)
    assert batch.angles.max() < 2 * n_short


def test_a_bond_as_long_as_the_radius_leads_angles_and_does_not_end_them() -> None:
    cube = Structure.model_validate(
        {
            "lattice_ang": [[3.0, 0, 0], [0, 3.0, 0], [0, 0, 2.5]],
            "species": ["Cu"],
            "frac_coords": [[0, 0, 0]],
        }
    )
    batch = joined(all_bonds(arrays(to_arrow([cube]))), RADII)
    lengths = np.linalg.norm(batch.images[batch.short] @ np.array(cube.lattice_ang), axis=1)
    both = np.tile(lengths, 2)

    # Six bonds leave the atom; two of them are shorter than 3 angstrom and end angles.
    assert len(batch.angles) == 6 * 2 - 2
    assert (both[batch.angles[:, 1]] < 3.0).all()


def test_the_graph_of_a_batch_is_the_graphs_of_its_cells_side_by_side(
    mixture: list[Structure],
) -> None:
    cells = all_bonds(arrays(to_arrow(mixture)))
    whole = joined(cells, RADII)

    parts = [joined([cell], RADII) for cell in cells]

    assert whole.items == sum(part.items for part in parts) == sum(cell.items for cell in cells)
    at_bond = at_site = 0
    for number, part in enumerate(parts):
        bonds = slice(at_bond, at_bond + len(part.bonds))
        assert (whole.bonds[bonds] == part.bonds + at_site).all()
        assert (whole.images[bonds] == part.images).all()
        assert (whole.owners[at_site : at_site + len(part.numbers)] == number).all()
        at_bond, at_site = bonds.stop, at_site + len(part.numbers)


@pytest.mark.parametrize(
    ("lattice", "frac", "message"),
    [
        ([[9, 0, 0], [0, 9, 0], [0, 0, 9]], [[0, 0, 0]], "1 of 1 atoms have no neighbour within 6"),
        ([[1e-5, 0, 0], [0, 4, 0], [0, 0, 4]], [[0, 0, 0]], "more than 500000 neighbours"),
        ([[1e-3, 0, 0], [0, 4, 0], [0, 0, 4]], [[0, 0, 0]], "bonds and angles, more than 500000"),
        ([[0, 0, 0], [0, 4, 0], [0, 0, 4]], [[0, 0, 0]], "in 0 cubic angstrom"),
        ([[4, 0, 0], [0, 4, 0], [0, 0, 4]], [[float("nan"), 0, 0]], "not finite"),
    ],
)
def test_a_cell_that_no_model_can_take_is_refused_with_the_reason(
    lattice: list[list[float]], frac: list[list[float]], message: str
) -> None:
    n = len(frac)
    cells = CellArrays(
        np.array([lattice], dtype=float), np.full(n, 14, np.uint8), np.array(frac), np.array([0, n])
    )

    with pytest.raises(UnsuitableCell, match=message):
        bonds_of(cells, 0, RADII)


@given(st.lists(st.integers(1, 50)), st.integers(1, 60))
def test_batches_hold_no_more_than_the_budget_and_keep_the_order(
    sizes: list[int], budget: int
) -> None:
    class One:
        def __init__(self, items: int) -> None:
            self.items = items

    stream = [One(size) for size in sizes]

    batches = list(budgeted(stream, budget))

    assert [one for batch in batches for one in batch] == stream
    assert all(len(b) == 1 or sum(one.items for one in b) <= budget for b in batches)


def test_processes_make_the_same_graphs_in_the_same_order(mixture: list[Structure]) -> None:
    lonely = Structure.model_validate(
        {"lattice_ang": np.diag([9.0] * 3).tolist(), "species": ["He"], "frac_coords": [[0, 0, 0]]}
    )
    cells = arrays(to_arrow([*mixture, lonely] * 30))
    here = list(graphs(cells, RADII, 3000))
    processes = GraphProcesses(1)

    there = list(processes(cells, RADII, 3000))

    processes.close()
    assert _refused(there) == _refused(here)
    assert len(_refused(here)) == 30
    of_here, of_there = _by_place(here), _by_place(there)
    assert sorted(of_there) == sorted(of_here)
    assert all(one.graph.items <= 3000 or len(one.places) == 1 for one in there if one.graph)
    assert [of_there[place] for place in sorted(of_there)] == [
        of_here[place] for place in sorted(of_here)
    ]


def _refused(found: list) -> dict[int, str]:
    return {place: why for one in found for place, why in one.refused.items()}


def _by_place(found: list) -> dict[int, tuple[int, ...]]:
    """For each cell, its lattice and how many sites and bonds it has in its graph."""
    said = {}
    for one in found:
        graph: GraphBatch | None = one.graph
        if graph is None:
            continue
        bonds = np.bincount(graph.owners[graph.bonds[:, 0]], minlength=len(graph))
        sites = np.bincount(graph.owners, minlength=len(graph))
        for i, place in enumerate(one.places.tolist()):
            said[place] = (*graph.lattices_ang[i].ravel().tolist(), int(sites[i]), int(bonds[i]))
    return said


def test_graphs_are_those_of_the_package(mixture: list[Structure]) -> None:
    converter = _stock_converter()
    for structure in mixture:
        stock = converter(structure.to_pymatgen())
        batch = joined(all_bonds(arrays(to_arrow([structure]))), RADII)

        assert _edges(batch) == sorted(
            (*map(int, pair), *map(int, image))
            for pair, image in zip(stock.atom_graph, stock.neighbor_image, strict=True)
        )
        assert _angles(batch) == _angles_of_stock(stock)


def _stock_converter():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter = pytest.importorskip("chgnet.graph").CrystalGraphConverter
        return converter(atom_graph_cutoff=6, bond_graph_cutoff=3)


def _directed(batch: GraphBatch) -> np.ndarray:
    """Rows (site, site, image) of all bonds as seen from both ends."""
    out = np.column_stack([batch.bonds, batch.images])
    back = np.column_stack([batch.bonds[:, ::-1], -batch.images])
    return np.concatenate([out, back]).astype(int)


def _edges(batch: GraphBatch) -> list[tuple[int, ...]]:
    return sorted(tuple(map(int, row)) for row in _directed(batch))


def _angles(batch: GraphBatch) -> list[tuple[int, ...]]:
    directed = _directed(batch)
    short = np.concatenate([batch.short, batch.short + len(batch.bonds)])
    first, second = (directed[short[batch.angles[:, side]]] for side in (0, 1))
    return sorted(tuple(map(int, row)) for row in np.column_stack([first, second]))


def _angles_of_stock(stock) -> list[tuple[int, ...]]:
    directed = np.column_stack([stock.atom_graph.numpy(), stock.neighbor_image.detach().numpy()])
    bond_graph = stock.bond_graph.numpy().reshape(-1, 5)
    first, second = (directed[bond_graph[:, side]].astype(int) for side in (2, 4))
    return sorted(tuple(map(int, row)) for row in np.column_stack([first, second]))
