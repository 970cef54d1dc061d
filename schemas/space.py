"""`space`: where candidates come from."""

from pydantic import Field

from schemas.block import Block


class SpaceEntry(Block):
    """One generator; its own settings stand beside `kind`."""

    kind: str = Field(description="Name of the generator.")
