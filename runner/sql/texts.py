"""Functions of text whose arguments are checked as written: patterns, separators, JSON paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from runner.sql.kinds import BIGINT, BOOLEAN, VARCHAR, Typed, array, common, text_literal
from runner.sql.refusal import refuse

_PATH = re.compile(r"\$(\.[A-Za-z_][A-Za-z0-9_]*|\[[0-9]+\])*")
_BEYOND_RE2 = re.compile(
    r"\\[1-9]|\\k|\\[pPZzAGXQEhHRvVbBKNCc]|\(\?(?!:|i\))|[*+?}]\+|\[\[|\[\^?[^\]]*&&|\$."
)
"""What Athena's regular expressions know and DuckDB's do not, or take for something else."""
_OPTIONAL_GROUP = re.compile(r"\)[?*{]|\|")
_PLACEHOLDER = re.compile(r"\$([0-9])")


def _text(argument: Typed, what: str) -> str:
    if common(argument.kind, VARCHAR) != VARCHAR:
        raise refuse(f"{what} of {argument.kind}", "it takes text; CAST AS varchar")
    return argument.to(VARCHAR)


def _literal(argument: Typed, what: str) -> str:
    if not isinstance(argument.value, str):
        raise refuse(what, "must be written as a text in the query, so that it can be checked")
    return argument.value


def _count(name: str, args: Sequence[Typed], *allowed: int) -> None:
    if len(args) not in allowed:
        numbers = " or ".join(str(number) for number in allowed)
        raise refuse(f"{name}() with {len(args)} argument(s)", f"only with {numbers} here")


def _position(argument: Typed, what: str) -> int:
    if not isinstance(argument.value, int) or argument.value < 1:
        raise refuse(what, "must be written as a number from 1")
    return argument.value


def _pattern(argument: Typed, name: str) -> str:
    """Return a regular expression that means the same in both systems."""
    pattern = _literal(argument, f"the pattern of {name}()")
    odd = _BEYOND_RE2.search(pattern)
    if odd:
        raise refuse(
            f"'{odd.group()}' in the pattern of {name}()",
            "DuckDB's regular expressions (RE2) lack it; write classes like [A-Za-z], no "
            "lookaround, no back-references, '$' only at the end",
        )
    return text_literal(pattern)


def _regexp_like(name: str, args: Sequence[Typed]) -> Typed:
    _count(name, args, 2)
    subject = _text(args[0], name)
    return Typed(f"regexp_matches(one_line({subject}), {_pattern(args[1], name)})", BOOLEAN)


def _regexp_extract(name: str, args: Sequence[Typed]) -> Typed:
    """Null without a match; DuckDB's own gives an empty text."""
    found = _all_matches(name, args)
    if name == "regexp_extract_all":
        return Typed(found, array(VARCHAR))
    return Typed(f"list_extract({found}, 1)", VARCHAR)


def _all_matches(name: str, args: Sequence[Typed]) -> str:
    _count(name, args, 2, 3)
    subject, pattern = _text(args[0], name), _pattern(args[1], name)
    group = 0
    if len(args) == 3:  # noqa: PLR2004  (the third names the group)
        group = _position(args[2], f"the group of {name}()")
        if _OPTIONAL_GROUP.search(_literal(args[1], name)):
            raise refuse(
                f"{name}() of a group beside '|' or an optional group",
                "a group that took no part is null in Athena and empty in DuckDB",
            )
    return f"regexp_extract_all(one_line({subject}), {pattern}, {group})"


