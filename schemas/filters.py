"""`filters`: what candidates have to pass before anything expensive is computed."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from schemas.block import Block

ColumnName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""The name of a column in expressions and in SQL."""


class FilterStep(Block):
    """One step: a score (its settings stand beside it), a condition, or the best N.

    `top`, `pareto` and `distinct` are steps of their own: what becomes of a candidate depends on
    the others.
    """

    score: str | None = Field(default=None, description="Name of the score that is computed.")
    as_: ColumnName | dict[ColumnName, ColumnName] | None = Field(
        default=None,
        alias="as",
        description="Another name for the score's only column, or for some of its columns: "
        "{energy_ev_per_atom: chgnet_ev_per_atom}.",
    )
    keep: str | None = Field(
        default=None,
        description="Expression: what is true for candidates that go on. Sees the candidate's "
        "columns and all scores so far.",
    )
    top: int | None = Field(default=None, ge=1, description="How many candidates go on.")
    by: ColumnName | None = Field(default=None, description="The number that `top` orders by.")
    order: Literal["ascending", "descending"] = Field(
        default="ascending", description="ascending: the smallest values go on."
    )
    diverse: tuple[ColumnName, ...] = Field(
        default=(),
        description="With `top`: numbers in which those that go on are to differ. Of the ten times "
        "`top` best by `by` the ones that lie farthest apart go on.",
    )
    pareto: dict[ColumnName, Literal["ascending", "descending"]] = Field(
        default={},
        description="Numbers, each with what is better: {cost_usd_per_kg: ascending, "
        "capacity_mah_per_g: descending}. Those go on than which no other is better in all.",
    )
    distinct: bool = Field(
        default=False,
        description="Of candidates whose structures are the same crystal (formula, then distances, "
        "then pymatgen's StructureMatcher, volumes as they are) only the first goes on.",
    )
    unknown: Literal["reject", "keep"] = Field(
        default="reject", description="What becomes of candidates whose value is not known."
    )
    control_sample: int = Field(
        default=0, ge=0, description="How many rejects go on, drawn at random, as a check."
    )

    @model_validator(mode="after")
    def _one_purpose(self) -> Self:
        choices = [word for word in ("top", "pareto", "distinct") if getattr(self, word)]
        if self.score is None and self.keep is None and not choices:
            raise ValueError(
                "the step does nothing, expected one of `score`, `keep`, `top`, "
                "`pareto`, `distinct`"
            )
        if choices and (self.score is not None or self.keep is not None or len(choices) > 1):
            raise ValueError(
                f"`{choices[0]}` is a step of its own; put the score or `keep` in a step before"
            )
        if (self.top is None) != (self.by is None):
            raise ValueError("`top` and `by` come together: {top: 100, by: COLUMN}")
        if self.diverse and self.top is None:
            raise ValueError("`diverse` goes with `top`: {top: 100, by: COLUMN, diverse: [COLUMN]}")
        if self.as_ is not None and self.score is None:
            raise ValueError("`as` names columns of a score, and the step has none")
        if self.keep is None and not choices and self.control_sample:
            raise ValueError("`control_sample` is drawn from rejects; the step rejects nothing")
        return self
