"""The columns that exist at one point of a campaign, and expressions checked against them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.candidate import BASE_COLUMNS
from schemas.columns import Column, ColumnType
from schemas.errors import Problem, YamlPath
from schemas.expressions import Expression, ExpressionError, parse


@dataclass
class Known:
    """Columns by name; `complete` is False once something is wrong that would have added some.

    An expression that names a column which may have been lost that way is not reported: its one
    mistake is elsewhere.
    """

    types: dict[str, ColumnType] = field(
        default_factory=lambda: {column.name: column.type for column in BASE_COLUMNS}
    )
    origin: dict[str, str] = field(
        default_factory=lambda: {column.name: "every candidate" for column in BASE_COLUMNS}
    )
    complete: bool = True
    lost_stages: set[str] = field(default_factory=set)

    def add(self, columns: Iterable[Column], origin: str) -> list[str]:
        """Add columns; return a message for each that is already there."""
        messages = []
        for column in columns:
            if column.name in self.types:
                messages.append(
                    f"the column '{column.name}' is already there, from {self.origin[column.name]}"
                )
            else:
                self.types[column.name] = column.type
                self.origin[column.name] = origin
        return messages

    def concealed(self, name: str) -> bool:
        """Tell whether a name may be missing only because of a mistake elsewhere."""
        stage, dot, _ = name.rpartition(".")
        if dot:
            return stage in self.lost_stages
        return name not in self.types and not self.complete

    def expression(self, text: str, path: YamlPath) -> tuple[Expression | None, list[Problem]]:
        """Return the expression that stands at a path, or what is wrong with it."""
        try:
            expression = parse(text)
        except ExpressionError as error:
            return None, [Problem(path, str(error))]
        if any(self.concealed(name) for name in expression.names):
            return expression, []
        return expression, [Problem(path, words) for words in expression.problems(self.types)]
