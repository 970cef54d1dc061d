"""Params in which nothing depends on the structure or the site any more."""

from __future__ import annotations

from fireworks_ext.engines.espresso import pseudopotentials
from fireworks_ext.engines.espresso.keywords import split_index
from fireworks_ext.engines.espresso.params import EspressoParams
from fireworks_ext.engines.espresso.pseudopotentials import InstalledFamily
from schemas.errors import UserError
from schemas.profile import Site
from schemas.structure import Structure

NORM_CONSERVING_DUAL = 4.0  # exact: the density has twice the largest wavevector
ULTRASOFT_DUAL = 8.0  # pw.x, INPUT_PW: "8 to 12 times" for ultrasoft


def resolve(structure: Structure, params: EspressoParams, site: Site) -> EspressoParams:
    """Return params with cutoffs, valences and moments filled in.

    Raises
    ------
    UserError
        When the family lacks an element or a measured cutoff, when spin is asked for without
        moments, or when there is no k-mesh.
    """
    family = pseudopotentials.load(params.pseudopotentials, site)
    headers = {element: family.header(element) for element in structure.elements}
    if params.kmesh is None and params.kspacing_per_ang is None:
        raise UserError("give kspacing_per_ang, or kmesh, or a protocol that sets the spacing")
    ecutwfc, ecutrho = _cutoffs(structure, params, family)
    _check_indices(params)
    moments = _moments(structure, params)
    return params.model_copy(
        update={
            "ecutwfc_ry": ecutwfc,
            "ecutrho_ry": ecutrho,
            "valences": {element: header.valence for element, header in headers.items()},
            "moments_bohr": moments,
            "spin": "none" if moments is None else "collinear",
            "hubbard_u_ev": {
                element: u for element, u in params.hubbard_u_ev.items() if element in headers
            },
        }
    )


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


def _moments(
    structure: Structure, params: EspressoParams
) -> dict[str, float] | tuple[float, ...] | None:
    """Return the starting moments, or None where all are 0: that start stays without spin."""
    if params.spin == "none":
        return None
    given = params.moments_bohr
    if given is None:
        given = structure.moments_bohr
    if given is None:
        if any(split_index(name)[0] == "starting_magnetization" for name in params.params):
            return dict.fromkeys(structure.elements, 0.0)
        raise UserError(
            "spin: collinear needs starting moments: give moments_bohr by element, as in "
            "{Fe: 3.0}, or a structure that has them; without them it would stay non-magnetic"
        )
    if isinstance(given, dict):
        here = {element: given[element] for element in structure.elements if given.get(element)}
        return here or None
    if len(given) != structure.n_atoms:
        raise UserError(f"moments_bohr: {len(given)} moments for {structure.n_atoms} sites")
    return given if any(given) else None


def _check_indices(params: EspressoParams) -> None:
    """Refuse raw keywords by species of pw.x beside what makes the species split."""
    if params.hubbard_u_ev and any(
        split_index(name)[0] in {"hubbard_u", "lda_plus_u"} for name in params.params
    ):
        raise UserError("hubbard_u_ev and the keyword 'hubbard_u' say the same; give one of them")
