"""Fortran namelists inside a text: read, and changed in place, with all else kept as it stands.

A lexer of our own: the libraries for namelists write them anew, or lose elements of arrays, when
one keyword of a commented file is to change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from fireworks_ext.engines.espresso.keywords import Value, canonical, split_index

_GROUP = re.compile(r"^[ \t]*[&$](?!end\b)([A-Za-z]\w*)", re.MULTILINE | re.IGNORECASE)
_TOKEN = re.compile(
    r"""(?P<comment>![^\n]*)
      | (?P<string>'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<end>/|[&$]end\b)
      | (?P<name>[A-Za-z]\w*[ \t]*(?:\([^)=]*\))?)\s*=(?!=)
      | (?P<comma>,)
      | (?P<word>[^\s,'"!/=]+)
      | (?P<space>\s+|=)""",
    re.VERBOSE | re.IGNORECASE,
)
_INTEGER = re.compile(r"[-+]?\d+")
_REPEATED = re.compile(r"(\d+)\*(.*)", re.DOTALL)


@dataclass(frozen=True)
class _Scalar:
    """One value in the text, for one or (`3*0.5`) several elements in a row."""

    start: int
    end: int
    text: str
    first: int
    count: int


@dataclass(frozen=True)
class _Assignment:
    """One `name = values`: where it stands and what it says."""

    name: str
    index: str
    start: int
    end: int
    scalars: tuple[_Scalar, ...]


@dataclass(frozen=True)
class _Group:
    """One namelist: `body` is where its keywords start, `end` where its closing slash stands."""

    name: str
    start: int
    body: int
    end: int
    after: int
    assignments: tuple[_Assignment, ...]


class NamelistText:
    """A text with namelists. Names of namelists and keywords are small letters, without blanks."""

    def __init__(self, text: str) -> None:
        self.text = text

    def groups(self) -> tuple[str, ...]:
        """Return the names of its namelists, in order."""
        return tuple(group.name for group in _groups(self.text))

    def keywords(self) -> tuple[str, ...]:
        """Return every keyword that is set, with its index, in order."""
        names: list[str] = []
        for group in _groups(self.text):
            for one in group.assignments:
                names += [_written(one, item) for item in range(_length(one))]
        return tuple(dict.fromkeys(names))

    def end_of_groups(self) -> int:
        """Return the position after the last namelist."""
        return max((group.after for group in _groups(self.text)), default=0)

    def group_of(self, keyword: str) -> str | None:
        """Return the namelist in which a keyword is set."""
        name = split_index(keyword)[0]
        for group in _groups(self.text):
            if any(one.name == name for one in group.assignments):
                return group.name
        return None

    def get(self, keyword: str) -> Value | None:
        """Return what the text sets a keyword to (an element, for an index), or None."""
        wanted, found = canonical(keyword), None
        for group in _groups(self.text):
            for one in group.assignments:
                for scalar in one.scalars:
                    if any(wanted in _names(one, scalar.first + n) for n in range(scalar.count)):
                        found = scalar.text
        return None if found is None else value_of(found)

    def set(self, group: str, keyword: str, value: Value) -> None:
        """Set a keyword of a namelist where it stands, or at the end of the namelist."""
        wanted, written = canonical(keyword), fortran(value)
        self._split_lists(wanted)
        target = None
        for found in _groups(self.text):
            for one in found.assignments:
                if one.scalars and wanted in _names(one, 0):
                    target = one
        if target is not None:
            scalar = target.scalars[0]
            self._replace(scalar.start, target.scalars[-1].end, written)
            return
        self._append(group, f"  {wanted} = {written}")

    def unset(self, keyword: str) -> None:
        """Take a keyword out; without an index, all its elements."""
        wanted = canonical(keyword)
        name, index = split_index(keyword)
        if index:
            self._split_lists(wanted)
        while True:
            one = next(
                (
                    one
                    for group in _groups(self.text)
                    for one in group.assignments
                    if one.name == name and (not index or wanted in _names(one, 0))
                ),
                None,
            )
            if one is None:
                return
            self._remove(one)

    def add_group(self, name: str, after: tuple[str, ...]) -> None:
        """Write an empty namelist behind the last one of `after` that is there."""
        places = [group.after for group in _groups(self.text) if group.name in after]
        at = max(places, default=0)
        block = f"&{name.upper()}\n/\n"
        self.text = self.text[:at] + ("\n" if at else "") + block + self.text[at:].lstrip("\n")

    def _append(self, group: str, line: str) -> None:
        found = next((one for one in _groups(self.text) if one.name == group), None)
        if found is None:
            self.add_group(group, self.groups())
            self._append(group, line)
            return
        head = self.text[: found.end]
        bare = head.rstrip(" \t")
        head = bare if bare.endswith("\n") else f"{head.rstrip()}\n"
        # The slash keeps the indentation that it had.
        indent = self.text[len(bare) : found.end] if bare.endswith("\n") else ""
        self.text = f"{head}{line}\n{indent}{self.text[found.end :]}"

    def _split_lists(self, wanted: str) -> None:
        """Give each element of a list its own assignment where one of them is wanted."""
        for group in reversed(_groups(self.text)):
            for one in reversed(group.assignments):
                length = _length(one)
                names = [_names(one, item) for item in range(length)]
                if length == 1 or not any(wanted in alike for alike in names):
                    continue
                parts = [
                    f"{_written(one, scalar.first + n)} = {scalar.text}"
                    for scalar in one.scalars
                    for n in range(scalar.count)
                ]
                self._replace(one.start, one.scalars[-1].end, ", ".join(parts))

    def _remove(self, one: _Assignment) -> None:
        start, end = one.start, one.end
        line = self.text.rfind("\n", 0, start) + 1
        alone = not self.text[line:start].strip() and self.text[end : end + 1] == "\n"
        self._replace(line if alone else start, end + 1 if alone else end, "")

    def _replace(self, start: int, end: int, new: str) -> None:
        self.text = self.text[:start] + new + self.text[end:]


def value_of(text: str) -> Value:
    """Return a Fortran constant as a value; what is none of the others is a text."""
    if text[:1] in {"'", '"'}:
        return text[1:-1].replace(text[0] * 2, text[0])
    if _INTEGER.fullmatch(text):
        return int(text)
    try:
        return float(text.lower().replace("d", "e"))
    except ValueError:
        letter = text.lstrip(".").lower()[:1]
        return letter == "t" if letter in {"t", "f"} else text


def fortran(value: Value) -> str:
    """Return a value as a Fortran constant; numbers keep all their digits."""
    if isinstance(value, bool):
        return ".true." if value else ".false."
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def _names(one: _Assignment, item: int) -> set[str]:
    """Return all that an element may be called: `a = 1` is also `a(1)`."""
    if one.index:
        return {_written(one, item)}
    return {f"{one.name}({item + 1})", *([one.name] if item == 0 else [])}


def _written(one: _Assignment, item: int) -> str:
    """Return the name of an element of an assignment, `celldm(2)`."""
    if not one.index:
        return one.name if _length(one) == 1 else f"{one.name}({item + 1})"
    first, *others = one.index.split(",")
    return f"{one.name}({','.join([str(int(first) + item), *others])})"


def _length(one: _Assignment) -> int:
    return max((scalar.first + scalar.count for scalar in one.scalars), default=1)


@lru_cache(maxsize=64)  # several keywords are asked of one text
def _groups(text: str) -> tuple[_Group, ...]:
    at, groups = 0, []
    while found := _GROUP.search(text, at):
        groups.append(_group(text, found))
        at = groups[-1].after
    return tuple(groups)


def _group(text: str, found: re.Match[str]) -> _Group:
    starts: list[re.Match[str]] = []
    tokens: list[list[re.Match[str]]] = []
    at = end = after = found.end()
    while token := _TOKEN.match(text, at):
        at = end = after = token.end()
        if token.lastgroup == "end":
            end = token.start()
            break
        if token.lastgroup == "name":
            starts.append(token)
            tokens.append([])
        elif tokens and token.lastgroup in {"string", "word", "comma"}:
            tokens[-1].append(token)
    assignments = tuple(_assignment(a, b) for a, b in zip(starts, tokens, strict=True))
    return _Group(found[1].lower(), found.start(), found.end(), end, after, assignments)


def _assignment(start: re.Match[str], tokens: list[re.Match[str]]) -> _Assignment:
    scalars: list[_Scalar] = []
    item, separated = 0, True
    for token in tokens:
        if token.lastgroup == "comma":
            # Two commas in a row leave an element as it is.
            item += separated
            separated = True
            continue
        repeated = _REPEATED.fullmatch(token[0])
        count, value = (int(repeated[1]), repeated[2]) if repeated else (1, token[0])
        scalars.append(_Scalar(token.start(), token.end(), value, item, count))
        item, separated = item + count, False
    name, index = split_index(start["name"])
    # A trailing comma belongs to the assignment, so that removing it leaves none behind.
    last = tokens[-1].end() if tokens else start.end()
    return _Assignment(name, index, start.start(), last, tuple(scalars))
