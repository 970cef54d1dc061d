"""What a pseudopotential file says about itself: element, valence, functional, kind."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fireworks_ext.engines.espresso.elements import SYMBOLS
from fireworks_ext.engines.espresso.gth import PSPXC
from schemas.errors import UserError

Kind = Literal["norm-conserving", "ultrasoft", "paw"]
Relativity = Literal["full", "scalar", "no"]

_HEADER_BYTES = 400_000
"""PSlibrary files put their own input before the header; none needs more than this."""

_FUNCTIONALS = {
    "PBE": "pbe",
    "SLA PW PBX PBC": "pbe",
    "SLA PW PBE PBE": "pbe",
    "PBESOL": "pbesol",
    "SLA PW PSX PSC": "pbesol",
    "PZ": "lda",
    "LDA": "lda",
    "SLA PZ NOGX NOGC": "lda",
    "SLA PW TPSS TPSS": "tpss",
    "SLA LYP B88 BLYP": "blyp",
}
"""Short and long names of functionals as pw.x knows them (funct.f90 of version 6.7)."""


@dataclass(frozen=True)
class Header:
    """One pseudopotential, without its radial functions."""

    element: str
    valence: float
    functional: str
    kind: Kind
    suggested_ecutwfc_ry: float | None = None
    suggested_ecutrho_ry: float | None = None
    relativity: Relativity = "scalar"
    """`full` holds the spin-orbit coupling; the other two differ in nothing that is used here."""


def read_header(path: Path) -> Header:
    """Read the header of a UPF (version 1 or 2) or `.gth` file.

    Raises
    ------
    UserError
        When it is neither, or says no element or valence.
    """
    with path.open(encoding="utf-8", errors="replace") as file:
        text = file.read(_HEADER_BYTES)
    try:
        if path.suffix == ".gth":
            return _gth(text)
        return _attributes(text) if "z_valence" in text else _lines(text)
    except (LookupError, ValueError) as error:
        raise UserError(
            f"{path}: not a pseudopotential that can be used: no UPF or GTH header was found"
        ) from error


def _gth(text: str) -> Header:
    lines = text.splitlines()
    number, valence = lines[1].split()[:2]
    pspxc = int(lines[2].split()[1])
    functional = next(name for name, code in PSPXC.items() if code == pspxc)
    return Header(SYMBOLS[int(float(number)) - 1], float(valence), functional, "norm-conserving")


def _functional(words: str) -> str:
    short = " ".join(words.upper().split())
    return _FUNCTIONALS.get(short, short.lower())


def _attributes(text: str) -> Header:
    header = text[text.index("<PP_HEADER") :]
    found = dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', header[: header.index(">")]))
    paw = found.get("is_paw", "F").strip().lower() in {"t", "true", ".true."}
    ultrasoft = found.get("is_ultrasoft", "F").strip().lower() in {"t", "true", ".true."}
    return Header(
        element=found["element"].strip().capitalize(),
        valence=float(found["z_valence"]),
        functional=_functional(found["functional"]),
        kind="paw" if paw else "ultrasoft" if ultrasoft else "norm-conserving",
        suggested_ecutwfc_ry=float(found.get("wfc_cutoff", "0")) or None,
        suggested_ecutrho_ry=float(found.get("rho_cutoff", "0")) or None,
        relativity=_relativity(found),
    )


def _relativity(found: dict[str, str]) -> Relativity:
    if found.get("has_so", "F").strip().lower() in {"t", "true", ".true."}:
        return "full"
    return "no" if found.get("relativistic", "").strip().lower() == "no" else "scalar"


def _lines(text: str) -> Header:
    lines = text[text.index("<PP_HEADER>") :].splitlines()[1:]
    return Header(
        element=lines[1].split()[0].capitalize(),
        valence=float(lines[5].split()[0]),
        functional=_functional(" ".join(lines[4].split()[:4])),
        kind="ultrasoft" if lines[2].split()[0] == "US" else "norm-conserving",
        relativity="full" if "Fully-Relativistic" in text else "scalar",
    )


def orbital_momenta(path: Path) -> frozenset[int]:
    """Return the angular momenta of the atomic orbitals in a pseudopotential file.

    pw.x leaves out those with a negative occupation; a `.gth` file has none at all.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".gth":
        return frozenset()
    orbitals = re.findall(r"<PP_CHI\.\d+\s([^>]*)>", text)
    if orbitals:
        found = [dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', orbital)) for orbital in orbitals]
        pairs = [(one.get("l", ""), one.get("occupation", "0")) for one in found]
    else:
        pairs = re.findall(r"^\s*\d[SPDFspdf]\s+(\d)\s+(-?[\d.]+)\s*$", text, re.MULTILINE)
    return frozenset(int(l) for l, occupation in pairs if l.strip() and float(occupation) >= 0)  # noqa: E741
