"""Where the energies of candidates and of references come from: keys that scores share."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.errors import UserError
from schemas.filters import ColumnName
from schemas.model import Model


class EnergyParams(Model):
    """One method for candidates and references alike; others are refused."""

    model: str | None = Field(
        default=None,
        description="Model that gives the energies: of the candidates, unless `energy` names a "
        "column of them, and of the structures under `references`, unless `entries` names a file.",
    )
    relax: bool = Field(
        default=False,
        description="Relax the cells of candidates before the model is asked for their energies.",
    )
    relax_references: bool = Field(
        default=True,
        description="Relax the reference structures, once, before the model is asked. Unrelaxed "
        "ones lie too high, and candidates then look more stable than they are.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where the model runs; auto takes a GPU where there is one."
    )
    energy: ColumnName | None = Field(
        default=None, description="Column with the candidates' energies, in eV/atom."
    )
    method: str | None = Field(
        default=None,
        min_length=1,
        description="Method key of the column `energy`: model and version (chgnet-0.3.0), or code, "
        "functional and family of pseudopotentials. That of the references must be the same.",
    )
    entries: str | None = Field(
        default=None,
        min_length=1,
        description="File of reference energies (.json, .csv or .parquet, relative to the campaign "
        "file): formula, energy_ev_per_atom (or energy_ev), method.",
    )

    @model_validator(mode="after")
    def _one_source_each(self) -> Self:
        if self.energy is None and self.model is None:
            raise ValueError(
                "no energies of candidates: give `model`, or a column by `energy` and its `method`"
            )
        if self.entries is None and self.model is None:
            raise ValueError(
                "no energies of references: give a file of them by `entries`, or `model` for the "
                "structures under `references`"
            )
        if (self.energy is None) != (self.method is None):
            raise ValueError("`energy` and `method` come together: a column and its method key")
        if self.energy is not None and self.relax:
            raise ValueError("`relax` is for energies of a model; the column `energy` is there")
        if self.model is not None and self.method not in (None, key := _key(self.model)):
            raise ValueError(
                f"mixes methods: the column {self.energy} is '{self.method}', the model '{key}'; "
                "energies of different methods have different zeros and cannot be compared"
            )
        return self

    @property
    def method_key(self) -> str:
        """The method key of the candidates' energies."""
        if self.method is not None:
            return self.method
        if self.model is None:  # cannot be: the validator refuses it
            raise ValueError("no method")
        return _key(self.model)


def _key(model: str) -> str:
    from runner.ml import energies

    try:
        return energies.method_key(model)
    except UserError as error:
        raise ValueError(str(error)) from error
