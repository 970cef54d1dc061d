"""Close-packed oxides (and their sulfides, fluorides) of two and more cations."""

from collections.abc import Mapping

from runner.crystal.prototypes.prototype import Prototype

OXIDES: Mapping[str, Prototype] = {
    "layered-o3": Prototype(
        space_group="166",
        positions=(
            ("A", "3a", (0.0, 0.0, 0.0)),
            ("M", "3b", (0.0, 0.0, 0.5)),
            ("X", "6c", (0.0, 0.0, 0.2395)),
        ),
        compound={"A": "Li", "M": "Co", "X": "O"},
        lengths_ang=(2.816, 2.816, 14.054),
        bonding="ionic",
        coordination={"A": 6, "M": 6, "X": 6},
        source="F5_1 (alpha-NaFeO2), LiCoO2; Orman and Wiseman, Acta Cryst. C40, 12 (1984)",
    ),
    "layered-p2": Prototype(
        space_group="194",
        positions=(
            ("A", "2d", (1 / 3, 2 / 3, 0.75)),
            ("M", "2a", (0.0, 0.0, 0.0)),
            ("X", "4f", (1 / 3, 2 / 3, 0.0913)),
        ),
        compound={"A": "Na", "M": "Co", "X": "O"},
        lengths_ang=(2.833, 2.833, 10.88),
        bonding="ionic",
        coordination={"A": 6, "M": 6, "X": 6},
        source="P2 NaCoO2, one of its sodium sites full; measured for Na(0.74)CoO2, "
        "Balsys and Davis, Solid State Ionics 93, 279 (1997)",
    ),
    "delafossite": Prototype(
        space_group="166",
        positions=(
            ("A", "3a", (0.0, 0.0, 0.0)),
            ("B", "3b", (0.0, 0.0, 0.5)),
            ("X", "6c", (0.0, 0.0, 0.1099)),
        ),
        compound={"A": "Cu", "B": "Al", "X": "O"},
        lengths_ang=(2.858, 2.858, 16.958),
        bonding="ionic",
        coordination={"A": 2, "B": 6, "X": 4},
        source="F5_1 with linear A, CuAlO2",
    ),
    "spinel": Prototype(
        space_group="227:2",
        positions=(
            ("A", "8a", (0.125, 0.125, 0.125)),
            ("B", "16d", (0.5, 0.5, 0.5)),
            ("X", "32e", (0.2624, 0.2624, 0.2624)),
        ),
        compound={"A": "Mg", "B": "Al", "X": "O"},
        lengths_ang=(8.0832, 8.0832, 8.0832),
        bonding="ionic",
        coordination={"A": 4, "B": 6, "X": 4},
        source="H1_1, MgAl2O4",
    ),
    "pyrochlore": Prototype(
        space_group="227:2",
        positions=(
            ("A", "16d", (0.5, 0.5, 0.5)),
            ("B", "16c", (0.0, 0.0, 0.0)),
            ("X", "48f", (0.3281, 0.125, 0.125)),
            ("Y", "8b", (0.375, 0.375, 0.375)),
        ),
        compound={"A": "Y", "B": "Ti", "X": "O", "Y": "O"},
        lengths_ang=(10.0949, 10.0949, 10.0949),
        bonding="ionic",
        coordination={"A": 8, "B": 6, "X": 4, "Y": 4},
        source="E8_1, Y2Ti2O7; X is the anion around B, Y the one amid four A",
    ),
    "garnet": Prototype(
        space_group="230",
        positions=(
            ("A", "24c", (0.125, 0.0, 0.25)),
            ("B", "16a", (0.0, 0.0, 0.0)),
            ("T", "24d", (0.375, 0.0, 0.25)),
            ("X", "96h", (0.0329, 0.0502, 0.6533)),
        ),
        compound={"A": "Mg", "B": "Al", "T": "Si", "X": "O"},
        lengths_ang=(11.459, 11.459, 11.459),
        bonding="ionic",
        coordination={"A": 8, "B": 6, "T": 4, "X": 4},
        source="S1_4, pyrope; Novak and Gibbs, Am. Mineral. 56, 791 (1971)",
    ),
    "ilmenite": Prototype(
        space_group="148",
        positions=(
            ("A", "6c", (0.0, 0.0, 0.35537)),
            ("B", "6c", (0.0, 0.0, 0.1464)),
            ("X", "18f", (0.3174, 0.02332, 0.24506)),
        ),
        compound={"A": "Fe", "B": "Ti", "X": "O"},
        lengths_ang=(5.0884, 5.0884, 14.0855),
        bonding="ionic",
        coordination={"A": 6, "B": 6, "X": 4},
        source="E2_2, FeTiO3; Wechsler and Prewitt, Am. Mineral. 69, 176 (1984)",
    ),
    "lithium-niobate": Prototype(
        space_group="161",
        positions=(
            ("A", "6a", (0.0, 0.0, 0.2787)),
            ("B", "6a", (0.0, 0.0, 0.0)),
            ("X", "18b", (0.0492, 0.3446, 0.0647)),
        ),
        compound={"A": "Li", "B": "Nb", "X": "O"},
        lengths_ang=(5.1483, 5.1483, 13.8631),
        bonding="ionic",
        coordination={"A": 6, "B": 6, "X": 4},
        source="LiNbO3; Abrahams, Reddy and Bernstein, J. Phys. Chem. Solids 27, 997 (1966)",
    ),
}
"""By their name in campaign files."""
