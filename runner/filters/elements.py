"""What the elements of a composition cost, how rare, how toxic and whether radioactive they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import ConfigDict, Field, field_validator

from runner.crystal.compositions import Compositions, compositions
from runner.crystal.elements import ATOMIC_NUMBERS, SYMBOLS, masses_g_per_mol, of_elements
from runner.crystal.remarks import coded_texts, texts_where, together
from runner.crystal.supply import HARMLESS, supply, table_hash
from schemas.columns import Column
from schemas.model import Model
from schemas.protocols import Scorer, Surroundings

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

Price = Annotated[float, Field(ge=0.0)]


class ElementsParams(Model):
    """Prices other than those of the table."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"prices_usd_per_kg": {"Li": 12.0, "Co": 33.0}}]}
    )

    prices_usd_per_kg: dict[str, Price] = Field(
        default_factory=dict,
        description="Prices of elements, in USD per kg, in place of those of the table, which are "
        "of 1999 to 2020: {Li: 12}.",
    )

    @field_validator("prices_usd_per_kg")
    @classmethod
    def _of_elements(cls, prices: dict[str, float]) -> dict[str, float]:
        return of_elements(prices)


class Elements:
    """Looks up tables whose sources and dates stand in them; see `schemas.protocols.Score`."""

    params = ElementsParams
    version = 1

    def columns(self, params: ElementsParams) -> tuple[Column, ...]:
        """Return cost, abundance, toxicity and radioactivity."""
        return (
            Column(
                "element_cost_usd_per_kg",
                "float",
                "Price of the elements in one kg; null where one has no price.",
                "USD/kg",
            ),
            Column("rarest_element", "text", "The element that is rarest in the Earth's crust."),
            Column(
                "rarest_element_ppm",
                "float",
                "Its abundance in the Earth's crust, mg per kg; null where one is not known.",
                "mg/kg",
            ),
            Column(
                "toxicity_class",
                "int",
                "Most severe class of the elements in ICH Q3D(R2): 1 (As, Cd, Hg, Pb), 2, 3, or 4 "
                "for none of them; null where it hangs on an element that is not assessed.",
            ),
            Column("radioactive", "bool", "An element has no isotope as old as the Earth, or is "
                   "thorium or uranium."),
        )  # fmt: skip

    def requires(self, params: ElementsParams) -> tuple[str, ...]:
        """Return the columns of the composition."""
        return ("elements", "amounts")

    def seconds(self, params: ElementsParams) -> float:
        """Return the time of one row."""
        return 1e-6

    def files(self, params: ElementsParams, surroundings: Surroundings) -> dict[str, str]:
        """Return the hash of the table."""
        return {"supply.csv": table_hash()}

    def scorer(self, params: ElementsParams, surroundings: Surroundings) -> Scorer:
        """Return the function that scores batches, all rows at once."""
        prices = supply().price_usd_per_kg.copy()
        for symbol, price in params.prices_usd_per_kg.items():
            prices[ATOMIC_NUMBERS[symbol]] = price

        def score(batch: pa.RecordBatch) -> pa.RecordBatch:
            return _score(compositions(batch), prices)

        return score


plugin = Elements()


def _score(held: Compositions, prices: NDArray[np.float64]) -> pa.RecordBatch:
    import numpy as np
    import pyarrow as pa

    tables = supply()
    masses = masses_g_per_mol()
    cost = held.weighted(prices * masses) / held.weighted(masses)
    rarest = held.table(tables.crust_mg_per_kg, np.minimum)
    classes = tables.toxicity_class
    known = held.table(np.nan_to_num(classes, nan=HARMLESS), np.minimum)
    severe = np.where(np.isnan(held.table(classes, np.minimum)) & (known > 1), np.nan, known)
    notes = together(
        held.missing(~np.isnan(prices), "no price of"),
        held.missing(~np.isnan(tables.crust_mg_per_kg), "no abundance of"),
        texts_where(np.isnan(severe), held.missing(~np.isnan(classes), "ICH Q3D does not assess")),
    )
    wrong = ~held.valid
    return pa.record_batch(
        {
            "element_cost_usd_per_kg": pa.array(cost, mask=wrong | np.isnan(cost)),
            "rarest_element": _rarest(held, rarest),
            "rarest_element_ppm": pa.array(rarest, mask=wrong | np.isnan(rarest)),
            "toxicity_class": pa.array(
                np.nan_to_num(severe).astype(np.int64), mask=wrong | np.isnan(severe)
            ),
            "radioactive": pa.array(held.table(tables.radioactive, np.maximum) == 1, mask=wrong),
            "note": notes,
            "error": held.errors,
        }
    )


def _rarest(held: Compositions, least: NDArray[np.float64]) -> pa.StringArray:
    """Return the symbol of the first element with the least abundance, null where that is NaN."""
    import numpy as np

    owner = np.repeat(np.arange(len(held)), np.diff(held.starts))
    has_it = np.flatnonzero(supply().crust_mg_per_kg[held.numbers] == least[owner])[::-1]
    codes = np.full(len(held), -1, np.int64)
    codes[owner[has_it]] = held.numbers[has_it]
    return coded_texts(codes, lambda number: SYMBOLS[number - 1])
