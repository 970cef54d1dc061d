from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import ValidationError

from runner.filters.expression import ExpressionParams, plugin
from schemas.protocols import Surroundings

HERE = Surroundings(folder=Path(), seed=0)


def test_arithmetic_over_columns_is_a_column_and_null_where_one_of_them_is() -> None:
    params = ExpressionParams(of="energy - 2 * spread")
    assert plugin.requires(params) == ("energy", "spread")
    batch = pa.record_batch({"energy": [1.0, 2.0, None], "spread": [0.25, None, 1.0]})
    scored = plugin.scorer(params, HERE)(batch)
    assert scored["expression"].to_pylist() == [0.5, None, None]
    assert scored["error"].null_count == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [("energy > 1", "is no number"), ("energy +", "ends too early"), ("'a'", "is no number")],
)
def test_what_is_no_number_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ExpressionParams(of=text)
