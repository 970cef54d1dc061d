"""The one expression language of `keep` and `when`: `0.80 <= tolerance_factor <= 1.05`.

Three-valued: a verdict is true, false, or unknown because a value in it is null. See
`schemas.terms` and `schemas.operations` for what each part means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, TypeAlias

from schemas.columns import ColumnType
from schemas.errors import UserError
from schemas.operations import (
    Arithmetic,
    Comparison,
    IsNull,
    Logic,
    Membership,
    Negative,
    Not,
)
from schemas.terms import WORDS, Constant, Name, Term

if TYPE_CHECKING:
    import pyarrow as pa
    from lark import Lark, Token

    Part: TypeAlias = Token | Term

LONGEST_TEXT = 2000
LARGEST_DEPTH = 50

GRAMMAR = r"""
    start: or_
    ?or_: and_ ("or" and_)*                      -> either
    ?and_: not_ ("and" not_)*                    -> both
    ?not_: "not" not_                            -> negation
         | test
    ?test: sum (COMPARE sum)*                    -> comparison
         | sum "in" sum                          -> member
         | sum "not" "in" sum                    -> not_member
         | sum "is" "null"                       -> is_null
         | sum "is" "not" "null"                 -> is_not_null
    ?sum: product ((PLUS | MINUS) product)*      -> arithmetic
    ?product: unary ((TIMES | OVER) unary)*      -> arithmetic
    ?unary: MINUS unary                          -> negative
          | power
    ?power: atom (POWER unary)?                  -> power
    ?atom: NUMBER                                -> number
         | TEXT                                  -> text
         | "true"                                -> true
         | "false"                               -> false
         | "null"                                -> null
         | NAME                                  -> name
         | "(" or_ ")"                           -> group
         | "[" element ("," element)* ","? "]"   -> list
    ?element: NUMBER                             -> number
            | MINUS NUMBER                       -> negative_number
            | TEXT                               -> text
    COMPARE: "==" | "!=" | "<=" | ">=" | "<" | ">"
    PLUS: "+"
    MINUS: "-"
    POWER.2: "**"
    TIMES: "*"
    OVER: "/"
    NAME: /[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*/
    NUMBER: /([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?/
    TEXT: /'[^']*'|"[^"]*"/
    %ignore /[ \t\r\n]+/
"""

_INSTEAD = {
    "=": "; `==` compares",
    "&": "; write `and`",
    "|": "; write `or`",
    "!": "; write `not`",
    "^": "; write `**`",
    "%": "; there is no remainder",
    "'": ", a quote that is not closed",
    '"': ", a quote that is not closed",
}


class ExpressionError(UserError):
    """A text that is no expression; `column` counts from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"{message} (column {column})")
        self.column = column


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression."""

    text: str
    root: Term
    names: frozenset[str]
    """Columns as written: `elements`, `scf.band_gap_ev`."""

    def problems(self, columns: Mapping[str, ColumnType]) -> list[str]:
        """Return what is wrong with it where these columns exist; its value must be a truth."""
        problems: list[str] = []
        kind = self.root.check(columns, problems)
        if not problems and kind is not None and kind != "truth":
            problems.append(f"found {WORDS[kind]}, expected a truth value, such as a comparison")
        return list(dict.fromkeys(problems))

    def evaluate(self, row: Mapping[str, object]) -> bool | None:
        """Return the verdict for one row, None for unknown; an absent column is null."""
        verdict = self.root.value(row)
        return verdict if isinstance(verdict, bool) else None

    def evaluate_batch(self, batch: pa.RecordBatch) -> pa.BooleanArray:
        """Return the verdict for every row of a batch, the same as `evaluate` row by row.

        Raises
        ------
        KeyError
            When the batch lacks one of `names`.
        """
        import pyarrow as pa

        array = self.root.array(batch)
        return array if pa.types.is_boolean(array.type) else pa.nulls(batch.num_rows, pa.bool_())


@lru_cache(maxsize=1024)
def parse(text: str) -> Expression:
    """Return the expression that a text means.

    Raises
    ------
    ExpressionError
        With the column of the first thing that cannot be read.
    """
    from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

    if len(text) > LONGEST_TEXT:
        raise ExpressionError(
            f"{len(text)} characters; an expression has at most {LONGEST_TEXT}", LONGEST_TEXT + 1
        )
    if not text.strip():
        raise ExpressionError("found nothing, expected an expression", 1)
    try:
        root = _build(text)
    except UnexpectedToken as error:
        if error.token.type == "$END":
            raise ExpressionError("the expression ends too early", len(text) + 1) from None
        position = error.token.start_pos or 0
        raise ExpressionError(
            f"found '{error.token}' where it cannot stand{_hint(text, position)}", position + 1
        ) from None
    except UnexpectedCharacters as error:
        position = error.pos_in_stream or 0
        raise ExpressionError(
            f"found '{text[position]}' where it cannot stand{_hint(text, position)}", position + 1
        ) from None
    except UnexpectedInput as error:
        raise ExpressionError("not an expression", (error.pos_in_stream or 0) + 1) from None
    return Expression(text, root, frozenset(root.names()))


def _hint(text: str, position: int) -> str:
    if text[position] == "(" and text[:position].rstrip()[-1:].isidentifier():
        return "; functions such as reference(Li) are part of the language and not built yet"
    if text[position : position + 2] in ("==", "!=") or text[position].isspace():
        return ""
    return _INSTEAD.get(text[position], "")


def _build(text: str) -> Term:
    """Return the term of a text, from the leaves up: no depth of brackets exhausts the stack."""
    from lark import Tree

    tree = _parser().parse(text)
    built: dict[int, tuple[Term, int]] = {}
    for part in tree.iter_subtrees():
        children = [
            built[id(child)][0] if isinstance(child, Tree) else child for child in part.children
        ]
        below = max((built[id(c)][1] for c in part.children if isinstance(c, Tree)), default=0)
        start, end = part.meta.start_pos, part.meta.end_pos
        if len(children) == 1 and part.data in _PASSED_ON:
            built[id(part)] = (_term(children), below + (part.data == "group"))
            continue
        if below >= LARGEST_DEPTH:
            raise ExpressionError(f"nested more than {LARGEST_DEPTH} levels deep", start + 1)
        try:
            built[id(part)] = (_BUILD[part.data](text[start:end], children), below + 1)
        except _NoConstant as error:
            raise ExpressionError(str(error), start + 1) from None
    return built[id(tree)][0]


def _terms(children: Sequence[Part]) -> tuple[Term, ...]:
    return tuple(child for child in children if isinstance(child, Term))


def _term(children: Sequence[Part]) -> Term:
    return _terms(children)[0]


def _operators(children: Sequence[Part]) -> tuple[str, ...]:
    return tuple(str(child) for child in children if not isinstance(child, Term))


class _NoConstant(ValueError):
    """A constant that is none."""


def _number(text: str, children: Sequence[Part]) -> Constant:
    value = float("".join(_operators(children)))
    if value in (float("inf"), float("-inf")):
        raise _NoConstant(f"{text[:24]} is beyond the largest number, 1.8e308")
    return Constant(text, value)


def _list(text: str, children: Sequence[Part]) -> Constant:
    constants = [child.constant for child in children if isinstance(child, Constant)]
    texts = tuple(item for item in constants if isinstance(item, str))
    numbers = tuple(item for item in constants if isinstance(item, float))
    if texts and numbers:
        raise _NoConstant(f"{text} mixes numbers and texts")
    return Constant(text, texts or numbers)


_PASSED_ON = frozenset(("start", "either", "both", "comparison", "arithmetic", "power", "group"))
"""Rules that mean nothing by themselves where they have one child."""

_BUILD: Mapping[str, Callable[[str, Sequence[Part]], Term]] = {
    "either": lambda text, parts: Logic(text, "or", _terms(parts)),
    "both": lambda text, parts: Logic(text, "and", _terms(parts)),
    "negation": lambda text, parts: Not(text, _term(parts)),
    "comparison": lambda text, parts: Comparison(text, _terms(parts), _operators(parts)),
    "member": lambda text, parts: Membership(text, _term(parts), _term(parts[1:]), negated=False),
    "not_member": lambda text, parts: Membership(
        text, _term(parts), _term(parts[1:]), negated=True
    ),
    "is_null": lambda text, parts: IsNull(text, _term(parts), negated=False),
    "is_not_null": lambda text, parts: IsNull(text, _term(parts), negated=True),
    "arithmetic": lambda text, parts: Arithmetic(text, _terms(parts), _operators(parts)),
    "power": lambda text, parts: Arithmetic(text, _terms(parts), _operators(parts)),
    "negative": lambda text, parts: Negative(text, _term(parts)),
    "number": _number,
    "negative_number": _number,
    "text": lambda text, _: Constant(text, text[1:-1]),
    "true": lambda text, _: Constant(text, constant=True),
    "false": lambda text, _: Constant(text, constant=False),
    "null": lambda text, _: Constant(text, None),
    "name": lambda text, _: Name(text, text),
    "list": _list,
}


@cache
def _parser() -> Lark:
    from lark import Lark

    return Lark(GRAMMAR, parser="lalr", propagate_positions=True, maybe_placeholders=False)
