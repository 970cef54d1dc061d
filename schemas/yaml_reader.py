"""Reads YAML into nodes with their positions; nothing in a file is ever constructed.

Only the parser's events are used. Scalars follow the YAML 1.2 core schema: `No` is nobelium's
symbol and not false, `1e-6` is a number, and a date stays text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import InvalidFile, Problem, YamlPath
from schemas.model import JsonValue

LARGEST_NODE_COUNT = 100_000
"""Values in a file once every alias is replaced by what it stands for."""
LARGEST_DEPTH = 40
LONGEST_INTEGER = 24

_CORE = "tag:yaml.org,2002:"
_CORE_TAGS = frozenset(
    f"{_CORE}{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")
)
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(slots=True)
class Node:
    """A value, where it stands, and what is below it; aliases share nodes."""

    data: JsonValue
    line: int
    column: int
    size: int = 1
    height: int = 1
    children: dict[str | int, Node] = field(default_factory=dict)
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mistake:
    """A problem of the file itself; with `conceals`, what is said about its value is noise."""

    line: int
    path: YamlPath
    message: str
    conceals: bool = True


def line_of_report(name: str, line: int, problem: Problem) -> str:
    """Return `file:line: path: message`."""
    dotted = problem.dotted()
    return (
        f"{name}:{line}: {dotted}: {problem.message}"
        if dotted
        else (f"{name}:{line}: {problem.message}")
    )


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not been read yet."""

    node: Node
    anchor: str | None
    path: YamlPath
    key: str | None = None
    at: tuple[int, int] = (0, 0)
    awaits_key: bool = True


