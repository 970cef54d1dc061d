"""Perovskites that are tilted, polar, hexagonal, ordered or layered; the cubic one is simple."""

from collections.abc import Mapping

from runner.crystal.prototypes.prototype import Prototype

PEROVSKITES: Mapping[str, Prototype] = {
    "perovskite-orthorhombic": Prototype(
        space_group="62",
        positions=(
            ("A", "4c", (0.0628, 0.25, 0.9844)),
            ("B", "4b", (0.0, 0.0, 0.5)),
            ("X", "4c", (0.4669, 0.25, 0.1005)),
            ("X", "8d", (0.3016, 0.0518, 0.6957)),
        ),
        compound={"A": "Gd", "B": "Fe", "X": "O"},
        lengths_ang=(5.611, 7.669, 5.349),
        bonding="ionic",
        coordination={"A": 8, "B": 6, "X": 6},
        source="Pnma, GdFeO3, tilts a-b+a-; Marezio, Remeika and Dernier, Acta Cryst. B26, 2008 "
        "(1970)",
    ),
    "perovskite-rhombohedral": Prototype(
        space_group="167",
        positions=(
            ("A", "6a", (0.0, 0.0, 0.25)),
            ("B", "6b", (0.0, 0.0, 0.0)),
            ("X", "18e", (0.525, 0.0, 0.25)),
        ),
        compound={"A": "La", "B": "Al", "X": "O"},
        lengths_ang=(5.365, 5.365, 13.111),
        bonding="ionic",
        coordination={"A": 12, "B": 6, "X": 6},
        source="R-3c, LaAlO3, tilts a-a-a-",
    ),
    "perovskite-tetragonal": Prototype(
        space_group="99",
        positions=(
            ("A", "1a", (0.0, 0.0, 0.0)),
            ("B", "1b", (0.5, 0.5, 0.5377)),
            ("X", "1b", (0.5, 0.5, 0.1118)),
            ("X", "2c", (0.5, 0.0, 0.6174)),
        ),
        compound={"A": "Pb", "B": "Ti", "X": "O"},
        lengths_ang=(3.902, 3.902, 4.156),
        bonding="ionic",
        coordination={"A": 12, "B": 6, "X": 6},
        source="P4mm, PbTiO3, polar; Nelmes and Kuhs, Solid State Commun. 54, 721 (1985)",
    ),
    "perovskite-tetragonal-tilted": Prototype(
        space_group="140",
        positions=(
            ("A", "4b", (0.0, 0.5, 0.25)),
            ("B", "4c", (0.0, 0.0, 0.0)),
            ("X", "4a", (0.0, 0.0, 0.25)),
            ("X", "8h", (0.241, 0.741, 0.0)),
        ),
        compound={"A": "Sr", "B": "Ti", "X": "O"},
        lengths_ang=(5.507, 5.507, 7.796),
        bonding="ionic",
        coordination={"A": 12, "B": 6, "X": 6},
        source="I4/mcm, SrTiO3 below 105 K, tilts a0a0c-; Kiat and Roisnel, J. Phys.: Condens. "
        "Matter 8, 3471 (1996), doi:10.1088/0953-8984/8/19/021",
    ),
    "perovskite-hexagonal": Prototype(
        space_group="194",
        positions=(
            ("A", "2d", (1 / 3, 2 / 3, 0.75)),
            ("B", "2a", (0.0, 0.0, 0.0)),
            ("X", "6h", (0.1495, 0.299, 0.25)),
        ),
        compound={"A": "Ba", "B": "Ni", "X": "O"},
        lengths_ang=(5.629, 5.629, 4.811),
        bonding="ionic",
        coordination={"A": 12, "B": 6, "X": 6},
        source="2H, BaNiO3, chains of octahedra that share faces",
    ),
    "double-perovskite": Prototype(
        space_group="225",
        positions=(
            ("A", "8c", (0.25, 0.25, 0.25)),
            ("B1", "4b", (0.5, 0.5, 0.5)),
            ("B2", "4a", (0.0, 0.0, 0.0)),
            ("X", "24e", (0.236, 0.0, 0.0)),
        ),
        compound={"A": "Ba", "B1": "Mg", "B2": "W", "X": "O"},
        lengths_ang=(8.112, 8.112, 8.112),
        bonding="ionic",
        coordination={"A": 12, "B1": 6, "B2": 6, "X": 6},
        source="Fm-3m (J2_6, elpasolite), Ba2MgWO6; B2 has the shorter bonds",
    ),
    "vacancy-ordered-perovskite": Prototype(
        space_group="225",
        positions=(
            ("A", "8c", (0.25, 0.25, 0.25)),
            ("B", "4a", (0.0, 0.0, 0.0)),
            ("X", "24e", (0.2384, 0.0, 0.0)),
        ),
        compound={"A": "K", "B": "Pt", "X": "Cl"},
        lengths_ang=(9.743, 9.743, 9.743),
        bonding="ionic",
        coordination={"A": 12, "B": 6, "X": 5},
        source="J1_1, K2PtCl6",
    ),
    "ruddlesden-popper": Prototype(
        space_group="139",
        positions=(
            ("A", "4e", (0.0, 0.0, 0.36075)),
            ("B", "2a", (0.0, 0.0, 0.0)),
            ("X", "4c", (0.0, 0.5, 0.0)),
            ("X", "4e", (0.0, 0.0, 0.1824)),
        ),
        compound={"A": "La", "B": "Cu", "X": "O"},
        lengths_ang=(3.7817, 3.7817, 13.2487),
        bonding="ionic",
        coordination={"A": 9, "B": 6, "X": 6},
        source="n = 1, K2NiF4 type, La2CuO4 above 530 K",
    ),
}
"""By their name in campaign files."""
