"""Dispersion corrections: their keywords in pw.x, and the functionals that they are made for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Literal

from fireworks_ext.engines.espresso.keywords import Value
from schemas.errors import UserError

Dispersion = Literal["none", "d2", "d3", "d3-bj", "ts"]

_D3: Mapping[str, Value] = MappingProxyType({"vdw_corr": "dft-d3", "dftd3_threebody": True})
KEYWORDS_OF: Mapping[str, Mapping[str, Value]] = MappingProxyType(
    {
        "none": {},
        "d2": {"vdw_corr": "grimme-d2"},  # doi:10.1002/jcc.20495
        "d3": {**_D3, "dftd3_version": 3},  # zero damping, doi:10.1063/1.3382344
        "d3-bj": {**_D3, "dftd3_version": 4},  # Becke-Johnson damping, doi:10.1002/jcc.21759
        "ts": {"vdw_corr": "ts-vdw"},  # doi:10.1103/PhysRevLett.102.073005
    }
)
"""INPUT_PW, vdw_corr and dftd3_version: the same words in 6.7 and 7.5. The three-body term of D3 is
the default of pw.x; it is written down because other programs leave it out."""

_FITTED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "d2": frozenset({"pbe"}),  # london_s6 = 0.75 is that of PBE (INPUT_PW)
        "d3": frozenset({"pbe", "pbesol", "blyp", "tpss"}),  # dft-d3/core.f90 of pw.x 6.7
        "d3-bj": frozenset({"pbe", "pbesol", "blyp", "tpss"}),
        "ts": frozenset({"pbe"}),  # Modules/tsvdw.f90
    }
)
"""The functionals of pseudopotentials that each is fitted for in pw.x."""
_OWN_FIT: Mapping[str, str] = MappingProxyType({"d2": "london_s6"})
"""The keyword that brings a fit for another functional."""


def check_dispersion(
    dispersion: str, functional: str, kinds: Collection[str], raw: Mapping[str, Value]
) -> None:
    """Refuse a correction that is not fitted for the functional, or that pw.x has no forces for.

    Raises
    ------
    UserError
        With what there is. A functional that `input_dft` names is left to pw.x.
    """
    if dispersion == "ts" and set(kinds) != {"norm-conserving"}:
        raise UserError(
            "dispersion: pw.x has ts for norm-conserving pseudopotentials only; take those, "
            "or d3-bj"
        )
    fitted = _FITTED.get(dispersion)
    if fitted is None or functional in fitted or "input_dft" in raw:
        return
    if _OWN_FIT.get(dispersion) in raw:
        return
    others = [name for name, functionals in _FITTED.items() if functional in functionals]
    advice = f"for {functional} there is {', '.join(others)}" if others else "take dispersion: none"
    raise UserError(
        f"dispersion: {dispersion} is fitted for {', '.join(sorted(fitted))}, and the family of "
        f"pseudopotentials is {functional}; {advice}"
    )
