"""From the block `references` to the structures that candidates are compared with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from runner.columns import Known
from runner.crystal.elements import symbol_problem
from runner.funnel import read_space
from runner.hull.ground_states import ground_state, known_elements
from runner.screening_table import Source
from runner.selection import Step
from runner.validation import at, check
from schemas.errors import Problem, UserError
from schemas.model import JsonValue
from schemas.protocols import Surroundings
from schemas.references import References
from schemas.structure import Structure

BLOCK = "references"
SAMPLE = 500
"""Candidates of a generator that are looked at to say what is missing."""


@dataclass(frozen=True)
class ReferenceSources:
    """What a block `references` asks for: elements, and generators of competing phases."""

    elements: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()

    def structures(self, surroundings: Surroundings) -> tuple[Structure, ...]:
        """Return all reference structures, elements first, in the order of the file.

        Raises
        ------
        UserError
            When a file cannot be read or a structure cannot be built.
        """
        return tuple(self._structures(surroundings))

    def _structures(self, surroundings: Surroundings) -> Iterator[Structure]:
        yield from map(ground_state, self.elements)
        for source in self.sources:
            try:
                for candidate in source.plugin.candidates(source.params, surroundings):
                    yield candidate.structure
            except UserError as error:
                raise UserError(f"{BLOCK}: {source.name}: {error}") from error


def read_references(
    block: Mapping[str, JsonValue], surroundings: Surroundings
) -> tuple[ReferenceSources, list[Problem]]:
    """Return what the block asks for, and what is wrong with it."""
    words = check(References, dict(block), salvage=True)
    # What is wrong with the block's own keys is told with the whole campaign.
    problems: list[Problem] = []
    elements = _elements(words.value.elements if words.value else (), problems)
    own = block.get("space")
    entries: list[JsonValue] = list(own) if isinstance(own, list) else []
    sources, found = read_space(entries, surroundings, Known())
    problems += at((BLOCK,), found)
    if words.value and words.value.structures:
        files: list[JsonValue] = list(words.value.structures)
        entry: JsonValue = {"kind": "structures", "files": files}
        more, found = read_space([entry], surroundings, Known())
        problems += [replace(problem, path=(BLOCK, "structures")) for problem in found]
        sources = (*more, *sources)
    return ReferenceSources(elements, sources), problems


def _elements(wanted: str | Sequence[str], problems: list[Problem]) -> tuple[str, ...]:
    known = known_elements()
    if wanted == "all":
        return known
    for index, symbol in enumerate(wanted):
        wrong = symbol_problem([symbol])
        if wrong is None and symbol not in known:
            wrong = f"no reference structure of {symbol} is known; give a file under `structures`"
        if wrong:
            problems.append(Problem((BLOCK, "elements", index), wrong))
    return tuple(dict.fromkeys(symbol for symbol in wanted if symbol in known))


def check_references(
    steps: Sequence[Step],
    references: ReferenceSources,
    space: Sequence[Source],
    surroundings: Surroundings,
) -> list[Problem]:
    """Return what scores find lacking in the references of their campaign.

    A score that reads reference structures has a method `lacking(params, *, elements, compounds,
    sample)`: told whether the campaign refers to elements and to compounds, and with a function
    that gives the compositions of some candidates, it returns what is missing, or None.
    """
    problems: list[Problem] = []
    for index, step in enumerate(steps):
        lacking = getattr(step.plugin, "lacking", None)
        if lacking is None:
            continue
        message = lacking(
            step.params,
            elements=bool(references.elements or references.sources),
            compounds=bool(references.sources),
            sample=lambda: _sample(space, surroundings),
        )
        if message:
            problems.append(Problem(("filters", index), message))
    return problems


def _sample(space: Sequence[Source], surroundings: Surroundings) -> Iterator[Mapping[str, int]]:
    """Yield the compositions of the first candidates of generators that need no files."""
    for source in space:
        if source.plugin.count(source.params, surroundings) is not None:
            candidates = source.plugin.candidates(source.params, surroundings)
            yield from (candidate.composition for candidate in islice(candidates, SAMPLE))
