"""What a filter step does with scored rows, and how many went which way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from heapq import heappush, heappushpop
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from schemas.columns import Column
from schemas.errors import suggestion
from schemas.expressions import Expression
from schemas.protocols import Score

Order: TypeAlias = Literal["ascending", "descending"]
Verdict: TypeAlias = Literal["pass", "reject", "unknown", "error"]
Held = TypeVar("Held")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One entry of `filters`: a score, then `keep` or `top`, any of them absent.

    `score` names the plug-in `plugin`, whose params are `params`; `as_name` renames its only
    column, or some by name. `top` keeps that many rows with the first values of the column `by`;
    ties go to the earlier row. With `diverse` they are those of the first rows that differ most in
    these columns. `pareto` keeps the rows than which no other is better in all of its columns,
    `distinct` the first of those whose structures are equivalent. `control_sample` of the step's
    rejects, chosen at random, go on all the same. `unknown` says whether rows go on for which
    `keep` or a compared value is null. `label` names the step in the screening table and is unique
    in a campaign.
    """

    label: str
    score: str | None = None
    plugin: Score | None = None
    params: Any = None
    as_name: str | Mapping[str, str] | None = None
    keep: Expression | None = None
    top: int | None = None
    by: str | None = None
    order: Order = "ascending"
    diverse: tuple[str, ...] = ()
    pareto: Mapping[str, Order] = field(default_factory=dict)
    distinct: bool = False
    control_sample: int = 0
    unknown: Literal["reject", "keep"] = "reject"

    @property
    def compared(self) -> Mapping[str, Order]:
        """The columns that `top`, `diverse` and `pareto` compare, each with its order."""
        if self.by is None:
            return self.pareto
        return {self.by: self.order, **dict.fromkeys(self.diverse, "ascending")}

    @property
    def depends_on_others(self) -> bool:
        """Whether what becomes of a row depends on which other rows come to the step."""
        return bool(self.compared or self.distinct or self.control_sample)

    def columns(self) -> tuple[Column, ...]:
        """Return the columns that the step's score adds, under the names that they get."""
        if self.plugin is None:
            return ()
        columns = self.plugin.columns(self.params)
        if isinstance(self.as_name, str):
            names = {column.name: self.as_name for column in columns[:1]}
        else:
            names = dict(self.as_name or {})
        return tuple(replace(one, name=names.get(one.name, one.name)) for one in columns)

    def as_problem(self) -> str | None:
        """Return what is wrong with `as`, or None."""
        columns = [one.name for one in self.plugin.columns(self.params)] if self.plugin else []
        listed = ", ".join(columns)
        if isinstance(self.as_name, str) and len(columns) != 1:
            return (
                f"one name for several columns; this score adds {listed}: "
                f"write {{{columns[0]}: {self.as_name}}}"
            )
        if isinstance(self.as_name, str) or self.as_name is None:
            return None
        unknown = next((name for name in self.as_name if name not in columns), None)
        if unknown is None:
            return None
        return f"no column '{unknown}' of this score{suggestion(unknown, columns)}"


@dataclass
class StepCount:
    """Rows of one step: entered = passed + rejected + unknown + errors.

    `control` counts the rejects that are sent on; they are not counted again in later steps.
    Where the step says `unknown: keep`, its unknown rows enter the next step too. `seconds` were
    spent on computing its score, `found` rows had it already.
    """

    label: str
    entered: int = 0
    passed: int = 0
    rejected: int = 0
    unknown: int = 0
    errors: int = 0
    control: int = 0
    seconds: float = 0.0
    found: int = 0


@dataclass
class Funnel:
    """How many rows each step saw and kept.

    `survivors` counts the candidates that go on to the stages, `control` those among them that
    are rejects; `unread` rows came to no filter, because their generator could not make
    candidates of them; `duplicates` and `unbuilt` are rows that passed all steps and were then
    found to be the same cell as an earlier one, or to have no structure.
    """

    steps: list[StepCount]
    enumerated: int = 0
    survivors: int = 0
    control: int = 0
    duplicates: int = 0
    unbuilt: int = 0
    unread: int = 0


class Smallest(Generic[Held]):
    """Holds the `size` items with the smallest keys of all that were offered."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._heap: list[tuple[float, int, Held]] = []

    def wants(self, key: float, row: int) -> bool:
        """Tell whether an item with this key would be held now."""
        if len(self._heap) < self._size:
            return True
        return bool(self._heap) and (-key, -row) > self._heap[0][:2]

    def offer(self, key: float, row: int, item: Held) -> Held | None:
        """Hold an item that is wanted; return the one that no longer is. Row breaks ties."""
        entry = (-key, -row, item)
        if len(self._heap) < self._size:
            heappush(self._heap, entry)
            return None
        return heappushpop(self._heap, entry)[2]

    def release(self) -> list[Held]:
        """Return what is held, by row, and hold nothing."""
        entries = sorted(self._heap, key=lambda entry: -entry[1])
        self._heap = []
        return [item for _, _, item in entries]


def draw(seed: int, purpose: str, row: int) -> int:
    """Return a row's random number, 0 to 2**63: it depends on nothing else.

    The rows with the N smallest numbers are a sample of exactly N, whichever way the rows are cut
    into batches or shards: the sample of a whole is found among the samples of its parts.
    """
    text = f"{seed}\0{purpose}\0{row}".encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest()) >> 1


def value_text(value: object) -> str:
    """Return a value as reasons show it: `1.0834`, `'Pb'`, `[Sr, Ti]`, `null`, `true`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(str(entry) for entry in value)}]"
    return f"'{value}'" if isinstance(value, str) else str(value)
