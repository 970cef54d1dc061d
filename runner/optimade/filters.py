"""The grammar of OPTIMADE filters: mistakes are seen before a database is asked.

The optional parts of the specification are let through; whether a database knows them, and the
properties that a filter names, it says itself. OPTIMADE 1.2.0, "The Filter Language Syntax",
https://specification.optimade.org/v1.2.0/
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lark import Lark
    from lark.exceptions import UnexpectedInput

LONGEST_FILTER = 20_000
"""Characters; longer ones do not fit into the address of a request on any server."""

GRAMMAR = r"""
    start: any_of
    any_of: all_of ("OR" all_of)*
    all_of: phrase ("AND" phrase)*
    phrase: "NOT"? (comparison | "(" any_of ")")
    comparison: property rule
              | (TEXT | NUMBER) OPERATOR (property | TEXT | NUMBER)
    rule: OPERATOR value
        | "IS" ("KNOWN" | "UNKNOWN")
        | "CONTAINS" value
        | "STARTS" "WITH"? value
        | "ENDS" "WITH"? value
        | "LENGTH" OPERATOR? NUMBER
        | "HAS" list_rule
        | (":" property)+ "HAS" zip_rule
    list_rule: item
             | ("ALL" | "ANY" | "ONLY") item ("," item)*
    zip_rule: zipped
            | ("ALL" | "ANY" | "ONLY") zipped ("," zipped)*
    zipped: item (":" item)+
    item: OPERATOR? value
    value: TEXT | NUMBER | "TRUE" | "FALSE" | property
    property: NAME ("." INNER_NAME)*
    OPERATOR: "<=" | ">=" | "!=" | "<" | ">" | "="
    NAME: /[a-z_][a-z0-9_]*/
    INNER_NAME: /[a-z_+][a-z0-9_+]*/
    NUMBER: /[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?/
    TEXT: /"(\\.|[^"\\])*"/s
    %ignore /[ \t\r\n]+/
"""

_INSTEAD = {
    "'": "texts stand in double quotes",
    '"': "a quote that is not closed",
    "&": "write AND",
    "|": "write OR",
    "!": "write NOT",
    "[": 'lists have no brackets: HAS ALL "Ti","O"',
}
_WORDS = re.compile(
    "and|or|not|is|known|unknown|contains|starts|ends|with|length|has|all|any|only|true|false",
    re.IGNORECASE,
)


@cache
def _parser() -> Lark:
    from lark import Lark

    return Lark(GRAMMAR, parser="lalr")


def filter_problem(text: str) -> str | None:
    """Return what is wrong with the syntax of a filter, or None."""
    if not text.strip():
        return "an empty filter; leave it out, or ask for something"
    if len(text) > LONGEST_FILTER:
        return f"a filter of {len(text)} characters; at most {LONGEST_FILTER} can be asked"
    from lark.exceptions import UnexpectedInput

    try:
        _parser().parse(text)
    except UnexpectedInput as error:
        return _explained(text, error)
    except RecursionError:
        return "parentheses that are nested too deep"
    return None


def _explained(text: str, error: UnexpectedInput) -> str:
    position = error.pos_in_stream
    at_end = getattr(getattr(error, "token", None), "type", "") == "$END"
    if at_end or position is None:
        return f"the filter ends too early, after '{text.strip()[-20:]}'"
    rest = text[position:]
    word = rest.split()[0].rstrip(",()") or rest[0]
    hint = _hint(text, position, word)
    return f"not expected: '{word[:40]}' (column {position + 1}){hint}"


def _hint(text: str, position: int, word: str) -> str:
    if _WORDS.fullmatch(word) and word != word.upper():
        return f"; the words of the language are capitals: {word.upper()}"
    if word[0] == "=" and text[:position].endswith("="):
        return "; one = compares"
    if word[0] in _INSTEAD:
        return f"; {_INSTEAD[word[0]]}"
    if word[0].isalpha() and word[0].isupper() and word.upper() != word.lower():
        return "; properties are written in small letters, texts in double quotes"
    return ""
