"""`stages` and `defaults`: calculations of every survivor, and analyses of what came of them."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag

from schemas.block import Block
from schemas.checkpoint import Checkpoint
from schemas.model import JsonValue
from schemas.resources import Resources
from schemas.retention import Retention
from schemas.work import OnUnrepaired

STAGE_NAME = r"^[a-z][a-z0-9_]{0,62}$"
NOT_STAGE_NAMES = frozenset(
    ("candidate", "and", "or", "not", "in", "is", "null", "true", "false", "resources",
     "on_unrepaired", "screening", "results", "attempts", "campaigns")
)  # fmt: skip
"""Words that mean something else where stages are named."""


def _names_a_stage(name: str) -> str:
    if name in NOT_STAGE_NAMES:
        raise ValueError(f"'{name}' means something else; give the stage another name")
    return name


StageName = Annotated[str, StringConstraints(pattern=STAGE_NAME), AfterValidator(_names_a_stage)]
"""Small letters, digits, underscores; a dash would be a minus sign in `when`."""
CANDIDATE = "candidate"
"""What `structure` names where it names no stage: the cell as generated."""


class StageBlock(Block):
    """One stage; the params of its engine stand beside these keys."""

    engine: str = Field(description="Name of the engine.")
    task: str | None = Field(
        default=None, description="What the engine does; may be left out where it does one thing."
    )
    protocol: str | None = Field(
        default=None, description="Set of params to start from: fast, balanced, stringent."
    )
    structure: str = Field(
        default=CANDIDATE,
        description="The stage whose final structure is used. Default: the candidate as generated.",
    )
    charge_density: str | None = Field(
        default=None,
        description="The stage whose charge density is used; it must be of the same structure.",
    )
    when: str | None = Field(
        default=None,
        description="Expression: computed only for candidates for which it is true. Sees what "
        "`keep` sees, and `STAGE.column`; naming a stage makes this one wait for it.",
    )
    resources: Resources | None = Field(
        default=None, description="Takes the place of the engine's own estimate, key by key."
    )
    on_unrepaired: OnUnrepaired | None = Field(
        default=None,
        description="What becomes of a calculation that recovery cannot repair. fail (default): it "
        "is failed, and what needs it is blocked; hold: it waits for a person; drop: it is failed "
        "and what needs it is skipped.",
    )
    protected: tuple[str, ...] = Field(
        default=(), description="Params that recovery must not change."
    )
    checkpoint: Checkpoint | None = Field(
        default=None, description="How often the state is saved, and where."
    )
    retention: Retention | None = Field(
        default=None, description="What is kept of the files of a result."
    )
    params: dict[str, JsonValue] = Field(
        default_factory=dict, description="Params of the engine; these have the last word."
    )


class AnalysisBlock(Block):
    """A stage that computes from the results of all candidates; its settings stand beside these."""

    analysis: str = Field(description="Name of the analysis.")
    over: Literal["campaign"] = Field(
        description="What it gathers: the results of all candidates of the campaign. It is "
        "computed, and stages whose `when` names it begin, when all of them have ended."
    )
    of: str = Field(description="The stage whose results it gathers.")


def is_analysis(block: Any) -> bool:
    """Tell whether a stage's block, as written, is one of an analysis."""
    if isinstance(block, Block):
        return isinstance(block, AnalysisBlock)
    if not isinstance(block, dict) or "engine" in block:
        return False
    return not block.keys().isdisjoint(AnalysisBlock.model_fields)


AnyStageBlock = Annotated[
    Annotated[StageBlock, Tag("calculation")] | Annotated[AnalysisBlock, Tag("gathering")],
    Discriminator(lambda block: "gathering" if is_analysis(block) else "calculation"),
]


class Defaults(Block):
    """What holds for all stages; under the name of an engine stand its params and `protocol`."""

    resources: Resources | None = Field(default=None, description="As in a stage.")
    on_unrepaired: OnUnrepaired | None = Field(default=None, description="As in a stage.")
    checkpoint: Checkpoint | None = Field(default=None, description="As in a stage.")
    retention: Retention | None = Field(default=None, description="As in a stage.")


class EngineDefaults(Block):
    """`defaults.ENGINE`: params of that engine for all its stages."""

    protocol: str | None = Field(
        default=None,
        description="Set of params to start from: fast, balanced, stringent. Default: balanced, "
        "where the engine has it.",
    )
