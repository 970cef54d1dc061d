"""Structure types as data: sites by Wyckoff position, measured cells, lattices for other elements.

To add one, add it to the module of its kind (`simple`, `metals`, `binaries`, `oxides`,
`perovskites`, `polyanions`); nothing else is touched.
"""

from runner.crystal.prototypes.catalogue import PROTOTYPES
from runner.crystal.prototypes.estimate import estimated_lattice_ang
from runner.crystal.prototypes.prototype import Prototype

__all__ = ["PROTOTYPES", "Prototype", "estimated_lattice_ang"]