class Reader:
    """Builds nodes from events with a stack of its own: depth never meets Python's limit."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._anchors: dict[str, Node] = {}
        self._open: list[_Open] = []
        self._root: Node | None = None
        self._unnamed = 0
        self.mistakes: list[Mistake] = []

    def _stop(self, line: int, message: str, path: YamlPath = ()) -> InvalidFile:
        """Return the error that ends the reading, after the mistakes that were met before."""
        met = [*self.mistakes, Mistake(line, path, message)]
        return InvalidFile(
            [line_of_report(self._name, m.line, Problem(m.path, m.message)) for m in met]
        )

    def read(self, text: str) -> Node:
        """Return the root node of a text."""
        from ruamel.yaml import events

        documents = 0
        for event in self._events(text):
            line, column = event.start_mark.line + 1, event.start_mark.column + 1
            if isinstance(event, events.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._stop(line, "a second document begins; one file holds one campaign")
            elif isinstance(event, events.AliasEvent):
                self._add(self._alias(event.anchor, line, column), None)
            elif isinstance(event, events.ScalarEvent):
                self._add(self._scalar(event, line, column), event.anchor)
            elif isinstance(event, events.MappingStartEvent | events.SequenceStartEvent):
                self._begin(event, line, column)
            elif isinstance(event, events.MappingEndEvent | events.SequenceEndEvent):
                done = self._open.pop()
                self._add(done.node, done.anchor)
        if self._root is None:
            raise self._stop(1, "the file is empty")
        return self._root

    def _events(self, text: str) -> Iterator[Any]:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError, YAMLError
        from ruamel.yaml.reader import ReaderError

        # The parser trips over its own feet on some broken texts; each of these was seen.
        own_faults = (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError)
        line = 1
        try:
            for event in YAML(typ="safe", pure=True).parse(text):
                line = event.start_mark.line + 1
                yield event
        except MarkedYAMLError as error:
            raise self._stop(*_syntax_words(error, text, line)) from error
        except ReaderError as error:
            at = text.count("\n", 0, error.position) + 1
            raise self._stop(at, _reader_words(error)) from error
        except (YAMLError, *own_faults) as error:
            raise self._stop(line, "not YAML from here on") from error

    def _here(self) -> YamlPath:
        """Return the path of the value that is read next."""
        if not self._open:
            return ()
        top = self._open[-1]
        if isinstance(top.node.data, list):
            return (*top.path, len(top.node.data))
        return top.path if top.key is None else (*top.path, top.key)

    def _mistake(self, line: int, message: str, *, conceals: bool = True) -> None:
        self.mistakes.append(Mistake(line, self._here(), message, conceals))

    def _awaits_key(self) -> bool:
        return bool(
            self._open and isinstance(self._open[-1].node.data, dict) and self._open[-1].awaits_key
        )

    def _begin(self, event: Any, line: int, column: int) -> None:
        if len(self._open) >= LARGEST_DEPTH:
            raise self._stop(line, f"nested more than {LARGEST_DEPTH} levels deep")
        self._check_tag(event.ctag, line)
        from ruamel.yaml import events

        data: JsonValue = {} if isinstance(event, events.MappingStartEvent) else []
        path = self._here()
        if event.anchor:
            self._anchors.pop(event.anchor, None)
        self._open.append(_Open(Node(data, line, column), event.anchor, path))

    def _check_tag(self, tag: Any, line: int) -> None:
        if tag is not None and str(tag) not in _CORE_TAGS and str(tag) != "!":
            shown = str(tag).replace(_CORE, "!!")
            self._mistake(line, f"found the tag {shown}; tags that make objects are refused")

    def _alias(self, anchor: str, line: int, column: int) -> Node:
        if anchor not in self._anchors:
            if any(item.anchor == anchor for item in self._open):
                words = f"*{anchor} stands inside what &{anchor} names"
                raise self._stop(line, words, self._here())
            known = ", ".join(f"&{name}" for name in sorted(self._anchors)) or "none"
            words = f"no anchor &{anchor} for *{anchor}; anchors above: {known}"
            raise self._stop(line, words, self._here())
        target = self._anchors[anchor]
        return Node(
            target.data, line, column, target.size, target.height, target.children, target.keys
        )

    def _scalar(self, event: Any, line: int, column: int) -> Node:
        self._check_tag(event.ctag, line)
        text = event.value
        plain = event.style is None and event.ctag is None
        data: JsonValue = text
        if (plain or str(event.ctag) in _CORE_TAGS) and str(event.ctag) != f"{_CORE}str":
            data = self._core(text, line) if event.style is None else text
        if isinstance(data, str) and (wrong := _CONTROL.search(data)):
            self._mistake(line, f"found the control character {wrong.group()!a} in a text")
            data = ""
        return Node(data, line, column)

    def _core(self, text: str, line: int) -> JsonValue:
        """Return the value of a plain scalar by the core schema."""
        if text in _NULLS:
            return None
        if text in _BOOLS:
            return _BOOLS[text]
        if _INTEGER.fullmatch(text):
            # No longer text can be in range, and Python refuses to read very long ones.
            number = _integer(text) if len(text) <= LONGEST_INTEGER else 2**63
            if abs(number) < 2**63:
                return number
            self._mistake(line, "found a whole number beyond 64 bits")
            return 0
        return self._float(text, line)

    def _float(self, text: str, line: int) -> JsonValue:
        if _NOT_FINITE.fullmatch(text):
            self._mistake(line, f"found {text}, expected a finite number")
            return 0.0
        if not _FLOAT.fullmatch(text):
            return text
        value = float(text)
        if value in (float("inf"), float("-inf")):
            self._mistake(line, f"found {text[:24]}, expected a number below 1.8e308")
            return 0.0
        return value

    def _add(self, node: Node, anchor: str | None) -> None:
        """Put a complete value where it belongs: as the root, a list's next, a key, a value."""
        if anchor:
            self._anchors[anchor] = node
        if not self._open:
            self._root = node
            return
        top = self._open[-1]
        if self._awaits_key():
            self._take_key(top, node)
            return
        if isinstance(top.node.data, list):
            top.node.children[len(top.node.data)] = node
            top.node.data.append(node.data)
        elif isinstance(top.node.data, dict):
            top.awaits_key = True
            key, top.key = top.key, None
            if key is not None and key not in top.node.data:
                top.node.data[key] = node.data
                top.node.children[key] = node
                top.node.keys[key] = top.at
        self._count(top.node, node)

    def _count(self, parent: Node, node: Node) -> None:
        parent.size += node.size
        parent.height = max(parent.height, node.height + 1)
        if parent.size > LARGEST_NODE_COUNT:
            raise self._stop(
                node.line,
                f"more than {LARGEST_NODE_COUNT} values once the aliases are replaced by what "
                "they stand for",
            )
        if len(self._open) + node.height > LARGEST_DEPTH:
            raise self._stop(node.line, f"nested more than {LARGEST_DEPTH} levels deep")

    def _take_key(self, top: _Open, node: Node) -> None:
        top.awaits_key = False
        top.at = (node.line, node.column)
        top.key = None
        if not isinstance(node.data, str):
            shown = "a list or mapping" if isinstance(node.data, list | dict) else repr(node.data)
            hint = "" if isinstance(node.data, list | dict) else "; put it in quotes"
            self._mistake(node.line, f"found {shown} as a key, keys are text{hint}", conceals=False)
        elif node.data == "<<":
            self._mistake(
                node.line,
                "merge keys (<<) are not part of YAML 1.2; use `defaults`, or an alias for a whole "
                "value",
                conceals=False,
            )
        else:
            assert isinstance(top.node.data, dict)  # noqa: S101  (keys are only read in mappings)
            top.key = node.data
            if node.data in top.node.data:
                first = top.node.keys[node.data][0]
                self._mistake(
                    node.line,
                    f"the key stands here for the second time, first on line {first}",
                    conceals=False,
                )


def _integer(text: str) -> int:
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


def _reader_words(error: Any) -> str:
    character = error.character
    shown = f"{chr(character)!a}" if isinstance(character, int) else f"{character!a}"
    return f"found the character {shown}, which YAML does not allow"


def _syntax_words(error: Any, text: str, line: int) -> tuple[int, str]:
    """Return the line and what is wrong there, in words for people who do not know the grammar."""
    problem = str(error.problem or error.context or "not YAML")
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else line
    lines = text.splitlines()
    content = lines[line - 1] if line <= len(lines) else ""
    indentation = content[: len(content) - len(content.lstrip())]
    if "\t" in indentation or "'\\t'" in problem:
        return line, "found a tab, expected spaces: YAML is indented by spaces only"
    if "expected ',' or" in problem and error.context_mark:
        opened = error.context_mark.line + 1
        return opened, f"the bracket that opens here finds no `,` and no end up to line {line}"
    words = {
        "mapping values are not allowed": "found a second `: ` in a line, or text after a value; "
        "put texts that hold `: ` in quotes",
        "expected <block end>": "found an indentation that fits no line above; keys of one "
        "mapping begin in the same column, and brackets and quotes are closed",
        "could not find expected ':'": "found a line without `: `, expected `key: value`",
        "unexpected end of stream": "found the end of the file inside a text; close its quotes",
        "cannot start any token": "found a character that no value may begin with; put it in "
        "quotes",
    }
    for sign, meaning in words.items():
        if sign in problem:
            return line, meaning
    return line, f"not YAML: {problem}"
