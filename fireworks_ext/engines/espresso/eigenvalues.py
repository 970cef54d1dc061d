"""The eigenvalues in the XML file of pw.x, and how many bands its electrons fill."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from xml.etree import ElementTree as ET

from fireworks_ext.engines.espresso.bands import Channels
from fireworks_ext.engines.espresso.units import HARTREE_EV


@dataclass(frozen=True)
class Eigenvalues:
    """Bands of a run.

    `filled` says how many bands the electrons of each spin channel fill; None: the run does not
    tell, because it knows no magnetisation.
    """

    channels: Channels
    filled: list[float] | None
    fermi_ev: float | None
    """None for fixed occupations."""


def read_eigenvalues(output: ET.Element, moment_bohr: float | None = None) -> Eigenvalues | None:
    """Return the bands in the `output` of the XML file; None where there are none.

    Parameters
    ----------
    moment_bohr
        Moment of the cell, for runs that keep the density of another one and do not say it.
    """
    bands = output.find("band_structure")
    electrons = _number(bands, "nelec") if bands is not None else None
    if bands is None or electrons is None:
        return None
    energies = [
        [float(word) * HARTREE_EV for word in (point.findtext("eigenvalues") or "").split()]
        for point in bands.findall("ks_energies")
    ]
    fixed = bands.findtext("occupations_kind") == "fixed"
    fermi = None if fixed else _number(bands, "fermi_energy")
    fermi_ev = None if fermi is None else fermi * HARTREE_EV
    if not energies or not all(isfinite(energy) for point in energies for energy in point):
        return None
    if bands.findtext("noncolin") == "true":
        return Eigenvalues([energies], [electrons], fermi_ev)  # a spinor holds one electron
    if bands.findtext("lsda") != "true":
        return Eigenvalues([energies], [electrons / 2], fermi_ev)
    up = int(bands.findtext("nbnd_up") or 0)
    channels = [[point[:up] for point in energies], [point[up:] for point in energies]]
    moment = _number(output, "magnetization/total") if moment_bohr is None else moment_bohr
    filled = None if moment is None else [(electrons + moment) / 2, (electrons - moment) / 2]
    return Eigenvalues(channels, filled, fermi_ev)


def _number(element: ET.Element, path: str) -> float | None:
    try:
        value = float(element.findtext(path) or "")
    except ValueError:  # absent, or stars for a number that does not fit
        return None
    return value if isfinite(value) else None
