"""Cubic types without free coordinates, whose lattice follows from touching spheres."""

from collections.abc import Mapping
from math import sqrt

from runner.crystal.prototypes.prototype import Prototype
from schemas.structure import Vector

ORIGIN: Vector = (0.0, 0.0, 0.0)
CENTRE: Vector = (0.5, 0.5, 0.5)
QUARTER: Vector = (0.25, 0.25, 0.25)

SIMPLE: Mapping[str, Prototype] = {
    "fcc": Prototype(
        space_group="225",
        positions=(("A", "4a", ORIGIN),),
        compound={"A": "Cu"},
        lengths_ang=(3.615, 3.615, 3.615),
        bonding="metallic",
        coordination={"A": 12},
        contacts=(("A", "A", sqrt(2.0)),),
        source="A1, copper",
    ),
    "bcc": Prototype(
        space_group="229",
        positions=(("A", "2a", ORIGIN),),
        compound={"A": "W"},
        lengths_ang=(3.165, 3.165, 3.165),
        bonding="metallic",
        coordination={"A": 8},
        contacts=(("A", "A", 2.0 / sqrt(3.0)),),
        source="A2, tungsten",
    ),
    "diamond": Prototype(
        space_group="227:1",
        positions=(("A", "8a", ORIGIN),),
        compound={"A": "C"},
        lengths_ang=(3.567, 3.567, 3.567),
        bonding="covalent",
        coordination={"A": 4},
        contacts=(("A", "A", 4.0 / sqrt(3.0)),),
        source="A4, diamond",
    ),
    "zincblende": Prototype(
        space_group="216",
        positions=(("A", "4a", ORIGIN), ("X", "4c", QUARTER)),
        compound={"A": "Zn", "X": "S"},
        lengths_ang=(5.409, 5.409, 5.409),
        bonding="covalent",
        coordination={"A": 4, "X": 4},
        contacts=(("A", "X", 4.0 / sqrt(3.0)),),
        source="B3, sphalerite",
    ),
    "rocksalt": Prototype(
        space_group="225",
        positions=(("A", "4a", ORIGIN), ("X", "4b", CENTRE)),
        compound={"A": "Na", "X": "Cl"},
        lengths_ang=(5.640, 5.640, 5.640),
        bonding="ionic",
        coordination={"A": 6, "X": 6},
        contacts=(("A", "X", 2.0),),
        source="B1, halite",
    ),
    "cesium-chloride": Prototype(
        space_group="221",
        positions=(("A", "1a", ORIGIN), ("X", "1b", CENTRE)),
        compound={"A": "Cs", "X": "Cl"},
        lengths_ang=(4.123, 4.123, 4.123),
        bonding="ionic",
        coordination={"A": 8, "X": 8},
        contacts=(("A", "X", 2.0 / sqrt(3.0)),),
        source="B2, CsCl",
    ),
    "fluorite": Prototype(
        space_group="225",
        positions=(("A", "4a", ORIGIN), ("X", "8c", QUARTER)),
        compound={"A": "Ca", "X": "F"},
        lengths_ang=(5.463, 5.463, 5.463),
        bonding="ionic",
        coordination={"A": 8, "X": 4},
        contacts=(("A", "X", 4.0 / sqrt(3.0)),),
        source="C1, fluorite",
    ),
    "antifluorite": Prototype(
        space_group="225",
        positions=(("A", "8c", QUARTER), ("X", "4a", ORIGIN)),
        compound={"A": "Li", "X": "O"},
        lengths_ang=(4.619, 4.619, 4.619),
        bonding="ionic",
        coordination={"A": 4, "X": 8},
        contacts=(("A", "X", 4.0 / sqrt(3.0)),),
        source="C1 with the sites exchanged, Li2O",
    ),
    "perovskite-cubic": Prototype(
        space_group="221",
        positions=(("A", "1a", ORIGIN), ("B", "1b", CENTRE), ("X", "3c", (0.5, 0.5, 0.0))),
        compound={"A": "Sr", "B": "Ti", "X": "O"},
        lengths_ang=(3.905, 3.905, 3.905),
        bonding="ionic",
        coordination={"A": 12, "B": 6, "X": 6},
        contacts=(("A", "X", sqrt(2.0)), ("B", "X", 2.0)),
        source="E2_1, SrTiO3",
    ),
}
"""By their name in campaign files."""
