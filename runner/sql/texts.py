"""Functions of text, and of bytes made of text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from runner.sql import formats
from runner.sql.arguments import count, joined, literal, position, text
from runner.sql.kinds import BIGINT, BOOLEAN, INTEGER, VARBINARY, VARCHAR, Typed, array
from runner.sql.macros import WHITE_SPACE
from runner.sql.overloads import Overload, Special, chosen, of
from runner.sql.refusal import refuse


def _hash(name: str) -> tuple[Overload, ...]:
    return (of(f"unhex({name}({{0}}))", VARBINARY, VARBINARY),)


_WRITTEN_LETTERS = range(1, 128)
"""Code points for which chr() is a text as if written; the others are looked at by a macro."""
_CODE_POINT = (of("code_point({0})", VARCHAR, BIGINT),)
_SUBSTRING = (
    of("substring_from({0}, {1})", VARCHAR, VARCHAR, BIGINT),
    of("substring_of({0}, {1}, {2})", VARCHAR, VARCHAR, BIGINT, BIGINT),
)
TEXTS: Mapping[str, tuple[Overload, ...]] = {
    "length": (
        of("CAST(length({0}) AS BIGINT)", BIGINT, VARCHAR),
        of("octet_length({0})", BIGINT, VARBINARY),
    ),
    "lower": (of("lower(plain({0}))", VARCHAR, VARCHAR),),
    "upper": (of("upper(plain({0}))", VARCHAR, VARCHAR),),
    **{
        name: (
            of(f"{name}({{0}}, {WHITE_SPACE})", VARCHAR, VARCHAR),
            of(f"{name}({{0}}, {{1}})", VARCHAR, VARCHAR, VARCHAR),
        )
        for name in ("trim", "ltrim", "rtrim")
    },
    "substr": _SUBSTRING,
    "substring": _SUBSTRING,
    "strpos": (of("CAST(strpos({0}, {1}) AS BIGINT)", BIGINT, VARCHAR, VARCHAR),),
    "starts_with": (of("starts_with({0}, {1})", BOOLEAN, VARCHAR, VARCHAR),),
    "translate": (of("translate({0}, {1}, {2})", VARCHAR, VARCHAR, VARCHAR, VARCHAR),),
    "codepoint": (of("CAST(unicode(one_letter({0})) AS INTEGER)", INTEGER, VARCHAR),),
    "levenshtein_distance": (
        of("CAST(levenshtein(plain({0}), plain({1})) AS BIGINT)", BIGINT, VARCHAR, VARCHAR),
    ),
    "hamming_distance": (
        of("CAST(hamming(plain({0}), plain({1})) AS BIGINT)", BIGINT, VARCHAR, VARCHAR),
    ),
    "to_utf8": (of("encode({0})", VARBINARY, VARCHAR),),
    "from_utf8": (of("decode({0})", VARCHAR, VARBINARY),),
    "to_hex": (of("hex({0})", VARCHAR, VARBINARY),),
    "from_hex": (of("unhex({0})", VARBINARY, VARCHAR),),
    "to_base64": (of("base64({0})", VARCHAR, VARBINARY),),
    "from_base64": (of("from_base64({0})", VARBINARY, VARCHAR),),
    "md5": _hash("md5"),
    "sha1": _hash("sha1"),
    "sha256": _hash("sha256"),
    "to_base": (of("in_base({0}, {1})", VARCHAR, BIGINT, BIGINT),),
    "url_encode": (of("replace(url_encode(plain({0})), '%20', '+')", VARCHAR, VARCHAR),),
}


def _separator(argument: Typed, name: str) -> str:
    if not literal(argument, f"the second argument of {name}()"):
        raise refuse(f"{name}() with an empty text", "give it a text to look for")
    return argument.sql


def _replace(name: str, args: Sequence[Typed]) -> Typed:
    count(name, args, 2, 3)
    searched = text(args[1], name)
    if isinstance(args[1].value, str):
        _separator(args[1], name)
    else:
        searched = f"some_text({searched})"
    other = text(args[2], name) if len(args) == 3 else "''"  # noqa: PLR2004  (the third)
    return Typed(f"replace({text(args[0], name)}, {searched}, {other})", VARCHAR)


def _split(name: str, args: Sequence[Typed]) -> Typed:
    count(name, args, 2, 3)
    separator = _separator(args[1], name)
    if len(args) == 2:  # noqa: PLR2004  (no limit)
        return Typed(f"str_split({text(args[0], name)}, {separator})", array(VARCHAR))
    limit = position(args[2], "the limit of split()")
    return Typed(f"split_at_most({text(args[0], name)}, {separator}, {limit})", array(VARCHAR))


def _split_part(name: str, args: Sequence[Typed]) -> Typed:
    """Null past the end; DuckDB's own gives an empty text."""
    count(name, args, 3)
    separator = _separator(args[1], name)
    if isinstance(args[2].value, int):
        position(args[2], "the part of split_part()")
    elif not args[2].kind.whole:
        raise refuse(f"split_part() with {args[2].kind}", "its third argument is a whole number")
    return Typed(f"text_part({text(args[0], name)}, {separator}, {args[2].sql})", VARCHAR)


