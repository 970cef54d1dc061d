"""Chalcogenides, halides and pnictides of two and more cations."""

from collections.abc import Mapping

from runner.crystal.prototypes.prototype import Prototype

TERNARIES: Mapping[str, Prototype] = {
    "chalcopyrite": Prototype(
        space_group="122",
        positions=(
            ("A", "4a", (0.0, 0.0, 0.0)),
            ("B", "4b", (0.0, 0.0, 0.5)),
            ("X", "8d", (0.2574, 0.25, 0.125)),
        ),
        compound={"A": "Cu", "B": "Fe", "X": "S"},
        lengths_ang=(5.289, 5.289, 10.423),
        bonding="covalent",
        coordination={"A": 4, "B": 4, "X": 4},
        source="E1_1, CuFeS2",
    ),
    "kesterite": Prototype(
        space_group="82",
        positions=(
            ("A", "2a", (0.0, 0.0, 0.0)),
            ("A", "2c", (0.0, 0.5, 0.25)),
            ("B", "2d", (0.0, 0.5, 0.75)),
            ("C", "2b", (0.0, 0.0, 0.5)),
            ("X", "8g", (0.7560, 0.7566, 0.8722)),
        ),
        compound={"A": "Cu", "B": "Zn", "C": "Sn", "X": "S"},
        lengths_ang=(5.427, 5.427, 10.871),
        bonding="covalent",
        coordination={"A": 4, "B": 4, "C": 4, "X": 4},
        source="Cu2ZnSnS4; Hall, Szymanski and Stewart, Can. Mineral. 16, 131 (1978)",
    ),
    "stannite": Prototype(
        space_group="121",
        positions=(
            ("A", "4d", (0.0, 0.5, 0.25)),
            ("B", "2a", (0.0, 0.0, 0.0)),
            ("C", "2b", (0.0, 0.0, 0.5)),
            ("X", "8i", (0.755, 0.755, 0.8702)),
        ),
        compound={"A": "Cu", "B": "Fe", "C": "Sn", "X": "S"},
        lengths_ang=(5.449, 5.449, 10.757),
        bonding="covalent",
        coordination={"A": 4, "B": 4, "C": 4, "X": 4},
        source="H2_6, Cu2FeSnS4; Hall, Szymanski and Stewart, Can. Mineral. 16, 131 (1978)",
    ),
    "matlockite": Prototype(
        space_group="129:2",
        positions=(
            ("A", "2c", (0.25, 0.25, 0.2058)),
            ("X", "2c", (0.25, 0.25, 0.6497)),
            ("Y", "2a", (0.75, 0.25, 0.0)),
        ),
        compound={"A": "Pb", "X": "Cl", "Y": "F"},
        lengths_ang=(4.11, 4.11, 7.246),
        bonding="ionic",
        coordination={"A": 9, "X": 5, "Y": 4},
        source="E0_1, PbFCl; Y lies in the plane of the tetrahedra",
    ),
    "zrcusias": Prototype(
        space_group="129:2",
        positions=(
            ("A", "2c", (0.25, 0.25, 0.2246)),
            ("B", "2b", (0.75, 0.25, 0.5)),
            ("X", "2c", (0.25, 0.25, 0.6793)),
            ("Y", "2a", (0.75, 0.25, 0.0)),
        ),
        compound={"A": "Zr", "B": "Cu", "X": "As", "Y": "Si"},
        lengths_ang=(3.6736, 3.6736, 9.5712),
        bonding="covalent",
        coordination={"A": 8, "B": 4, "X": 8, "Y": 4},
        source="ZrCuSiAs, the type of LaOFeAs (A La, B Fe, X As, Y O)",
    ),
    "argyrodite": Prototype(
        space_group="216",
        positions=(
            ("A", "24g", (0.0225, 0.25, 0.25)),
            ("T", "4b", (0.5, 0.5, 0.5)),
            ("X", "16e", (0.6185, 0.6185, 0.6185)),
            ("X", "4c", (0.25, 0.25, 0.25)),
            ("Y", "4a", (0.0, 0.0, 0.0)),
        ),
        compound={"A": "Li", "T": "P", "X": "S", "Y": "Cl"},
        lengths_ang=(9.859, 9.859, 9.859),
        bonding="ionic",
        coordination={"A": 3, "T": 4, "X": 5, "Y": 6},
        source="Li6PS5Cl with A amid its two half occupied sites",
    ),
}
"""By their name in campaign files."""
