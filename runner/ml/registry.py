"""All models by name: those that are built in, and those of other distributions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from runner.ml.chgnet import FILES as CHGNET_VERSIONS
from runner.ml.chgnet import Chgnet
from runner.ml.protocol import ENERGY, MaterialsModel, PotentialModel
from runner.ml.sevennet import FILES as SEVENNET_VARIANTS
from runner.ml.sevennet import Sevennet
from schemas.errors import UserError, suggestion
from schemas.models import ModelEntry, Models

GROUP = "matcampaign.models"
"""The entry points by which other distributions add models."""

_VERSIONS: tuple[PotentialModel, ...] = (
    *(Chgnet(version) for version in CHGNET_VERSIONS),
    *(Sevennet(variant) for variant in SEVENNET_VARIANTS),
)
BUILT_IN: Mapping[str, PotentialModel] = MappingProxyType(
    {model.record.name: model for model in _VERSIONS}
)

ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "alignn": "pip install alignn, and the folder of one of its trained models "
        "(mp_e_form_alignn: config.json and checkpoint_300.pt)",
        "m3gnet": "pip install matgl, and the folder of M3GNet-MP-2021.2.8-PES "
        "(model.json, model.pt, state.pt)",
        "megnet": "pip install matgl, and the folder of MEGNet-MP-2018.6.1-Eform "
        "(model.json, model.pt, state.pt)",
    }
)
"""Models that people ask for whose packages ship no weights, and what they need."""


class UnknownModel(UserError):
    """A name that is no model here."""


@cache
def _entry_points() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def names() -> tuple[str, ...]:
    """Return the names of all models, sorted; imports none of them."""
    return tuple(sorted({*BUILT_IN, *_entry_points()}))


def get(name: str) -> MaterialsModel:
    """Return the model of that name, installed or not.

    Raises
    ------
    UnknownModel
        For a name that is not known, or whose distribution is broken.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    if name in _entry_points():
        return _loaded(name, _entry_points()[name])
    if name in ELSEWHERE:
        raise UnknownModel(
            f"no package here provides the model '{name}' by the entry point {GROUP} (see "
            f"docs/models.md); such a package needs: {ELSEWHERE[name]}"
        )
    raise UnknownModel(f"no model '{name}'{suggestion(name, names())}")


def _loaded(name: str, point: EntryPoint) -> MaterialsModel:
    try:
        model = point.load()
    except (ImportError, AttributeError) as error:
        raise UnknownModel(
            f"model '{name}' cannot be loaded from {point.value}: {error}; is a package missing?"
        ) from error
    if not isinstance(model, MaterialsModel):
        raise UnknownModel(
            f"model '{name}': {point.value} is no model, it lacks some of "
            "record, missing, weights, setup (see docs/models.md)"
        )
    return model


def energy_models() -> tuple[str, ...]:
    """Return the names of models that give energies, sorted; broken ones are left out."""
    found = []
    for name in names():
        try:
            model = get(name)
        except UnknownModel:
            continue
        if any(column.name == ENERGY for column in model.record.columns):
            found.append(name)
    return tuple(found)


def listing() -> Models:
    """Return what there is, what is missing, and what is known of each."""
    from runner.ml.devices import description

    entries = [_entry(name) for name in names()]
    absent = [
        ModelEntry(name=name, installed=False, problem=f"needs a package: {needs}")
        for name, needs in ELSEWHERE.items()
        if name not in names()
    ]
    return Models(device=description(), models=(*entries, *absent))


def _entry(name: str) -> ModelEntry:
    try:
        model = get(name)
        problem = model.missing()
        weights = {} if problem else dict(model.weights())
    except UserError as error:
        return ModelEntry(name=name, installed=False, problem=str(error))
    record = model.record
    return ModelEntry(
        name=name,
        installed=problem is None,
        problem=problem,
        version=record.version,
        method_key=record.method_key,
        description=record.description,
        citation=record.citation,
        licence=record.licence,
        columns=tuple(column.name for column in record.columns),
        relaxes=isinstance(model, PotentialModel),
        n_elements=len(record.domain.elements),
        weights=weights,
    )
