"""Functions with plain signatures: a DuckDB expression for each combination of types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runner.sql.kinds import Kind, Typed, common
from runner.sql.refusal import refuse

Special = Callable[[str, Sequence[Typed]], Typed]
"""A rule for one function whose result depends on more than a list of signatures says."""


@dataclass(frozen=True, slots=True)
class Overload:
    """One signature and its DuckDB expression."""

    params: tuple[Kind, ...]
    result: Kind
    template: str


def of(template: str, result: Kind, *params: Kind) -> Overload:
    """Return a signature."""
    return Overload(params, result, template)


def chosen(name: str, overloads: Sequence[Overload], args: Sequence[Typed]) -> Typed:
    """Return the call by the first signature that fits, exactly or after conversion.

    Raises
    ------
    Refused
        When none does.
    """
    for exact in (True, False):
        for overload in overloads:
            if _fits(overload, args, exact=exact):
                given = [
                    argument.to(param)
                    for argument, param in zip(args, overload.params, strict=True)
                ]
                return Typed(overload.template.format(*given), overload.result)
    found = ", ".join(str(argument.kind) for argument in args)
    known = " or ".join(
        f"({', '.join(str(param) for param in overload.params)})" for overload in overloads
    )
    raise refuse(f"{name}({found})", f"takes {known}; CAST the arguments")


def _fits(overload: Overload, args: Sequence[Typed], *, exact: bool) -> bool:
    if len(overload.params) != len(args):
        return False
    pairs = zip(args, overload.params, strict=True)
    if exact:
        return all(argument.kind == param for argument, param in pairs)
    return all(common(argument.kind, param) == param for argument, param in pairs)
