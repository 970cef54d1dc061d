"""Generators that transform what other generators yield: the entries under `of`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import gcd
from typing import Annotated, Any, NoReturn

from pydantic import PlainSerializer, PlainValidator, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails

from runner.plugins import find
from runner.validation import FoundInside, at, check, misspelt
from schemas import registry
from schemas.candidate import BASE_COLUMNS, Candidate
from schemas.columns import Column
from schemas.errors import Problem, UserError
from schemas.model import JsonValue
from schemas.protocols import Generator, Surroundings
from schemas.reserved import GENERATORS, refusal
from schemas.space import SpaceEntry
from schemas.structure import Structure

_BASE = frozenset(column.name for column in BASE_COLUMNS)
PARENT_FORMULA = Column("parent_formula", "text", "Formula of the structure that was transformed.")


@dataclass(frozen=True)
class Inner:
    """One entry under `of`: a generator and its params, and the entry as it is written."""

    kind: str
    plugin: Generator = field(repr=False, compare=False)
    params: Any
    written: Mapping[str, JsonValue] = field(repr=False, compare=False)


def _read(value: object) -> tuple[Inner, ...]:
    """Return the entries of one mapping or a list of them; every mistake keeps its place."""
    many = isinstance(value, list | tuple)
    entries = list(value) if isinstance(value, list | tuple) else [value]
    found: list[Inner] = []
    problems: list[Problem] = []
    if not entries:
        problems.append(Problem((), "an entry like those of `space`, or a list of them"))
    for index, entry in enumerate(entries):
        inner, wrong = (entry, []) if isinstance(entry, Inner) else _entry(entry)
        problems += at((index,) if many else (), wrong)
        if inner is not None:
            found.append(inner)
    problems = problems or _conflicts(found)
    if problems:
        _refuse(problems, value)
    return tuple(found)


def _entry(entry: Any) -> tuple[Inner | None, list[Problem]]:
    block = check(SpaceEntry, entry)
    if block.value is None:
        near = misspelt(entry, "kind", ()) if isinstance(entry, dict) else []
        return None, [*block.problems, *near]
    kind = block.value.kind
    if kind in GENERATORS:
        return None, [Problem(("kind",), refusal(kind))]
    looked_up = find(registry.generators, kind, ("kind",))
    plugin, problems = looked_up
    if plugin is None:
        return None, problems
    params = check(plugin.params, block.value.own, also=("kind",))
    if params.value is None:
        return None, list(params.problems)
    return Inner(kind, plugin, params.value, entry), []


def _conflicts(entries: list[Inner]) -> list[Problem]:
    known: dict[str, tuple[str, str]] = {}
    for inner in entries:
        for column in inner.plugin.columns(inner.params):
            kind, type_ = known.setdefault(column.name, (inner.kind, column.type))
            if type_ != column.type:
                return [
                    Problem((), f"{kind} and {inner.kind} both have a column '{column.name}', "
                                f"{type_} in one and {column.type} in the other; make them two "
                                "entries of `space`")
                ]  # fmt: skip
    return []


def _refuse(problems: list[Problem], value: object) -> NoReturn:
    """Raise the problems as pydantic's own, which keeps the place of each inside the params."""
    raise ValidationError.from_exception_data(
        "of",
        [
            InitErrorDetails(
                type="value_error",
                loc=tuple(problem.path),
                input=value,
                ctx={"error": FoundInside(problem)},
            )
            for problem in problems
        ],
    )


def _written(entries: tuple[Inner, ...]) -> list[dict[str, JsonValue]]:
    return [dict(inner.written) for inner in entries]


_ENTRY_SCHEMA = {
    "type": "object",
    "properties": {"kind": {"type": "string", "description": "Name of the generator."}},
    "required": ["kind"],
}
Of = Annotated[
    tuple[Inner, ...],
    PlainValidator(_read),
    PlainSerializer(_written),
    WithJsonSchema(
        {"anyOf": [_ENTRY_SCHEMA, {"type": "array", "items": _ENTRY_SCHEMA, "minItems": 1}]}
    ),
]
"""The type of the field `of`."""
OF = (
    "What is transformed: one entry like those of `space`, or a list of them: {kind: structures, "
    "files: cifs/*.cif}. Any generator, one that transforms too; its columns stay."
)
"""The description of the field `of`."""


