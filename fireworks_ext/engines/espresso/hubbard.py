"""Hubbard U: on which shell it acts, and how a version of pw.x wants to be told.

Up to 7.0 these are keywords of the namelist SYSTEM, for shells that pw.x has in a table; from 7.1
on it is the card HUBBARD, which names them (Doc/Hubbard_input.pdf of Quantum ESPRESSO 7.1). What is
computed is the same, but for the occupations that it starts with: from a table up to 7.0, from the
pseudopotential later. A system with several solutions may end in another one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from fireworks_ext.engines.espresso.elements import SYMBOLS
from fireworks_ext.engines.espresso.keywords import Value
from fireworks_ext.engines.espresso.version import Version
from schemas.errors import UserError
from schemas.model import Model

FIRST_WITH_CARD = Version(7, 1)
FIRST_NON_COLLINEAR = Version(7, 3)
"""Before it, "simplified DFT+U is not implemented with noncol. magnetism" (PW/src/input.f90)."""
GONE_WITH_CARD = frozenset(
    {
        *("lda_plus_u", "lda_plus_u_kind", "u_projection_type", "hubbard_parameters", "hubbard_u"),
        *("hubbard_u_back", "hubbard_j0", "hubbard_j", "hubbard_v"),
    }
)
"""Keywords that pw.x 7.1 took out of SYSTEM (Modules/input_parameters.f90: "obsolete", "moved")."""
RAW_WORDS = GONE_WITH_CARD | {"hubbard_alpha", "hubbard_beta"}

_NAMED = re.compile(r"^([A-Z][a-z]?)-([1-7][spdf])$")


def _shells(shell: str, symbols: str) -> dict[str, str]:
    return dict.fromkeys(symbols.split(), shell)


TABLE_TO_7_0: Mapping[str, str] = MappingProxyType(
    {
        **_shells("3d", "Ti V Cr Mn Fe Co Ni Cu Zn Ga"),
        **_shells("4d", "Zr Nb Mo Tc Ru Rh Pd Ag Cd In"),
        **_shells("5d", "Hf Ta W Re Os Ir Pt Au Hg"),
        **_shells("4f", "Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu"),
        **_shells("5f", "Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr"),
        **_shells("1s", "H"),
        **_shells("2p", "C N O"),
        **_shells("4p", "As"),
    }
)
"""The shells that pw.x up to 7.0 puts U on: set_hubbard_l.f90, set_hubbard_n.f90 (6.7, 7.0)."""

DEFAULT_SHELLS: Mapping[str, str] = MappingProxyType(
    {
        **TABLE_TO_7_0,
        **_shells("3d", "Sc"),
        **_shells("4d", "Y"),
        **_shells("2p", "B F"),
        **_shells("3p", "Al Si P S Cl"),
        **_shells("4p", "Ge Se Br"),
        **_shells("5p", "Sn Sb Te I"),
        **_shells("6p", "Tl Pb Bi"),
    }
)
"""The shell of an element that is named alone. None where two are as likely (La: 4f, 5d)."""


class HubbardCard(Model):
    """The card HUBBARD: what projects on the shells, and U in eV by `LABEL-SHELL`."""

    projectors: str
    u_ev: tuple[tuple[str, float], ...]


def canonical_shells(u_ev: Mapping[str, float]) -> dict[str, float]:
    """Return U by element, or by `element-shell` where the shell is not the element's usual one.

    So `Fe` and `Fe-3d` are the same quantity with the same stage key.

    Raises
    ------
    ValueError
        With all mistakes: no such element, no usual shell, an element given twice.
    """
    problems: list[str] = []
    found: dict[str, float] = {}
    for written, value in u_ev.items():
        element, shell = split_shell(written)
        usual = DEFAULT_SHELLS.get(element)
        if element not in SYMBOLS:
            problems.append(f"'{written}' is no element and no shell of one, as in Fe or Fe-3d")
        elif shell is None and usual is None:
            problems.append(f"{element} has no usual shell for U: name one, as in {element}-4f")
        elif element in {split_shell(name)[0] for name in found}:
            problems.append(f"U of {element} is given twice")
        else:
            found[element if shell in (None, usual) else f"{element}-{shell}"] = value
    if problems:
        raise ValueError("; ".join(problems))
    return found


def split_shell(written: str) -> tuple[str, str | None]:
    """Return element and shell of `Fe-3d`; without one, the text and None."""
    named = _NAMED.match(written)
    return (named[1], named[2]) if named else (written, None)


def shell_of(element: str, u_ev: Mapping[str, float]) -> tuple[str, float] | None:
    """Return the shell and U of an element, or None where it has none."""
    for written, value in u_ev.items():
        named, shell = split_shell(written)
        if named == element:
            return shell or DEFAULT_SHELLS[element], value
    return None


def hubbard_keywords(
    elements: Sequence[str], u_ev: Mapping[str, float], projectors: str
) -> dict[str, Value]:
    """Return the keywords of SYSTEM for pw.x up to 7.0.

    Parameters
    ----------
    elements
        The element of each kind of atoms, in the order of ATOMIC_SPECIES.

    Raises
    ------
    UserError
        Where such a pw.x puts U on another shell, or knows none for an element.
    """
    problems = []
    keywords: dict[str, Value] = {
        "lda_plus_u": True,
        "lda_plus_u_kind": 0,
        "u_projection_type": projectors,
    }
    for index, element in enumerate(elements, start=1):
        found = shell_of(element, u_ev)
        if found is None:
            continue
        keywords[f"hubbard_u({index})"] = found[1]
        if TABLE_TO_7_0.get(element) != found[0]:
            has = TABLE_TO_7_0.get(element)
            problems.append(f"{element}-{found[0]} ({f'it takes {has}' if has else 'it has none'})")
    if problems:
        raise UserError(
            f"hubbard_u_ev: pw.x up to 7.0 cannot put U on {', '.join(dict.fromkeys(problems))}; "
            f"pw.x {FIRST_WITH_CARD} or newer can"
        )
    return keywords


def hubbard_card(
    labels: Sequence[tuple[str, str]], u_ev: Mapping[str, float], projectors: str
) -> HubbardCard:
    """Return the card for pw.x from 7.1 on.

    Parameters
    ----------
    labels
        (label, element) of each kind of atoms.
    """
    lines = [
        (f"{label}-{found[0]}", found[1])
        for label, element in labels
        if (found := shell_of(element, u_ev)) is not None
    ]
    return HubbardCard(projectors=projectors, u_ev=tuple(lines))


def check_version(version: Version, raw: Sequence[str], *, non_collinear: bool) -> None:
    """Refuse what a version of pw.x cannot do.

    Parameters
    ----------
    raw
        Names of the raw keywords of the params, without indices.

    Raises
    ------
    UserError
        With what to write instead, or with the version that can.
    """
    gone = [name for name in raw if name in GONE_WITH_CARD]
    if version >= FIRST_WITH_CARD and gone:
        raise UserError(
            f"pw.x {version} has no keyword {', '.join(gone)} any more: its card HUBBARD is "
            "written from hubbard_u_ev and hubbard_projectors; give those"
        )
    if non_collinear and version < FIRST_NON_COLLINEAR and not gone:
        raise UserError(
            f"hubbard_u_ev: pw.x {version} has no U for non-collinear spin; "
            f"{FIRST_NON_COLLINEAR} or newer has, or take spin: collinear"
        )
