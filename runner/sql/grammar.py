"""Reads a query in Athena's dialect, and refuses what is DuckDB's or another system's grammar.

sqlglot is a reader, not a check: it takes the union of many dialects. Function calls are left as
they are written (not renamed, as sqlglot does by default), so that a name is judged as the user
wrote it; what only another dialect allows and leaves no trace in the tree is looked for in the
tokens.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import SqlglotError
from sqlglot.parsers.trino import TrinoParser
from sqlglot.tokenizer_core import Token, TokenType

from runner.sql.refusal import Refused, refuse
from schemas.errors import UserError

_UNITS = {"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"}
_CLOSERS = {TokenType.FROM, TokenType.R_PAREN, TokenType.SEMICOLON}
_LEAKS = {
    TokenType.DCOLON: ("'::'", "write CAST(x AS type)"),
    TokenType.ILIKE: ("ILIKE", "write lower(x) LIKE 'pattern in small letters'"),
    TokenType.COLON: ("':'", "write json_extract_scalar(column, '$.name')"),
    TokenType.SEMI: ("SEMI JOIN", "write WHERE x IN (SELECT ...)"),
    TokenType.ANTI: ("ANTI JOIN", "write WHERE NOT EXISTS (SELECT ...)"),
    TokenType.L_BRACE: ("'{'", "Athena has no such literal"),
    TokenType.GLOB: ("GLOB", "write LIKE or regexp_like"),
    TokenType.RLIKE: ("RLIKE", "write regexp_like(x, 'pattern')"),
}

_WORDS = {
    "QUALIFY": "write the window function in a subquery and filter outside",
    "NATURAL": "write JOIN ... USING (column)",
}
"""Words that no query of Athena needs outside double quotes."""


LITERAL = "literal"
"""The mark of DATE '...' and its like, which sqlglot reads as a CAST."""


def _typed_literal(_: Any, text: Any, target: Any) -> Any:
    node = exp.Cast(this=text, to=target)
    node.meta[LITERAL] = True
    return node


@cache
def _dialect() -> type[Trino]:
    """Return the dialect of a reader that leaves subscripts as they are written, from 1."""

    class Written(Trino):
        INDEX_OFFSET = 0

    return Written


@cache
def _parser() -> type[TrinoParser]:
    """Return a reader that renames no function."""

    class Reader(TrinoParser):
        FUNCTIONS = {}
        NO_PAREN_FUNCTION_PARSERS = {
            name: parser
            for name, parser in TrinoParser.NO_PAREN_FUNCTION_PARSERS.items()
            if name == "CASE"
        }
        FUNCTION_PARSERS = {
            name: parser
            for name, parser in TrinoParser.FUNCTION_PARSERS.items()
            if name in {"CAST", "TRY_CAST", "EXTRACT", "SUBSTRING", "POSITION", "TRIM"}
        }
        TYPE_LITERAL_PARSERS: ClassVar[Any] = dict.fromkeys(exp.DType, _typed_literal)

    return Reader


def parse(sql: str) -> exp.Query | exp.Values:
    """Return the tree of the one query in the text.

    Raises
    ------
    UserError
        When the text is no query, or more than one.
    Refused
        When it uses what Athena's grammar does not have.
    """
    dialect = _dialect()()
    try:
        tokens = dialect.tokenize(sql)
    except SqlglotError as error:
        raise UserError(f"not SQL: {error}") from error
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    if not tokens:
        raise UserError("no query; write for example: SELECT formula FROM results LIMIT 10")
    _refuse_statements(tokens)
    _refuse_leaks(sql, tokens)
    try:
        trees = _parser()(dialect=dialect).parse(tokens, sql)
    except SqlglotError as error:
        raise UserError(f"not SQL that Athena reads: {_first_line(error)}") from error
    tree = trees[0]
    if not isinstance(tree, exp.Query | exp.Values):
        raise refuse(f"'{tokens[0].text}'", "only queries are allowed; begin with SELECT or WITH")
    _refuse_unwritten(tokens, tree)
    return tree


def _first_line(error: SqlglotError) -> str:
    import re

    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    plain = re.sub(r"Required keyword: '\w+' missing for <class [^>]*>", "a part is missing", plain)
    return " ".join(plain.split())


def _refuse_statements(tokens: list[Token]) -> None:
    first = tokens[0]
    if first.token_type is TokenType.FROM:
        raise refuse("a query that begins with FROM", "write SELECT * FROM ...")
    allowed = {TokenType.SELECT, TokenType.WITH, TokenType.VALUES, TokenType.L_PAREN}
    if first.token_type not in allowed:
        raise refuse(f"'{first.text}'", "only queries are allowed; begin with SELECT or WITH")
    if any(token.token_type is TokenType.SEMICOLON for token in tokens):
        raise refuse("';'", "one query at a time")


def _refuse_leaks(sql: str, tokens: list[Token]) -> None:
    """Refuse what leaves no trace in the tree."""
    _refuse_late_offset(tokens)
    for here, token in enumerate(tokens):
        following = tokens[here + 1] if here + 1 < len(tokens) else None
        kind = token.token_type
        written = sql[token.start : token.end + 1]
        if kind in _LEAKS:
            raise refuse(*_LEAKS[kind])
        if written.startswith(("`", "$$")):
            raise refuse(written, "names stand in double quotes, texts in single quotes")
        if written.upper() in _WORDS:
            raise refuse(written, _WORDS[written.upper()])
        if written == "==":
            raise refuse("'=='", "write '='")
        if kind is TokenType.SLASH and sql[token.end + 1 : token.end + 2] == "/":
            raise refuse("'//'", "write '/': of whole numbers, it drops the fraction in Athena")
        if kind is TokenType.COMMA and (following is None or following.token_type in _CLOSERS):
            raise refuse("a comma before nothing", "leave out the trailing comma")
        if kind is TokenType.L_BRACKET and not _is_subscript(tokens, here):
            raise refuse("'['", "write ARRAY[1, 2]")
        if kind is TokenType.INTERVAL:
            _check_interval(tokens, here)


def _refuse_late_offset(tokens: list[Token]) -> None:
    depth = 0
    limited: dict[int, bool] = {}
    for here, token in enumerate(tokens):
        kind = token.token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        if kind is TokenType.L_PAREN:
            limited[depth] = False
        elif kind is TokenType.LIMIT:
            limited[depth] = True
            if [after.token_type for after in tokens[here + 2 : here + 3]] == [TokenType.COMMA]:
                raise refuse("LIMIT with two numbers", "write OFFSET m LIMIT n")
        elif kind is TokenType.OFFSET and limited.get(depth):
            raise refuse("LIMIT before OFFSET", "write OFFSET m LIMIT n")


def _is_subscript(tokens: list[Token], here: int) -> bool:
    """Tell `a[1]` and `ARRAY[1]` from `[1]`."""
    if here == 0:
        return False
    before = tokens[here - 1].token_type
    return before in {
        TokenType.VAR,
        TokenType.IDENTIFIER,
        TokenType.ARRAY,
        TokenType.R_PAREN,
        TokenType.R_BRACKET,
    } or (tokens[here - 1].text.isidentifier() and before not in _BEFORE_A_VALUE)


_BEFORE_A_VALUE = {
    TokenType.SELECT,
    TokenType.WHERE,
    TokenType.AND,
    TokenType.OR,
    TokenType.NOT,
    TokenType.IN,
    TokenType.FROM,
    TokenType.BETWEEN,
    TokenType.ON,
    TokenType.HAVING,
    TokenType.DISTINCT,
    TokenType.WHEN,
    TokenType.THEN,
    TokenType.ELSE,
    TokenType.CASE,
    TokenType.LIKE,
    TokenType.GROUP_BY,
    TokenType.ORDER_BY,
    TokenType.VALUES,
    TokenType.ALL,
}


def _check_interval(tokens: list[Token], here: int) -> None:
    after = tokens[here + 1 : here + 3]
    if (
        len(after) < 2  # noqa: PLR2004  (amount and unit)
        or after[0].token_type is not TokenType.STRING
        or not after[0].text.lstrip("+-").isdigit()
        or after[1].text.upper() not in _UNITS
    ):
        raise refuse("this INTERVAL", "write INTERVAL '1' DAY (year, month, day, hour, ...)")


def _refuse_unwritten(tokens: list[Token], tree: exp.Query | exp.Values) -> None:
    """Refuse `FROM t` and `TABLE t`, for which sqlglot makes up a SELECT *, and bare JOINs.

    It also makes up one around VALUES in WITH; that one is harmless.
    """
    written = sum(token.token_type is TokenType.SELECT for token in tokens)
    made = [
        select
        for select in tree.find_all(exp.Select)
        if not isinstance(getattr(select.args.get("from_"), "this", None), exp.Values)
    ]
    if written < len(made):
        raise Refused("a query without SELECT: write SELECT * FROM ...")
    conditions = [
        join
        for join in tree.find_all(exp.Join)
        if join.args.get("on") or join.args.get("using") or join.args.get("kind") == "CROSS"
    ]
    if sum(token.token_type is TokenType.JOIN for token in tokens) > len(conditions):
        raise Refused("JOIN without a condition: write ON a.key = b.key, or CROSS JOIN")
