"""What the elements cost, how rare and how toxic they are; sources and dates: `supply.csv`."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from runner.crystal.elements import ATOMIC_NUMBERS, SYMBOLS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TABLE = Path(__file__).with_name("supply.csv")
HARMLESS = 4
"""Stands for `low` and `none` in the column of classes."""
RADIOACTIVE = frozenset({"Tc", "Pm", *SYMBOLS[ATOMIC_NUMBERS["Po"] - 1 :]})
"""Elements of which no isotope lives as long as the Earth, thorium and uranium too; bismuth, of
2e19 years, is not among them: NUBASE2020, doi:10.1088/1674-1137/abddae."""


@dataclass(frozen=True)
class Supply:
    """By atomic number (119,), NaN where it is not known."""

    price_usd_per_kg: NDArray[np.float64]
    crust_mg_per_kg: NDArray[np.float64]
    toxicity_class: NDArray[np.float64]
    radioactive: NDArray[np.float64]


@cache
def supply() -> Supply:
    """Return the table, read once."""
    import numpy as np

    prices, crust, classes, radioactive = (np.full(len(SYMBOLS) + 1, np.nan) for _ in range(4))
    with TABLE.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(line for line in lines if not line.startswith("#")):
            number = ATOMIC_NUMBERS[row["symbol"]]
            prices[number] = float(row["price_usd_per_kg"] or "nan")
            crust[number] = float(row["crust_mg_per_kg"] or "nan")
            toxicity = row["toxicity_class"] or "nan"
            classes[number] = HARMLESS if toxicity in {"low", "none"} else float(toxicity)
    for number, symbol in enumerate(SYMBOLS, start=1):
        radioactive[number] = symbol in RADIOACTIVE
    return Supply(prices, crust, classes, radioactive)


def table_hash() -> str:
    """Return the SHA-256 of the table."""
    return sha256(TABLE.read_bytes()).hexdigest()
