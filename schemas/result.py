"""What one finished calculation brings home."""

from pydantic import Field

from schemas.model import JsonValue, Model
from schemas.structure import Structure


class Correction(Model):
    """One change that recovery made, in the words of the result row."""

    failure: str
    action: str
    parameter: str | None = Field(
        default=None, description="What was changed, as the engine calls it."
    )
    before: JsonValue = None
    after: JsonValue = None


class Result(Model):
    """Values by column name, the final structure, and what produced them."""

    values: dict[str, JsonValue] = Field(
        description="By the names of the engine's columns; NaN is never stored, absent is None."
    )
    structure: Structure | None = Field(default=None, description="The structure at the end.")
    program: str = Field(description="Program and version as the program says it, `PWSCF 6.7MaX`.")
    products: dict[str, str] = Field(
        default_factory=dict,
        description="Role -> path relative to the run directory: what later stages can use.",
    )