def _strpos(name: str, args: Sequence[Typed]) -> Typed:
    count(name, args, 2)
    first, second = (text(argument, name) for argument in args)
    return Typed(f"CAST(strpos({first}, {second}) AS BIGINT)", BIGINT)


def _pad(name: str, args: Sequence[Typed]) -> Typed:
    count(name, args, 3)
    filling = _separator(args[2], name)
    size = position(args[1], f"the length of {name}()", 0)
    return Typed(f"{name}({text(args[0], name)}, {size}, {filling})", VARCHAR)


def _concat_ws(name: str, args: Sequence[Typed]) -> Typed:
    if len(args) < 2:  # noqa: PLR2004  (separator and a text)
        raise refuse("concat_ws()", "give it a separator and texts")
    if len(args) == 2 and args[1].kind.name == "array":  # noqa: PLR2004  (separator and texts)
        given = Typed(args[1].sql, args[1].kind).to(array(VARCHAR))
        return Typed(joined(given, args[0], name), VARCHAR)
    return Typed(f"concat_ws({', '.join(text(part, name) for part in args)})", VARCHAR)


def _reverse(name: str, args: Sequence[Typed]) -> Typed:
    count(name, args, 1)
    if args[0].kind.name == "array":
        return Typed(f"list_reverse({args[0].sql})", args[0].kind)
    return Typed(f"reverse(plain({text(args[0], name)}))", VARCHAR)


def _format(name: str, args: Sequence[Typed]) -> Typed:
    """Compile format('%s has %d', ...), piece by piece."""
    if len(args) < 2:  # noqa: PLR2004  (a pattern and values)
        raise refuse("format()", "give it a pattern and values")
    pattern = literal(args[0], "the pattern of format()")
    pieces = re.split(r"(%[^a-zA-Z%]*[a-zA-Z%])", pattern)
    values = iter(args[1:])
    written = [formats.piece(part, values) for part in pieces if part]
    if next(values, None) is not None:
        raise refuse(f"{name}('{pattern}')", "more values than places for them")
    return Typed(f"({' || '.join(written)})", VARCHAR)


def _chr(name: str, args: Sequence[Typed]) -> Typed:
    """Compile chr(10): of a written number a text that counts as written, like ','."""
    count(name, args, 1)
    written = args[0].value
    if isinstance(written, int) and written in _WRITTEN_LETTERS:
        return Typed(f"chr({written})", VARCHAR, value=chr(written))
    return chosen(name, _CODE_POINT, args)


SPECIAL_TEXTS: Mapping[str, Special] = {
    "chr": _chr,
    "concat_ws": _concat_ws,
    "format": _format,
    "lpad": _pad,
    "replace": _replace,
    "reverse": _reverse,
    "rpad": _pad,
    "split": _split,
    "split_part": _split_part,
    "strpos": _strpos,
}
