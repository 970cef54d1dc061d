"""Theoretical capacity of a host of working ions, and its energy at a given voltage.

Charge by Faraday's law: F = 96485.33212 C/mol, CODATA 2018, doi:10.1103/RevModPhys.93.025010. How
many ions can be exchanged, from oxidation states: `runner.crystal.redox`. Insertion is not counted
unless it is asked for: LiCoO2 has 273.8 mAh/g by extraction, and twice that with an insertion for
which it has no place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from runner.crystal.compositions import Compositions, compositions
from runner.crystal.elements import ATOMIC_NUMBERS, masses_g_per_mol, of_elements
from runner.crystal.redox import REDOX_ACTIVE, Host, Redox
from runner.crystal.remarks import first_of, texts_where, together
from schemas.columns import Column
from schemas.model import Model
from schemas.protocols import Scorer, Surroundings

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

FARADAY_MAH_PER_MOL = 96485.33212 / 3.6
ION_CHARGES = {"Li": 1, "Na": 1, "K": 1, "Mg": 2, "Ca": 2, "Zn": 2, "Al": 3}
INACTIVE = "no redox-active element"
STRUCTURE = "structure"
Limit = Annotated[int, Field(ge=1, le=8)]


class CapacityParams(Model):
    """Which ion moves, which way, between which states, and at which voltage."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"ion": "Li", "highest_states": {"Co": 4, "Fe": 3}, "voltage_v": 3.7}]
        }
    )

    ion: Literal["Li", "Na", "K", "Mg", "Ca", "Zn", "Al"] = Field(
        default="Li", description="The working ion, in its usual charge."
    )
    direction: Literal["extraction", "insertion", "both"] = Field(
        default="extraction",
        description="Count ions that can leave, that can come in (whether or not there is a place "
        "for them), or both. Insertion counts the mass of the ions that come in.",
    )
    redox_active: tuple[str, ...] = Field(
        default=REDOX_ACTIVE, description="Elements whose oxidation state changes."
    )
    highest_states: dict[str, Limit] = Field(
        default_factory=dict,
        description="States up to which extraction oxidises, where lower than the highest known: "
        "{Co: 4, Mn: 4}.",
    )
    lowest_states: dict[str, Limit] = Field(
        default_factory=dict,
        description="States down to which insertion reduces, where other than 2 or the next known "
        "above it (1 for Cu).",
    )
    density_from: str | None = Field(
        default=None,
        description="For values by volume: `structure` for the cell as generated, or an earlier "
        "column in g/cm3, as density_g_per_cm3.",
    )
    voltage_v: float | None = Field(
        default=None, ge=0.0, description="Mean voltage, for energies, in volt."
    )
    voltage_column: str | None = Field(
        default=None, description="An earlier column with the mean voltage in volt."
    )

    @field_validator("highest_states", "lowest_states")
    @classmethod
    def _of_elements(cls, states: dict[str, int]) -> dict[str, int]:
        return of_elements(states)

    @field_validator("redox_active")
    @classmethod
    def _elements(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(of_elements(dict.fromkeys(symbols)))

    @model_validator(mode="after")
    def _one_voltage(self) -> Self:
        if self.voltage_v is not None and self.voltage_column is not None:
            raise ValueError("voltage_v and voltage_column are given; give one of them")
        return self

    @property
    def has_voltage(self) -> bool:
        """Whether energies are asked for."""
        return self.voltage_v is not None or self.voltage_column is not None


class Capacity:
    """Computes theoretical capacities; see `schemas.protocols.Score`."""

    params = CapacityParams
    version = 1

    def columns(self, params: CapacityParams) -> tuple[Column, ...]:
        """Return capacities, and energies where there is a voltage."""
        columns = [
            Column(
                "capacity_mah_per_g",
                "float",
                f"Charge of the {params.ion} ions that can be exchanged, by mass.",
                "mAh/g",
            ),
            Column("exchanged_ions", "float", "Ions by reduced formula unit that it counts."),
            Column(
                "redox_state",
                "float",
                "Mean oxidation state of the redox-active elements, in the composition as given.",
            ),
        ]
        if params.density_from:
            columns.append(
                Column("capacity_mah_per_cm3", "float", "The same, by volume as given.", "mAh/cm3")
            )
        if params.has_voltage:
            columns.append(
                Column("specific_energy_wh_per_kg", "float", "Capacity times voltage.", "Wh/kg")
            )
        if params.has_voltage and params.density_from:
            columns.append(
                Column("energy_density_wh_per_l", "float", "The same, by volume.", "Wh/l")
            )
        return tuple(columns)

    def requires(self, params: CapacityParams) -> tuple[str, ...]:
        """Return the columns of the composition, and those that the params name."""
        named = (params.density_from, params.voltage_column)
        return ("elements", "amounts", *(name for name in named if name))

    def seconds(self, params: CapacityParams) -> float:
        """Return the time of one row."""
        return 3e-6

    def files(self, params: CapacityParams, surroundings: Surroundings) -> dict[str, str]:
        """Return nothing: values follow from the params."""
        return {}

    def scorer(self, params: CapacityParams, surroundings: Surroundings) -> Scorer:
        """Return the function that scores batches, all rows at once."""
        host = Host(
            params.ion,
            ION_CHARGES[params.ion],
            active=params.redox_active,
            lowest_states=params.lowest_states,
            highest_states=params.highest_states,
        )

        def score(batch: pa.RecordBatch) -> pa.RecordBatch:
            held = compositions(batch)
            return _batch(batch, held, host.redox(held), params)

        return score


plugin = Capacity()


def _batch(
    batch: pa.RecordBatch, held: Compositions, redox: Redox, params: CapacityParams
) -> pa.RecordBatch:
    import numpy as np
    import pyarrow as pa

    values, unknown = _values(batch, held, redox, params)
    wrong = ~held.valid
    inactive = texts_where((redox.active == 0) & ~wrong, INACTIVE)
    notes = together(
        first_of(redox.notes, inactive),
        *(texts_where(lacking & ~wrong, f"no {what}") for what, lacking in unknown.items()),
    )
    return pa.record_batch(
        {
            **{
                name: pa.array(numbers, mask=wrong | ~np.isfinite(numbers))
                for name, numbers in values.items()
            },
            "note": notes,
            "error": held.errors,
        }
    )


def _values(
    batch: pa.RecordBatch, held: Compositions, redox: Redox, params: CapacityParams
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.bool_]]]:
    """Return the columns, NaN where not known, and which rows lack a density or a voltage."""
    import numpy as np

    extracted, inserted = _exchanged(redox, params)
    mass = held.weighted(masses_g_per_mol())
    mah = (extracted + inserted) * ION_CHARGES[params.ion] * FARADAY_MAH_PER_MOL
    by_mass = mah / (mass + inserted * masses_g_per_mol()[ATOMIC_NUMBERS[params.ion]])
    with np.errstate(divide="ignore", invalid="ignore"):
        state = np.where(redox.active > 0, redox.charge / redox.active, np.nan)
    values = {
        "capacity_mah_per_g": by_mass,
        "exchanged_ions": (extracted + inserted) / _formula_units(held),
        "redox_state": state,
    }
    unknown: dict[str, NDArray[np.bool_]] = {}
    voltage = _voltage(batch, params)
    if params.density_from:
        density = _density(batch, params.density_from, mass)
        values["capacity_mah_per_cm3"] = mah / mass * density
        unknown["density"] = np.isnan(density)
    if params.has_voltage:
        values["specific_energy_wh_per_kg"] = by_mass * voltage
        unknown["voltage"] = np.isnan(voltage)
    if params.has_voltage and params.density_from:
        values["energy_density_wh_per_l"] = values["capacity_mah_per_cm3"] * voltage
    return values, unknown


