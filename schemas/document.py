"""One YAML file as plain data that remembers where everything stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from schemas.errors import InvalidFile, Problem, UserError, YamlPath
from schemas.model import JsonValue
from schemas.yaml_reader import Mistake, Node, Reader, line_of_report

LARGEST_FILE_BYTES = 10 * 10**6


@dataclass(frozen=True)
class Document:
    """One YAML file: its data, and the line and column (from 1) of each key and value."""

    name: str
    data: dict[str, JsonValue]
    mistakes: tuple[Mistake, ...]
    _root: Node = field(repr=False)

    def position(self, path: YamlPath, *, key: bool = False) -> tuple[int, int]:
        """Return line and column of a value or of its key.

        A path that leads to nothing is answered with the nearest thing above it: its key where it
        has one, which is where a missing key has to be added.
        """
        node, at = self._root, (self._root.line, self._root.column)
        for depth, part in enumerate(path, start=1):
            child = node.children.get(part)
            if child is None:
                return at
            at = (child.line, child.column)
            if part in node.keys and (key or depth < len(path)):
                at = node.keys[str(part)]
            node = child
        return at

    def has(self, path: YamlPath) -> bool:
        """Tell whether something stands at that path."""
        node: Node | None = self._root
        for part in path:
            node = node.children.get(part) if node else None
        return node is not None

    def lines(self, problems: Iterable[Problem] = ()) -> tuple[str, ...]:
        """Return all mistakes, the file's own and the given ones, ready to print, by line."""
        concealed = {mistake.path for mistake in self.mistakes if mistake.conceals}
        found = {
            (mistake.line, Problem(mistake.path, mistake.message)) for mistake in self.mistakes
        }
        for problem in problems:
            under = (problem.path[:n] in concealed for n in range(1, len(problem.path) + 1))
            if any(under) or problem.path in {path[:-1] for path in concealed}:
                continue
            found.add((self._line_of(problem), problem))
        ordered = sorted(found, key=lambda item: (item[0], item[1].dotted(), item[1].message))
        return tuple(line_of_report(self.name, line, problem) for line, problem in ordered)

    def _line_of(self, problem: Problem) -> int:
        """Return the line of a problem: of the key, where the value is a block of lines below."""
        node = self._root
        for part in problem.path:
            node = node.children.get(part, node)
        key = problem.at_key or isinstance(node.data, dict | list)
        return self.position(problem.path, key=key)[0]

    def check(self, problems: Iterable[Problem] = ()) -> None:
        """Return when there is no mistake.

        Raises
        ------
        InvalidFile
            With all mistakes, sorted by line.
        """
        if lines := self.lines(problems):
            raise InvalidFile(lines)


def read_file(path: Path, name: str | None = None) -> tuple[Document, bytes]:
    """Return a file's document and its bytes.

    Raises
    ------
    UserError
        When it cannot be read; InvalidFile when it is no YAML.
    """
    shown = name or str(path)
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE_BYTES:
            raise UserError(
                f"{shown}: {size / 10**6:.0f} MB; files of more than "
                f"{LARGEST_FILE_BYTES // 10**6} MB are not read"
            )
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{shown}: cannot be read: {reason}") from error
    return read_document(decode(content, shown), shown), content


def decode(content: bytes, name: str) -> str:
    """Return the text of a file's bytes, without a byte order mark.

    Raises
    ------
    InvalidFile
        When they are not UTF-8, with the line of the first wrong byte.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        message = f"byte {error.object[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        raise InvalidFile([f"{name}:{line}: {message}"]) from error


def read_document(text: str, name: str) -> Document:
    """Return the document in a text.

    Duplicate keys, tags, merge keys, keys that are not text and numbers that are not finite are
    collected in `mistakes`, so that `Document.check` reports them together with all others.

    Raises
    ------
    InvalidFile
        When it cannot be read at all: syntax, an undefined alias, several documents, nothing in
        it, no mapping at the top, or more values or levels than the limits.
    """
    reader = Reader(name)
    root = reader.read(text)
    if not isinstance(root.data, dict):
        found = (
            "nothing"
            if root.data is None
            else "a list"
            if isinstance(root.data, list)
            else ("a single value")
        )
        raise InvalidFile(
            [f"{name}:{root.line}: found {found}, expected a mapping, lines of `key: value`"]
        )
    return Document(name=name, data=root.data, mistakes=tuple(reader.mistakes), _root=root)
