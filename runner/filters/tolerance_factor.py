"""Goldschmidt's tolerance factor and the octahedral factor of perovskites ABX3.

t = (r_A + r_X) / (sqrt(2) (r_B + r_X)), Goldschmidt, Naturwissenschaften 14, 477 (1926),
doi:10.1007/BF01507527, with the effective ionic radii of Shannon, Acta Cryst. A32, 751 (1976),
doi:10.1107/S0567739476001551.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field, field_validator

from runner.crystal.elements import symbol_problem
from runner.crystal.oxidation import Oxidation, StateTable, oxidation
from runner.crystal.radii import ROMAN, Spin, ion_name, ionic_radius_ang
from schemas.columns import Column
from schemas.model import Model
from schemas.protocols import Scorer, Surroundings

if TYPE_CHECKING:
    import pyarrow as pa

Label: TypeAlias = Literal["A", "B", "X"]
Coordination = Annotated[int, Field(ge=1, le=14)]
LABELS: tuple[Label, ...] = ("A", "B", "X")
COORDINATION: Mapping[Label, int] = {"A": 12, "B": 6, "X": 6}


class ToleranceFactorParams(Model):
    """Which radii are taken."""

    states: StateTable = Field(
        default="common",
        description="Oxidation states from which the charges of the ions are found.",
    )
    spin: Spin = Field(
        default="high", description="Spin state, where Shannon gives a radius for each."
    )
    coordination: dict[Label, Coordination] = Field(
        default_factory=dict,
        description="Coordination numbers of the radii, where others than A: 12, B: 6, X: 6.",
    )
    sites: dict[Label, str] = Field(
        default_factory=dict,
        description="The space's labels of A, B and X, where they are others: {A: A1}.",
    )

    @field_validator("coordination")
    @classmethod
    def _tabulated(cls, coordination: dict[Label, int]) -> dict[Label, int]:
        for number in coordination.values():
            if number not in ROMAN:
                raise ValueError(f"no radii are known for coordination {number}")
        return coordination


class ToleranceFactor:
    """Scores ABX3 candidates whose generator labels sites; see `schemas.protocols.Score`."""

    params = ToleranceFactorParams
    version = 1

    def columns(self, params: ToleranceFactorParams) -> tuple[Column, ...]:
        """Return the columns `tolerance_factor` and `octahedral_factor`."""
        return (
            Column(
                "tolerance_factor",
                "float",
                "(r_A + r_X) / (sqrt(2) (r_B + r_X)); null where a radius is not known.",
            ),
            Column("octahedral_factor", "float", "r_B / r_X; null where a radius is not known."),
        )

    def requires(self, params: ToleranceFactorParams) -> tuple[str, ...]:
        """Return the columns of composition and sites."""
        return ("elements", "amounts", "sites")

    def seconds(self, params: ToleranceFactorParams) -> float:
        """Return the time of one row: so little that nothing is gained by keeping values."""
        return 1e-5

    def files(self, params: ToleranceFactorParams, surroundings: Surroundings) -> dict[str, str]:
        """Return nothing: values follow from the params."""
        return {}

    def scorer(self, params: ToleranceFactorParams, surroundings: Surroundings) -> Scorer:
        """Return the function that scores batches; radii are looked up once per ion."""
        factors = _Factors(
            rules=oxidation(params.states, ordered=False, mixed_valence=False),
            sites={label: params.sites.get(label, label) for label in LABELS},
            coordination={**COORDINATION, **params.coordination},
            spin=params.spin,
        )

        def score(batch: pa.RecordBatch) -> pa.RecordBatch:
            import pyarrow as pa

            rows = [
                (None, None, None, problem)
                if (problem := symbol_problem(elements))
                else (*factors.of(elements, amounts, sites), None)
                for elements, amounts, sites in zip(
                    batch["elements"].to_pylist(),
                    batch["amounts"].to_pylist(),
                    batch["sites"].to_pylist(),
                    strict=True,
                )
            ]
            return pa.record_batch(
                {
                    "tolerance_factor": pa.array([row[0] for row in rows], pa.float64()),
                    "octahedral_factor": pa.array([row[1] for row in rows], pa.float64()),
                    "note": pa.array([row[2] for row in rows], pa.string()),
                    "error": pa.array([row[3] for row in rows], pa.string()),
                }
            )

        return score


plugin = ToleranceFactor()

_Row: TypeAlias = tuple[float | None, float | None, str | None]


@dataclass(frozen=True)
class _Factors:
    rules: Oxidation
    sites: Mapping[Label, str]
    coordination: Mapping[Label, int]
    spin: Spin

    def of(self, elements: list[str], amounts: list[float], sites: str | None) -> _Row:
        """Return both factors of one candidate, or why they cannot be known."""
        held = json.loads(sites) if sites else {}
        ions: list[str] = [held[site] for site in self.sites.values() if site in held]
        if len(ions) < len(LABELS):
            return None, None, f"no sites {', '.join(self.sites.values())}"
        answer = self.rules.assign(elements, [round(amount) for amount in amounts])
        if not answer.neutral:
            return None, None, answer.note or "no oxidation states make it neutral"
        states = [answer.state(symbol) for symbol in ions]
        a, b, x = states
        if a is None or b is None or x is None or a * b <= 0 or a * x >= 0:
            names = ", ".join(
                ion_name(symbol, state or 0) for symbol, state in zip(ions, states, strict=True)
            )
            return None, None, f"the ions {names} make no perovskite: X must oppose A and B"
        return self._ratio(ions, (a, b, x))

    def _ratio(self, symbols: list[str], states: tuple[int, int, int]) -> _Row:
        radii: list[float] = []
        for label, symbol, state in zip(LABELS, symbols, states, strict=True):
            radius = ionic_radius_ang(symbol, state, self.coordination[label], self.spin)
            if radius is None:
                coordination = ROMAN[self.coordination[label]]
                ion = ion_name(symbol, state)
                return None, None, f"no Shannon radius of {ion} in coordination {coordination}"
            radii.append(radius)
        a, b, x = radii
        return (a + x) / (sqrt(2.0) * (b + x)), b / x, None
