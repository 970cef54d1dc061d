"""What `campaign doctor` says about Quantum ESPRESSO on a machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile

from fireworks_ext.engines.espresso import pseudopotentials
from fireworks_ext.engines.espresso.program import mpi_launcher, pw_code, pw_command
from fireworks_ext.engines.espresso.recipes import RECIPES
from schemas.errors import UserError
from schemas.profile import Site
from schemas.protocols import Finding

TESTED_VERSION = "6.7"
_VERSION = re.compile(r"Program PWSCF v\.?(\S+) starts")
_PATIENCE_S = 30.0
_SHOWN_ELEMENTS = 20


def examine(site: Site) -> list[Finding]:
    """Return findings about pw.x, its MPI launcher and the families of pseudopotentials."""
    return [_program(site), _mpi(site), *_families(site)]


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
    version = program_version(site)
    if version is None:
        return Finding("pw.x", "warning", f"{path} does not say its version", "run it by hand")
    if not version.startswith(TESTED_VERSION):
        message = f"{path}, version {version}; keywords are checked against {TESTED_VERSION}"
        return Finding("pw.x", "warning", message)
    return Finding("pw.x", "ok", f"{path}, version {version}")


def program_version(site: Site) -> str | None:
    """Return the version that pw.x prints before it refuses an empty input."""
    command = pw_command(site, ranks=1, n_kpoints=1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            said = subprocess.run(
                command.argv[:-2],  # without -in FILE it reads standard input
                cwd=folder,
                input="",
                capture_output=True,
                text=True,
                timeout=_PATIENCE_S,
                env={**os.environ, **command.environment},
                check=False,
            ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(said)
    return found[1] if found else None


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
