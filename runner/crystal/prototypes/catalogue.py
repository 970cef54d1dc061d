"""All structure types, by their name in campaign files."""

from collections.abc import Mapping

from runner.crystal.prototypes.binaries import BINARIES
from runner.crystal.prototypes.metals import METALS
from runner.crystal.prototypes.oxides import OXIDES
from runner.crystal.prototypes.perovskites import PEROVSKITES
from runner.crystal.prototypes.polyanions import POLYANIONS
from runner.crystal.prototypes.prototype import Prototype
from runner.crystal.prototypes.simple import SIMPLE
from runner.crystal.prototypes.ternaries import TERNARIES

PROTOTYPES: Mapping[str, Prototype] = {
    **SIMPLE,
    **METALS,
    **BINARIES,
    **TERNARIES,
    **OXIDES,
    **PEROVSKITES,
    **POLYANIONS,
}
"""Cells are primitive: fcc-based ones hold a quarter of the cube, bcc half of it."""
