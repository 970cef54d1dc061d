"""Regular expressions, as far as both systems read them alike."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from runner.sql.arguments import count, literal, position, text
from runner.sql.kinds import BIGINT, BOOLEAN, INTEGER, VARCHAR, Typed, array, text_literal
from runner.sql.overloads import Special
from runner.sql.refusal import refuse

_BEYOND_RE2 = re.compile(
    r"\\[1-9]|\\k|\\[pPZzAGXQEhHRvVbBKNCc]|\(\?(?!:|i\))|[*+?}]\+|\[\[|\[\^?[^\]]*&&|\$."
)
"""What Athena's regular expressions know and DuckDB's do not, or take for something else."""
_OPTIONAL_GROUP = re.compile(r"\)[?*{]|\|")
_PLACEHOLDER = re.compile(r"\$([0-9])")


def _pattern(argument: Typed, name: str) -> str:
    """Return a regular expression that means the same in both systems."""
    pattern = literal(argument, f"the pattern of {name}()")
    odd = _BEYOND_RE2.search(pattern)
    if odd:
        raise refuse(
            f"'{odd.group()}' in the pattern of {name}()",
            "DuckDB's regular expressions (RE2) lack it; write classes like [A-Za-z], no "
            "lookaround, no back-references, '$' only at the end",
        )
    try:
        re.compile(pattern)
    except re.error as error:
        raise refuse(f"the pattern '{pattern}'", f"not a regular expression: {error}") from error
    return text_literal(pattern)


def _never_empty(argument: Typed, name: str) -> None:
    """Refuse a pattern that matches nothing at all: what is between its matches differs."""
    pattern = literal(argument, name)
    found = (re.match(pattern, text) for text in ("", "a", "A", "0", " ", "-"))
    if any(match is not None and not match.group() for match in found):
        raise refuse(
            f"{name}() with a pattern that matches an empty text", "write + instead of * or ?"
        )


def _like(name: str, args: Sequence[Typed]) -> Typed:
    count(name, args, 2)
    subject = text(args[0], name)
    return Typed(f"regexp_matches(one_line({subject}), {_pattern(args[1], name)})", BOOLEAN)


def _extract(name: str, args: Sequence[Typed]) -> Typed:
    """Null without a match; DuckDB's own gives an empty text."""
    found = _all_matches(name, args)
    if name == "regexp_extract_all":
        return Typed(found, array(VARCHAR))
    return Typed(f"list_extract({found}, 1)", VARCHAR)


def _all_matches(name: str, args: Sequence[Typed]) -> str:
    count(name, args, 2, 3)
    subject, pattern = text(args[0], name), _pattern(args[1], name)
    group = 0
    if len(args) == 3:  # noqa: PLR2004  (the third names the group)
        group = position(args[2], f"the group of {name}()", 0)
        groups = re.compile(literal(args[1], name)).groups
        if group > groups:
            raise refuse(f"group {group} of {name}()", f"the pattern has {groups} group(s)")
        if group and _OPTIONAL_GROUP.search(literal(args[1], name)):
            raise refuse(
                f"{name}() of a group beside '|' or an optional group",
                "a group that took no part is null in Athena and empty in DuckDB",
            )
    return f"regexp_extract_all(one_line({subject}), {pattern}, {group})"


def _count(name: str, args: Sequence[Typed]) -> Typed:
    count(name, args, 2)
    _never_empty(args[1], name)
    return Typed(f"CAST(len({_all_matches(name, args)}) AS BIGINT)", BIGINT)


def _split(name: str, args: Sequence[Typed]) -> Typed:
    count(name, args, 2)
    subject, pattern = text(args[0], name), _pattern(args[1], name)
    _never_empty(args[1], name)
    return Typed(f"regexp_split_to_array(one_line({subject}), {pattern})", array(VARCHAR))


def _position(name: str, args: Sequence[Typed]) -> Typed:
    count(name, args, 2)
    subject, pattern = text(args[0], name), _pattern(args[1], name)
    _never_empty(args[1], name)
    before = f"list_extract(regexp_split_to_array(one_line({subject}), {pattern}), 1)"
    return Typed(
        f"(CASE WHEN regexp_matches(one_line({subject}), {pattern}) "
        f"THEN CAST(length({before}) + 1 AS INTEGER) WHEN {subject} IS NULL THEN NULL ELSE -1 END)",
        INTEGER,
    )


def _replace(name: str, args: Sequence[Typed]) -> Typed:
    """All matches are replaced; groups are written `$1` in Athena, with a backslash in DuckDB."""
    count(name, args, 2, 3)
    subject, pattern = text(args[0], name), _pattern(args[1], name)
    written = literal(args[2], f"the replacement of {name}()") if len(args) == 3 else ""  # noqa: PLR2004  (the third)
    if "\\" in written or "$" in _PLACEHOLDER.sub("", written):
        raise refuse(f"{name}() with '{written}'", "only $0 to $9 stand for groups")
    if re.search(r"\$[0-9][0-9]", written):
        raise refuse(f"{name}() with '{written}'", "no digit may follow $1")
    wanted = [int(number) for number in _PLACEHOLDER.findall(written)]
    if max(wanted, default=0) > re.compile(literal(args[1], name)).groups:
        raise refuse(f"{name}() with '{written}'", "the pattern has no such group")
    if any(wanted) and _OPTIONAL_GROUP.search(literal(args[1], name)):
        raise refuse(f"{name}() with an optional group", "use a pattern without '|' and '?'")
    replacement = text_literal(_PLACEHOLDER.sub(r"\\\1", written))
    return Typed(f"regexp_replace(one_line({subject}), {pattern}, {replacement}, 'g')", VARCHAR)


PATTERNS: Mapping[str, Special] = {
    "regexp_count": _count,
    "regexp_extract": _extract,
    "regexp_extract_all": _extract,
    "regexp_like": _like,
    "regexp_position": _position,
    "regexp_replace": _replace,
    "regexp_split": _split,
}
