"""The operations of an expression: what each checks, and its value for a row or for a batch."""

# ruff: noqa: D102  (an operation's class says what it is; its methods are those of Term)

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING, Any, Literal

from schemas.terms import (
    WORDS,
    Columns,
    Constant,
    Kind,
    Term,
    Value,
    finite,
    finite_number,
)

if TYPE_CHECKING:
    import pyarrow as pa

_MEMBER_OF: Mapping[Kind, Kind] = {"texts": "text", "numbers": "number"}
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge,
}  # fmt: skip
_ARROW_COMPARE: Mapping[str, str] = {
    "==": "equal",
    "!=": "not_equal",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
}
_ARROW_ARITHMETIC: Mapping[str, str] = {
    "+": "add",
    "-": "subtract",
    "*": "multiply",
    "/": "divide",
    "**": "power",
}


@dataclass(frozen=True, slots=True)
class Arithmetic(Term):
    """Terms joined from left to right by operators of one precedence: `a - b + c`, `a ** b`."""

    operands: tuple[Term, ...]
    operators: tuple[str, ...]

    def parts(self) -> Sequence[Term]:
        return self.operands

    def check(self, columns: Columns, problems: list[str]) -> Kind | None:
        for operand in self.operands:
            kind = operand.check(columns, problems)
            if kind not in ("number", None):
                problems.append(
                    f"`{self.operators[0]}` calculates with numbers and {operand.text} is "
                    f"{WORDS[kind]}"
                )
        return "number"

    def value(self, row: Mapping[str, object]) -> Value:
        result = self.operands[0].value(row)
        for operator, operand in zip(self.operators, self.operands[1:], strict=True):
            result = _calculate(operator, result, operand.value(row))
        return result

    def array(self, batch: pa.RecordBatch) -> pa.Array:
        import pyarrow.compute as pc

        result = self.operands[0].array(batch)
        for operator, operand in zip(self.operators, self.operands[1:], strict=True):
            result = finite(
                pc.call_function(_ARROW_ARITHMETIC[operator], [result, operand.array(batch)])
            )
        return result


def _calculate(operator: str, left: Value, right: Value) -> float | None:
    if not isinstance(left, float) or not isinstance(right, float):
        return None
    try:
        if operator == "+":
            return finite_number(left + right)
        if operator == "-":
            return finite_number(left - right)
        if operator == "*":
            return finite_number(left * right)
        return finite_number(left / right if operator == "/" else math.pow(left, right))
    except (ZeroDivisionError, OverflowError, ValueError):  # ValueError: (-8) ** 0.5
        return None


@dataclass(frozen=True, slots=True)
class Negative(Term):
    """`-a`."""

    operand: Term

    def parts(self) -> Sequence[Term]:
        return (self.operand,)

    def check(self, columns: Columns, problems: list[str]) -> Kind | None:
        kind = self.operand.check(columns, problems)
        if kind not in ("number", None):
            problems.append(f"`-` takes a number and {self.operand.text} is {WORDS[kind]}")
        return "number"

    def value(self, row: Mapping[str, object]) -> Value:
        value = self.operand.value(row)
        return -value if isinstance(value, float) else None

    def array(self, batch: pa.RecordBatch) -> pa.Array:
        import pyarrow.compute as pc

        return pc.negate(self.operand.array(batch))


@dataclass(frozen=True, slots=True)
class Comparison(Term):
    """`a < b`, and chains: `a < b <= c` is `a < b and b <= c`."""

    operands: tuple[Term, ...]
    operators: tuple[str, ...]

    def parts(self) -> Sequence[Term]:
        return self.operands

    def check(self, columns: Columns, problems: list[str]) -> Kind | None:
        kinds = [operand.check(columns, problems) for operand in self.operands]
        ends = zip(pairwise(self.operands), pairwise(kinds), self.operators, strict=True)
        for (left, right), (of_left, of_right), operator in ends:
            if of_left is None or of_right is None:
                continue
            if "null" in (of_left, of_right):
                problems.append(
                    f"nothing compares with null; write `{left.text} is null` or "
                    f"`{left.text} is not null`"
                )
            elif of_left != of_right:
                problems.append(
                    f"{left.text} is {WORDS[of_left]} and {right.text} is {WORDS[of_right]}; "
                    f"`{operator}` compares two of a kind"
                )
            elif of_left in ("texts", "numbers", "json") or (
                of_left == "truth" and operator not in ("==", "!=")
            ):
                problems.append(f"`{operator}` does not compare {left.text}, {WORDS[of_left]}")
        return "truth"

    def value(self, row: Mapping[str, object]) -> Value:
        values = [operand.value(row) for operand in self.operands]
        verdicts = [
            None if left is None or right is None else _COMPARE[operator](left, right)
            for (left, right), operator in zip(pairwise(values), self.operators, strict=True)
        ]
        return _all(verdicts)

    def array(self, batch: pa.RecordBatch) -> pa.Array:
        import pyarrow.compute as pc

        arrays = [operand.array(batch) for operand in self.operands]
        verdicts = [
            pc.call_function(_ARROW_COMPARE[operator], [left, right])
            for (left, right), operator in zip(pairwise(arrays), self.operators, strict=True)
        ]
        return reduce(pc.and_kleene, verdicts)


