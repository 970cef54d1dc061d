"""The elements: which symbols there are, and the properties that scores read, loaded once each."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import isnan
from typing import TYPE_CHECKING, TypeVar

from schemas.errors import suggestion

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Value = TypeVar("Value")
SYMBOLS: tuple[str, ...] = tuple(
    (  # noqa: SIM905  (a list of 118 quoted symbols is harder to check against a periodic table)
        "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As "
        "Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu "
        "Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np "
        "Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og"
    ).split()
)
"""All elements, by atomic number; a constant, so that checking a symbol imports nothing."""

ATOMIC_NUMBERS = {symbol: number for number, symbol in enumerate(SYMBOLS, start=1)}


def symbol_problem(symbols: Sequence[str]) -> str | None:
    """Return what is wrong with the first text that is no element's symbol, or None."""
    for symbol in symbols:
        if symbol not in ATOMIC_NUMBERS:
            near = suggestion(symbol.capitalize(), SYMBOLS)
            # A list of 118 symbols helps nobody.
            return f"'{symbol}' is not an element{near if 'did you mean' in near else ''}"
    return None


def of_elements(values: Mapping[str, Value]) -> dict[str, Value]:
    """Return values by element, for validators of params.

    Raises
    ------
    ValueError
        When a key is no element's symbol.
    """
    if problem := symbol_problem(tuple(values)):
        raise ValueError(problem)
    return dict(values)


@dataclass(frozen=True, slots=True)
class Element:
    """What scores read of one element; None where it is not known."""

    symbol: str
    atomic_number: int
    mass_g_per_mol: float
    electronegativity: float | None
    """Pauling scale."""
    common_states: tuple[int, ...]
    all_states: tuple[int, ...]


@cache
def element(symbol: str) -> Element:
    """Return the data of one element, from pymatgen's periodic table.

    Raises
    ------
    KeyError
        For a text that is no element's symbol.
    """
    from pymatgen.core import Element as PymatgenElement

    if symbol not in ATOMIC_NUMBERS:
        raise KeyError(symbol)
    entry = PymatgenElement(symbol)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "No Pauling electronegativity for He": we return None
        electronegativity = float(entry.X)
    common = tuple(sorted(int(state) for state in entry.common_oxidation_states))
    return Element(
        symbol=symbol,
        atomic_number=ATOMIC_NUMBERS[symbol],
        mass_g_per_mol=float(entry.atomic_mass),
        electronegativity=None if isnan(electronegativity) else electronegativity,
        common_states=common,
        all_states=tuple(sorted({*common, *(int(state) for state in entry.oxidation_states)})),
    )


@cache
def masses_g_per_mol() -> NDArray[np.float64]:
    """Return the atomic masses by atomic number (119,), NaN at 0."""
    import numpy as np

    return np.array([np.nan, *(element(symbol).mass_g_per_mol for symbol in SYMBOLS)])
