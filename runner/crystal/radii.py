"""Radii of ions and atoms, in angstrom, from pymatgen's tables, loaded once per element.

Ions: effective ionic radii of Shannon, Acta Cryst. A32, 751 (1976), doi:10.1107/S0567739476001551.
Covalent radii: Cordero et al., Dalton Trans. 2832 (2008), doi:10.1039/b801115j. Metallic radii:
pymatgen's periodic table, twelvefold coordination for most metals.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from runner.crystal.elements import SYMBOLS
from runner.crystal.oxidation import LARGEST_STATE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Spin: TypeAlias = Literal["high", "low"]
ROMAN: Mapping[int, str] = {
    1: "I", 2: "II", 3: "III", 4: "IV", 5: "V", 6: "VI", 7: "VII", 8: "VIII", 9: "IX", 10: "X",
    11: "XI", 12: "XII", 14: "XIV",
}  # fmt: skip

FOURFOLD_CARBON_ANG = 0.76
"""Cordero's radius of sp3 carbon; pymatgen's table holds the one of sp2, 0.73."""


def ion_name(symbol: str, state: int) -> str:
    """Return the ion as chemists write it: `Ti4+`, `O2-`, `Na+`."""
    size = "" if abs(state) == 1 else str(abs(state))
    return f"{symbol}{size}{'+' if state >= 0 else '-'}"


@cache
def ionic_radius_ang(
    symbol: str, state: int, coordination: int, spin: Spin = "high"
) -> float | None:
    """Return Shannon's radius of an ion in exactly that coordination, or None.

    `spin` matters only where the table has an entry for each. Square-planar and pyramidal entries
    are not used.
    """
    return _radii_by_coordination(symbol, state, spin).get(coordination)


@cache
def ionic_radii_ang(coordination: int, spin: Spin = "high") -> NDArray[np.float64]:
    """Return `ionic_radius_ang` of all ions, NaN where there is none.

    The shape is (119, 2 LARGEST_STATE + 1): atomic number, and state + LARGEST_STATE.
    """
    import numpy as np

    radii = np.full((len(SYMBOLS) + 1, 2 * LARGEST_STATE + 1), np.nan)
    for number, symbol in enumerate(SYMBOLS, start=1):
        for state in range(-LARGEST_STATE, LARGEST_STATE + 1):
            radius = ionic_radius_ang(symbol, state, coordination, spin)
            if radius is not None:
                radii[number, state + LARGEST_STATE] = radius
    return radii


@cache
def nearest_ionic_radii_ang(coordination: int) -> NDArray[np.float64]:
    """Return `nearest_ionic_radius_ang` of all ions; shape and NaN as in `ionic_radii_ang`."""
    import numpy as np

    radii = np.full((len(SYMBOLS) + 1, 2 * LARGEST_STATE + 1), np.nan)
    for number, symbol in enumerate(SYMBOLS, start=1):
        for state in range(-LARGEST_STATE, LARGEST_STATE + 1):
            radius = nearest_ionic_radius_ang(symbol, state, coordination)
            if radius is not None:
                radii[number, state + LARGEST_STATE] = radius
    return radii


@cache
def covalent_radii_ang() -> NDArray[np.float64]:
    """Return `covalent_radius_ang` by atomic number (119,), NaN where there is none."""
    import numpy as np

    known = [covalent_radius_ang(symbol) for symbol in SYMBOLS]
    return np.array([np.nan, *(np.nan if one is None else one for one in known)])


def nearest_ionic_radius_ang(symbol: str, state: int, coordination: int) -> float | None:
    """Return Shannon's radius in the nearest coordination that is known, the higher of two."""
    radii = _radii_by_coordination(symbol, state, "high")
    if not radii:
        return None
    return radii[min(radii, key=lambda known: (abs(known - coordination), -known))]


@cache
def covalent_radius_ang(symbol: str) -> float | None:
    """Return Cordero's covalent radius, or None above curium."""
    from pymatgen.analysis.molecule_structure_comparator import CovalentRadius

    radius = FOURFOLD_CARBON_ANG if symbol == "C" else CovalentRadius.radius.get(symbol)
    return None if radius is None else float(radius)


@cache
def metallic_radius_ang(symbol: str) -> float | None:
    """Return the metallic radius, or None where the table has none."""
    from pymatgen.core import Element

    radius = Element(symbol).data.get("Metallic radius")
    return None if radius is None else float(radius)


@cache
def _radii_by_coordination(symbol: str, state: int, spin: Spin) -> Mapping[int, float]:
    from pymatgen.core import Element

    table = Element(symbol).data.get("Shannon radii") or {}
    entries = table.get(str(state), {})
    radii = {}
    for coordination, roman in ROMAN.items():
        by_spin = entries.get(roman, {})
        entry = by_spin.get("") or by_spin.get("High Spin" if spin == "high" else "Low Spin")
        if entry:
            radii[coordination] = float(entry["ionic_radius"])
    return radii