def _all(verdicts: Sequence[object]) -> bool | None:
    if any(verdict is False for verdict in verdicts):
        return False
    return None if any(verdict is None for verdict in verdicts) else True


def _not(verdict: object) -> bool | None:
    return None if verdict is None else not verdict


@dataclass(frozen=True, slots=True)
class Membership(Term):
    """`a in b` for a list b; unknown where a is null, or not found in a list that holds nulls."""

    item: Term
    members: Term
    negated: bool

    def parts(self) -> Sequence[Term]:
        return (self.item, self.members)

    def check(self, columns: Columns, problems: list[str]) -> Kind | None:
        kind = self.item.check(columns, problems)
        of_list = self.members.check(columns, problems)
        if of_list is not None and of_list not in _MEMBER_OF:
            problems.append(f"`in` looks into a list and {self.members.text} is {WORDS[of_list]}")
        elif of_list is not None and kind not in (None, _MEMBER_OF[of_list]):
            problems.append(
                f"{self.item.text} is {WORDS[kind]} and {self.members.text} is {WORDS[of_list]}"
            )
        return "truth"

    def value(self, row: Mapping[str, object]) -> Value:
        item, members = self.item.value(row), self.members.value(row)
        if item is None or not isinstance(members, tuple):
            return None
        found = True if item in members else None if None in members else False
        return _not(found) if self.negated else found

    def array(self, batch: pa.RecordBatch) -> pa.Array:
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        items = self.item.array(batch)
        if isinstance(self.members, Constant) and isinstance(self.members.constant, tuple):
            members = pa.array(list(self.members.constant))
            found = pc.is_in(items, value_set=members)
            verdict = pc.if_else(items.is_valid(), found, pa.scalar(None, pa.bool_()))
            return pc.invert(verdict) if self.negated else verdict
        lists = self.members.array(batch)
        rows = pc.list_parent_indices(lists)
        matches = pc.equal(finite(pc.list_flatten(lists)), items.take(rows))
        at = rows.to_numpy(zero_copy_only=False).astype(np.int64)
        found = np.zeros(batch.num_rows, dtype=bool)
        unclear = np.zeros(batch.num_rows, dtype=bool)
        found[at[pc.fill_null(matches, fill_value=False).to_numpy(zero_copy_only=False)]] = True
        unclear[at[matches.is_null().to_numpy(zero_copy_only=False)]] = True
        known = pc.and_(items.is_valid(), lists.is_valid())
        unknown = pc.or_(pc.invert(known), pa.array(unclear & ~found))
        verdict = pc.if_else(unknown, pa.scalar(None, pa.bool_()), pa.array(found))
        return pc.invert(verdict) if self.negated else verdict


@dataclass(frozen=True, slots=True)
class IsNull(Term):
    """`a is null`, `a is not null`: never unknown."""

    operand: Term
    negated: bool

    def parts(self) -> Sequence[Term]:
        return (self.operand,)

    def check(self, columns: Columns, problems: list[str]) -> Kind | None:
        self.operand.check(columns, problems)
        return "truth"

    def value(self, row: Mapping[str, object]) -> Value:
        return (self.operand.value(row) is None) != self.negated

    def array(self, batch: pa.RecordBatch) -> pa.Array:
        array = self.operand.array(batch)
        return array.is_valid() if self.negated else array.is_null()


@dataclass(frozen=True, slots=True)
class Not(Term):
    """`not a`."""

    operand: Term

    def parts(self) -> Sequence[Term]:
        return (self.operand,)

    def check(self, columns: Columns, problems: list[str]) -> Kind | None:
        return _truths("not", (self.operand,), columns, problems)

    def value(self, row: Mapping[str, object]) -> Value:
        return _not(self.operand.value(row))

    def array(self, batch: pa.RecordBatch) -> pa.Array:
        import pyarrow.compute as pc

        return pc.invert(self.operand.array(batch))


@dataclass(frozen=True, slots=True)
class Logic(Term):
    """`a and b and c`, or the same with `or`."""

    operator: Literal["and", "or"]
    operands: tuple[Term, ...]

    def parts(self) -> Sequence[Term]:
        return self.operands

    def check(self, columns: Columns, problems: list[str]) -> Kind | None:
        return _truths(self.operator, self.operands, columns, problems)

    def value(self, row: Mapping[str, object]) -> Value:
        verdicts = [operand.value(row) for operand in self.operands]
        if self.operator == "and":
            return _all(verdicts)
        return _not(_all([_not(verdict) for verdict in verdicts]))

    def array(self, batch: pa.RecordBatch) -> pa.Array:
        import pyarrow.compute as pc

        join = pc.and_kleene if self.operator == "and" else pc.or_kleene
        return reduce(join, [operand.array(batch) for operand in self.operands])


def _truths(
    word: str, operands: Sequence[Term], columns: Columns, problems: list[str]
) -> Kind | None:
    for operand in operands:
        kind = operand.check(columns, problems)
        if kind not in ("truth", None):
            problems.append(
                f"`{word}` joins truth values and {operand.text} is {WORDS[kind]}"
                if word != "not"
                else f"`not` takes a truth value and {operand.text} is {WORDS[kind]}"
            )
    return "truth"
