"""The cells of ledger documents as canonical JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from runner.export.arrays import array
from runner.export.fields import Values
from runner.export.json_arrays import json_texts
from runner.export.rows import NameOf
from schemas.columns import Column
from schemas.errors import UserError

_CHARGE = Column("charge", "float", "")
_FIELDS = ("charge", "frac_coords", "lattice_ang", "moments_bohr", "species")
"""In the order of canonical JSON."""
_AXES = 3


def structure_texts(structures: Values, name_of: NameOf) -> pa.Array:
    """Return cells as JSON, their vectors as rows of three; null where there is none.

    Raises
    ------
    UserError
        For a cell without vectors or species; `name_of` says whose the n-th is.
    """
    inner = structures.inner(_FIELDS)
    vectors = {name: json_texts(inner[name], _AXES) for name in ("frac_coords", "lattice_ang")}
    pieces = {
        "charge": _charges(inner["charge"]),
        **vectors,
        "moments_bohr": pc.fill_null(json_texts(inner["moments_bohr"]), "null"),
        "species": json_texts(inner["species"]),
    }
    joined: list[Any] = []
    for name in _FIELDS:
        joined += [f'{"," if joined else "{"}"{name}":', pieces[name]]
    texts = pc.binary_join_element_wise(*joined, "}", "")
    (broken,) = np.nonzero(texts.is_null().to_numpy(zero_copy_only=False) & ~structures.is_null)
    if len(broken):
        raise UserError(f"{name_of(int(broken[0]))}: the structure has no vectors or no species")
    return texts


def _charges(charges: Values) -> pa.Array:
    """Return charges as JSON; one that is not given is zero."""
    numbers = pc.fill_null(array(charges, _CHARGE, str), 0.0)
    coded = numbers.dictionary_encode()
    found = [orjson.dumps(number).decode() for number in coded.dictionary.to_pylist()]
    return pa.array(found, pa.string()).take(coded.indices)
