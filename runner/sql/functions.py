"""The scalar functions that give Athena's answer, each with the DuckDB expression that does.

A function that is in no table here is refused. What is known to differ has its own hint in
`hints.py`. Semantics: https://trino.io/docs/current/functions.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.sql import conditionals, rows
from runner.sql.arrays import ARRAYS
from runner.sql.date_formats import DATE_FORMATS
from runner.sql.dates import DATES
from runner.sql.jsons import JSONS
from runner.sql.kinds import Typed
from runner.sql.maps import MAPS
from runner.sql.numbers import NUMBERS, SPECIAL_NUMBERS, rounded
from runner.sql.overloads import Overload, Special, chosen
from runner.sql.patterns import PATTERNS
from runner.sql.texts import SPECIAL_TEXTS, TEXTS

_SPECIAL: Mapping[str, Special] = {
    "coalesce": conditionals.coalesce,
    "greatest": conditionals.extreme,
    "if": conditionals.choice,
    "least": conditionals.extreme,
    "nullif": conditionals.nullif,
    "row": rows.made,
    **ARRAYS,
    **DATES,
    **DATE_FORMATS,
    **JSONS,
    **MAPS,
    **PATTERNS,
    **SPECIAL_NUMBERS,
    **SPECIAL_TEXTS,
}
_OVERLOADS: Mapping[str, tuple[Overload, ...]] = {**NUMBERS, **TEXTS}
SCALARS = frozenset({*_SPECIAL, *_OVERLOADS})
"""Names of the scalar functions."""


def call(name: str, args: Sequence[Typed]) -> Typed:
    """Return a scalar function call, given its arguments.

    Raises
    ------
    Refused
        When no signature fits the types of the arguments.
    """
    found = rounded(name, args)
    if found is not None:
        return found
    if name in _SPECIAL:
        return _SPECIAL[name](name, args)
    return chosen(name, _OVERLOADS[name], args)
