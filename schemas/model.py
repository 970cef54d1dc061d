"""The base of every model: frozen, and refusing keys that it does not know."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, JsonValue, StringConstraints

__all__ = ["JsonValue", "Model", "Name"]


class Model(BaseModel):
    """A value that is read from a file or stored; it never changes after it was made."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""A name that ends up in databases, folders and SQL: small letters, digits, dashes."""