def _exchanged(
    redox: Redox, params: CapacityParams
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ions of a cell that leave, and those that come in."""
    import numpy as np

    charge = ION_CHARGES[params.ion]
    extracted = np.clip((redox.highest - redox.charge) / charge, 0.0, redox.ions)
    inserted = np.maximum((redox.charge - redox.lowest) / charge, 0.0)
    if params.direction == "extraction":
        inserted = inserted * 0.0  # NaN stays
    elif params.direction == "insertion":
        extracted = extracted * 0.0
    return extracted, inserted


def _formula_units(held: Compositions) -> NDArray[np.int64]:
    import numpy as np

    if not len(held.atoms):
        return np.ones(len(held), np.int64)
    units: NDArray[np.int64] = np.gcd.reduceat(held.atoms, held.starts[:-1])
    return np.maximum(units, 1)


def _density(
    batch: pa.RecordBatch, name: str, mass_g_per_mol: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return densities in g/cm3, NaN where there is none."""
    if name != STRUCTURE:
        return _floats(batch[name])
    from runner.crystal.cells import arrays
    from runner.crystal.volumes import G_PER_CM3, volumes_ang3

    densities: NDArray[np.float64] = mass_g_per_mol / volumes_ang3(arrays(batch[name])) * G_PER_CM3
    return densities


def _voltage(batch: pa.RecordBatch, params: CapacityParams) -> NDArray[np.float64]:
    import numpy as np

    if params.voltage_column:
        return _floats(batch[params.voltage_column])
    return np.full(batch.num_rows, np.nan if params.voltage_v is None else params.voltage_v)


def _floats(column: pa.Array) -> NDArray[np.float64]:
    import numpy as np
    import pyarrow as pa

    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
