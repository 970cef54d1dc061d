"""Params in which nothing depends on the structure or the site any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fireworks_ext.engines.espresso import pseudopotentials
from fireworks_ext.engines.espresso.constraints import (
    FixedAtoms,
    check_cell,
    free_axes,
    resolve_fixed,
)
from fireworks_ext.engines.espresso.dispersion import check_dispersion
from fireworks_ext.engines.espresso.headers import Header
from fireworks_ext.engines.espresso.hubbard import shell_of, split_shell
from fireworks_ext.engines.espresso.keywords import split_index
from fireworks_ext.engines.espresso.magnetism import check_directions, resolve_moments
from fireworks_ext.engines.espresso.params import EspressoParams
from fireworks_ext.engines.espresso.pseudopotentials import InstalledFamily, cached_momenta
from schemas.errors import UserError
from schemas.profile import Site
from schemas.structure import Structure

NORM_CONSERVING_DUAL = 4.0  # exact: the density has twice the largest wavevector
ULTRASOFT_DUAL = 8.0  # pw.x, INPUT_PW: "8 to 12 times" for ultrasoft
RELAXING = ("relax", "vc-relax")


def resolve(
    structure: Structure, params: EspressoParams, site: Site, task: str = "scf"
) -> EspressoParams:
    """Return params with cutoffs, valences, moments and fixed atoms filled in.

    Raises
    ------
    UserError
        When the family lacks an element, a measured cutoff or what U, dispersion or spin-orbit
        coupling need of it, when spin is asked for without moments, when there is no k-mesh, or
        when constraints do not fit the structure.
    """
    family = pseudopotentials.load(params.pseudopotentials, site)
    headers = {element: family.header(element) for element in structure.elements}
    if params.kmesh is None and params.kspacing_per_ang is None:
        raise UserError("give kspacing_per_ang, or kmesh, or a protocol that sets the spacing")
    ecutwfc, ecutrho = _cutoffs(structure, params, family)
    u_ev = {
        written: u
        for written, u in params.hubbard_u_ev.items()
        if split_shell(written)[0] in headers
    }
    here = params.model_copy(update={"hubbard_u_ev": u_ev})
    _check_hubbard(here, family, structure.elements)
    _check_relativity(params, headers)
    kinds = {header.kind for header in headers.values()}
    check_dispersion(params.dispersion, family.family.functional, kinds, params.params)
    moments = resolve_moments(structure, params)
    if task == "bands":
        check_directions(params.model_copy(update={"moments_bohr": moments}))
    return here.model_copy(
        update={
            "ecutwfc_ry": ecutwfc,
            "ecutrho_ry": ecutrho,
            "valences": {element: header.valence for element, header in headers.items()},
            "moments_bohr": moments,
            "spin": "none" if moments is None else params.spin,
            "fixed_atoms": _fixed_atoms(structure, task, params),
            "cell": _cell(structure, task, params),
        }
    )


def _fixed_atoms(structure: Structure, task: str, params: EspressoParams) -> tuple[FixedAtoms, ...]:
    """Return the rules that select sites of this structure; none where nothing moves."""
    if task not in RELAXING:
        return ()
    rules = resolve_fixed(structure, params.fixed_atoms)
    free = free_axes(structure, rules)
    if task == "relax" and free is not None and not any(any(axes) for axes in free):
        raise UserError(
            f"fixed_atoms: every atom of {structure.formula} is fixed, so a relax has nothing to "
            "do; fix fewer, or take the task scf"
        )
    return rules


def _cell(structure: Structure, task: str, params: EspressoParams) -> str:
    if task == "vc-relax":
        check_cell(structure, params.cell)
    return params.cell


def _cutoffs(
    structure: Structure, params: EspressoParams, family: InstalledFamily
) -> tuple[float, float]:
    """Return both cutoffs in Ry: given, or the largest of the elements'."""
    elements = structure.elements
    ecutwfc = params.ecutwfc_ry
    measured = {element: family.cutoffs(element) for element in elements}
    if ecutwfc is None:
        accuracy = params.cutoff_accuracy
        unknown = [element for element in elements if accuracy not in measured[element]]
        if unknown:
            raise UserError(
                f"no measured cutoff of {' '.join(unknown)} for {accuracy} accuracy in the family "
                f"'{family.family.name}'; give ecutwfc_ry" + _suggested(family, unknown)
            )
        ecutwfc = max(measured[element][accuracy] for element in elements)
    soft = all(family.header(element).kind == "norm-conserving" for element in elements)
    dual = NORM_CONSERVING_DUAL if soft else ULTRASOFT_DUAL
    if params.ecutrho_ry is not None:
        return ecutwfc, params.ecutrho_ry
    duals = [family.dual(element) for element in elements]
    return ecutwfc, ecutwfc * max(dual, *duals)


def _suggested(family: InstalledFamily, elements: list[str]) -> str:
    headers = {element: family.header(element) for element in elements}
    texts = [
        f"{element} {header.suggested_ecutwfc_ry:.0f}"
        for element, header in headers.items()
        if header.suggested_ecutwfc_ry
    ]
    return f" (the files themselves suggest at least: {', '.join(texts)} Ry)" if texts else ""


def _check_hubbard(
    params: EspressoParams, family: InstalledFamily, elements: Iterable[str]
) -> None:
    """Refuse U that is said in two words, and U on a shell that its pseudopotential lacks."""
    if not params.hubbard_u_ev:
        return
    if any(split_index(name)[0] in {"hubbard_u", "lda_plus_u"} for name in params.params):
        raise UserError("hubbard_u_ev and the keyword 'hubbard_u' say the same; give one of them")
    for element in elements:
        found = shell_of(element, params.hubbard_u_ev)
        if found is None:
            continue
        path = family.path(element)
        momenta = cached_momenta(path)
        if "spdf".index(found[0][1]) not in momenta:
            has = ", ".join(sorted("spdf"[momentum] for momentum in momenta)) or "none"
            raise UserError(
                f"hubbard_u_ev: {path.name} has no atomic orbital of {element}-{found[0]} to count "
                f"electrons with (orbitals: {has}); take another family of pseudopotentials"
            )


def _check_relativity(params: EspressoParams, headers: Mapping[str, Header]) -> None:
    """Refuse what pw.x would compute without spin-orbit coupling, or not at all."""
    raw = params.params.get("lspinorb") is True
    if params.spin_orbit:
        without = [e for e, header in headers.items() if header.relativity != "full"]
        if without:
            raise UserError(
                f"spin_orbit: the pseudopotential of {', '.join(without)} in the family "
                f"'{params.pseudopotentials}' is not fully relativistic, and pw.x would leave the "
                'coupling out without a word; take a family with relativistic="full" for every '
                "element (PseudoDojo FR, PSlibrary rel-*)"
            )
    elif not raw:
        only = [
            element
            for element, header in headers.items()
            if header.relativity == "full" and header.kind != "norm-conserving"
        ]
        if only:
            raise UserError(
                f"the pseudopotential of {', '.join(only)} in the family "
                f"'{params.pseudopotentials}' is fully relativistic, which pw.x takes with "
                "spin_orbit: true only; give that, or another family"
            )
