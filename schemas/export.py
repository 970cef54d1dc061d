"""`export`: where result tables are published."""

from pydantic import Field

from schemas.model import Model


class Export(Model):
    """Where the tables go."""

    to: str = Field(
        default="results/",
        min_length=1,
        description="Folder, starting at this file, or s3://bucket/prefix.",
    )