@dataclass(frozen=True)
class Parent:
    """A candidate that is transformed; `entry` counts the entries of `of` where it has several."""

    candidate: Candidate
    entry: int | None = None

    @property
    def structure(self) -> Structure:
        """The cell that is transformed. Raises what building it raises."""
        return self.candidate.structure

    def child(
        self,
        generator: str,
        *,
        choice: Mapping[str, JsonValue],
        composition: Mapping[str, int],
        build: Callable[[], Structure],
        extra: Mapping[str, JsonValue],
        keeps_sites: bool = False,
    ) -> Candidate:
        """Return a candidate made of this one; `composition` is in the order of its cell.

        Labels of sites stay known only where `keeps_sites` says that each still has its element.
        """
        entry: dict[str, JsonValue] = {} if self.entry is None else {"entry": self.entry}
        return Candidate(
            generator=generator,
            choice={"of": dict(self.candidate.choice), **entry, **choice},
            composition=composition,
            build=build,
            formula=reduced_formula(composition),
            sites=self.candidate.sites if keeps_sites else {},
            extra={
                **self.candidate.extra,
                PARENT_FORMULA.name: self.candidate.formula,
                **extra,
            },
        )

    def failed(self, generator: str, reason: str) -> Candidate:
        """Return the candidate that stands for what could not be made: it has no structure."""

        def build() -> Structure:
            raise UserError(reason)

        return self.child(
            generator, choice={}, composition=self.candidate.composition, build=build, extra={}
        )


def reduced_formula(composition: Mapping[str, int]) -> str:
    """Return the reduced formula, elements in the order of the mapping: `SrTiO3`."""
    divisor = gcd(*composition.values())
    return "".join(
        symbol if n == divisor else f"{symbol}{n // divisor}" for symbol, n in composition.items()
    )


def columns(of: tuple[Inner, ...], *own: Column) -> tuple[Column, ...]:
    """Return the columns of a generator that transforms: its own, and those of the entries.

    Where an entry has a column of the same name, the outer generator's stands.
    """
    every = {column.name: column for column in (PARENT_FORMULA, *own)}
    for inner in of:
        for column in inner.plugin.columns(inner.params):
            every.setdefault(column.name, column)
    return tuple(column for name, column in every.items() if name not in _BASE)


def count(of: tuple[Inner, ...], surroundings: Surroundings) -> int | None:
    """Return how many candidates the entries yield, or None where one of them cannot tell.

    Raises
    ------
    UserError
        What an entry raises, with its place.
    """
    total: int | None = 0
    for index, inner in enumerate(of):
        try:
            found = inner.plugin.count(inner.params, surroundings)
        except UserError as error:
            place = f"of[{index}]" if len(of) > 1 else "of"
            raise UserError(f"{place}: {error}") from error
        total = None if total is None or found is None else total + found
    return total


def parents(of: tuple[Inner, ...], surroundings: Surroundings) -> Iterator[Parent]:
    """Yield the candidates of all entries, one entry after the other."""
    for index, inner in enumerate(of):
        for candidate in inner.plugin.candidates(inner.params, surroundings):
            yield Parent(candidate, index if len(of) > 1 else None)


def transformed(
    generator: str,
    found: Iterator[Parent],
    make: Callable[[Parent], Iterator[Candidate]],
) -> Iterator[Candidate]:
    """Yield what `make` yields of each parent.

    Where it raises UserError or ValueError, a candidate without a structure says why, so that
    none is lost without a reason.
    """
    for parent in found:
        if parent.candidate.problem is not None:
            unread = parent.failed(generator, parent.candidate.problem)
            yield replace(unread, problem=parent.candidate.problem)
            continue
        try:
            yield from make(parent)
        except (UserError, ValueError) as error:
            yield parent.failed(generator, f"{parent.candidate.formula}: {error}")
