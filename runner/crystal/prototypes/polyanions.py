"""Frameworks with polyanions TX4 or TX3: T is P, Si, S, V, As, ..., X mostly O."""

from collections.abc import Mapping

from runner.crystal.prototypes.prototype import Prototype

POLYANIONS: Mapping[str, Prototype] = {
    "olivine": Prototype(
        space_group="62",
        positions=(
            ("A", "4a", (0.0, 0.0, 0.0)),
            ("M", "4c", (0.28222, 0.25, 0.97472)),
            ("T", "4c", (0.09486, 0.25, 0.41820)),
            ("X", "4c", (0.09678, 0.25, 0.74279)),
            ("X", "4c", (0.45710, 0.25, 0.20602)),
            ("X", "8d", (0.16558, 0.04646, 0.28478)),
        ),
        compound={"A": "Li", "M": "Fe", "T": "P", "X": "O"},
        lengths_ang=(10.332, 6.010, 4.692),
        bonding="ionic",
        coordination={"A": 6, "M": 6, "T": 4, "X": 4},
        source="S1_2, LiFePO4 (triphylite); Streltsov et al., Acta Cryst. B49, 147 (1993), "
        "doi:10.1107/S0108768192004701",
    ),
    "nasicon": Prototype(
        space_group="167",
        positions=(
            ("A", "6b", (0.0, 0.0, 0.0)),
            ("M", "12c", (0.0, 0.0, 0.1457)),
            ("T", "18e", (0.2910, 0.0, 0.25)),
            ("X", "36f", (0.1859, 0.9859, 0.1948)),
            ("X", "36f", (0.1916, 0.1684, 0.0869)),
        ),
        compound={"A": "Na", "M": "Zr", "T": "P", "X": "O"},
        lengths_ang=(8.8045, 8.8045, 22.7585),
        bonding="ionic",
        coordination={"A": 6, "M": 6, "T": 4, "X": 3},
        source="NaZr2(PO4)3; Hagman and Kierkegaard, Acta Chem. Scand. 22, 1822 (1968)",
    ),
    "zircon": Prototype(
        space_group="141:2",
        positions=(
            ("A", "4a", (0.0, 0.75, 0.125)),
            ("T", "4b", (0.0, 0.25, 0.375)),
            ("X", "16h", (0.0, 0.0661, 0.1953)),
        ),
        compound={"A": "Zr", "T": "Si", "X": "O"},
        lengths_ang=(6.607, 6.607, 5.982),
        bonding="ionic",
        coordination={"A": 8, "T": 4, "X": 3},
        source="S1_1, ZrSiO4; Robinson, Gibbs and Ribbe, Am. Mineral. 56, 782 (1971)",
    ),
    "scheelite": Prototype(
        space_group="88:2",
        positions=(
            ("A", "4b", (0.0, 0.25, 0.625)),
            ("T", "4a", (0.0, 0.25, 0.125)),
            ("X", "16f", (0.1507, 0.0086, 0.2106)),
        ),
        compound={"A": "Ca", "T": "W", "X": "O"},
        lengths_ang=(5.243, 5.243, 11.374),
        bonding="ionic",
        coordination={"A": 8, "T": 4, "X": 3},
        source="H0_4, CaWO4; Hazen, Finger and Mariathasan, J. Phys. Chem. Solids 46, 253 (1985)",
    ),
    "calcite": Prototype(
        space_group="167",
        positions=(
            ("A", "6b", (0.0, 0.0, 0.0)),
            ("T", "6a", (0.0, 0.0, 0.25)),
            ("X", "18e", (0.2568, 0.0, 0.25)),
        ),
        compound={"A": "Ca", "T": "C", "X": "O"},
        lengths_ang=(4.99, 4.99, 17.061),
        bonding="ionic",
        coordination={"A": 6, "T": 3, "X": 3},
        source="G0_1, CaCO3",
    ),
}
"""By their name in campaign files."""
