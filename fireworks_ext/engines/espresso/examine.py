"""What `campaign doctor` says about Quantum ESPRESSO on a machine."""

from __future__ import annotations

import shutil

from fireworks_ext.engines.espresso import pseudopotentials
from fireworks_ext.engines.espresso.dos_program import dos_code
from fireworks_ext.engines.espresso.program import mpi_launcher, pw_code
from fireworks_ext.engines.espresso.recipes import RECIPES
from fireworks_ext.engines.espresso.version import TESTED, printed_version
from schemas.errors import UserError
from schemas.profile import Site
from schemas.protocols import Finding

_SHOWN_ELEMENTS = 20


def examine(site: Site) -> list[Finding]:
    """Return findings about pw.x, its MPI launcher and the families of pseudopotentials."""
    return [_program(site), _mpi(site), _dos(site), *_families(site)]


def _program(site: Site) -> Finding:
    code = pw_code(site)
    path = shutil.which(code.command)
    if path is None:
        return Finding(
            "pw.x",
            "missing",
            f"no program '{code.command}' on PATH",
            "apt-get install quantum-espresso, or set codes.pw.command in the profile",
        )
    version = printed_version(site)
    if version is None:
        return Finding("pw.x", "warning", f"{path} does not say its version", "run it by hand")
    if not version.startswith(TESTED):
        message = f"{path}, version {version}; keywords are checked against {TESTED}"
        return Finding("pw.x", "warning", message)
    return Finding("pw.x", "ok", f"{path}, version {version}")


def _mpi(site: Site) -> Finding:
    launcher = mpi_launcher(pw_code(site))
    path = shutil.which(launcher[0]) if launcher else None
    if path is None:
        return Finding(
            "MPI",
            "warning",
            f"no launcher '{launcher[0] if launcher else ''}': pw.x runs on one core only",
            "apt-get install openmpi-bin, or set codes.pw.mpi in the profile",
        )
    return Finding("MPI", "ok", " ".join((path, *launcher[1:])))


def _dos(site: Site) -> Finding:
    command = dos_code(site).command
    path = shutil.which(command)
    if path is None:
        return Finding(
            "dos.x",
            "warning",
            f"no program '{command}': stages of the task dos cannot be computed here",
            "install all of Quantum ESPRESSO, or set codes.dos.command in the profile",
        )
    return Finding("dos.x", "ok", path)


def _families(site: Site) -> list[Finding]:
    findings = []
    try:
        installed = pseudopotentials.installed(site)
    except UserError as error:
        installed = {}
        findings.append(Finding("pseudopotentials", "warning", str(error), "correct the file"))
    for name, folder in installed.items():
        family = pseudopotentials.read_family(folder)
        held = pseudopotentials.InstalledFamily(folder, family)
        without = [element for element in sorted(family.elements) if not held.cutoffs(element)]
        message = f"{family.functional}, {len(family.elements)} elements in {folder}"
        if without:
            shown = " ".join(without[:_SHOWN_ELEMENTS])
            more = " ..." if len(without) > _SHOWN_ELEMENTS else ""
            message += f"; without measured cutoffs: {shown}{more}"
        findings.append(Finding(f"pseudopotentials {name}", "ok", message))
    for name, recipe in RECIPES.items():
        if name in installed:
            continue
        subject = f"pseudopotentials {name}"
        if recipe.available:
            findings.append(Finding(subject, "ok", f"made at first use from {recipe.source}"))
        else:
            remedy = f"apt-get install {recipe.package}"
            findings.append(Finding(subject, "missing", f"no {recipe.source}", remedy))
    return findings