def _regexp_replace(name: str, args: Sequence[Typed]) -> Typed:
    """All matches are replaced; groups are written `$1` in Athena, with a backslash in DuckDB."""
    _count(name, args, 2, 3)
    subject, pattern = _text(args[0], name), _pattern(args[1], name)
    written = _literal(args[2], f"the replacement of {name}()") if len(args) == 3 else ""  # noqa: PLR2004  (the third)
    if "\\" in written or "$" in _PLACEHOLDER.sub("", written):
        raise refuse(f"{name}() with '{written}'", "only $0 to $9 stand for groups")
    if "$" in written and _OPTIONAL_GROUP.search(_literal(args[1], name)):
        raise refuse(f"{name}() with an optional group", "use a pattern without '|' and '?'")
    replacement = text_literal(_PLACEHOLDER.sub(r"\\\1", written))
    return Typed(f"regexp_replace(one_line({subject}), {pattern}, {replacement}, 'g')", VARCHAR)


def _replace(name: str, args: Sequence[Typed]) -> Typed:
    _count(name, args, 2, 3)
    _separator(args[1], name)
    other = _text(args[2], name) if len(args) == 3 else "''"  # noqa: PLR2004  (the third)
    return Typed(f"replace({_text(args[0], name)}, {args[1].sql}, {other})", VARCHAR)


def _separator(argument: Typed, name: str) -> None:
    if not _literal(argument, f"the second argument of {name}()"):
        raise refuse(f"{name}() with an empty text", "give it a text to look for")


def _split(name: str, args: Sequence[Typed]) -> Typed:
    _count(name, args, 2)
    _separator(args[1], name)
    return Typed(f"str_split({_text(args[0], name)}, {args[1].sql})", array(VARCHAR))


def _split_part(name: str, args: Sequence[Typed]) -> Typed:
    """Null past the end; DuckDB's own gives an empty text."""
    _count(name, args, 3)
    _separator(args[1], name)
    place = _position(args[2], "the part of split_part()")
    parts = f"str_split({_text(args[0], name)}, {args[1].sql})"
    return Typed(f"list_extract({parts}, {place})", VARCHAR)


def _pad(name: str, args: Sequence[Typed]) -> Typed:
    _count(name, args, 3)
    _separator(args[2], name)
    size = _position(args[1], f"the length of {name}()")
    return Typed(f"{name}({_text(args[0], name)}, {size}, {args[2].sql})", VARCHAR)


def _concat_ws(name: str, args: Sequence[Typed]) -> Typed:
    if len(args) < 2:  # noqa: PLR2004  (separator and a text)
        raise refuse("concat_ws()", "give it a separator and texts")
    return Typed(f"concat_ws({', '.join(_text(part, name) for part in args)})", VARCHAR)


def _json_extract_scalar(name: str, args: Sequence[Typed]) -> Typed:
    _count(name, args, 2)
    return Typed(f"json_scalar({json_text(args[0], name)}, {json_path(args[1], name)})", VARCHAR)


def _json_array_length(name: str, args: Sequence[Typed]) -> Typed:
    _count(name, args, 1)
    return Typed(f"json_length({json_text(args[0], name)}, '$')", BIGINT)


def json_text(argument: Typed, name: str) -> str:
    """Return text that is known to be canonical JSON.

    Raises
    ------
    Refused
        For any other text: numbers in it might be written otherwise than Athena prints them.
    """
    if not argument.kind.json:
        raise refuse(f"{name}() of {argument.kind}", "it takes a column that holds JSON")
    return argument.sql


def json_path(argument: Typed, name: str) -> str:
    """Return a JSON path that both systems read alike."""
    path = _literal(argument, f"the path of {name}()")
    if not _PATH.fullmatch(path):
        raise refuse(f"the path '{path}' of {name}()", "write '$.name.other[0]'")
    return text_literal(path)


TEXTS: Mapping[str, Callable[[str, Sequence[Typed]], Typed]] = {
    "regexp_like": _regexp_like,
    "regexp_extract": _regexp_extract,
    "regexp_extract_all": _regexp_extract,
    "regexp_replace": _regexp_replace,
    "replace": _replace,
    "split": _split,
    "split_part": _split_part,
    "lpad": _pad,
    "rpad": _pad,
    "concat_ws": _concat_ws,
    "json_extract_scalar": _json_extract_scalar,
    "json_array_length": _json_array_length,
}
