"""Which names a part of a query can see, and what each of them is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runner.sql.kinds import Kind, Typed, identifier
from runner.sql.refusal import refuse
from schemas.errors import UserError, suggestion

Columns = tuple[tuple[str, Kind], ...]
"""Output columns of a relation: names in order, with their types."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A query or table as DuckDB's SQL, and its columns."""

    sql: str
    columns: Columns


@dataclass(frozen=True, slots=True)
class Source:
    """What stands in FROM, under the name by which its columns are called."""

    name: str
    columns: Columns


@dataclass
class Scope:
    """The names of one SELECT; what it does not know, the enclosing one may."""

    parent: Scope | None = None
    relations: Mapping[str, Relation] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    merged: dict[str, Kind] = field(default_factory=dict)
    """Columns that JOIN ... USING made one; they are called without a table."""
    variables: Mapping[str, Typed] = field(default_factory=dict)
    """Those of a lambda, and what stands for them."""
    windows: Mapping[str, str] = field(default_factory=dict)
    """Those that a WINDOW clause names, as SQL."""
    reaches_out: bool = False
    """Whether a column of an enclosing SELECT was asked for."""
    aliases: Sequence[str] = ()
    """Names of the SELECT's own columns: not visible here, but often tried."""

    def relation(self, name: str) -> Relation | None:
        """Return what WITH calls by that name."""
        found = self.relations.get(name.lower())
        return found or (self.parent.relation(name) if self.parent else None)

    def relation_names(self) -> set[str]:
        """Return what WITH calls anything by, here or further out."""
        return {*self.relations, *(self.parent.relation_names() if self.parent else ())}

    def add(self, source: Source) -> None:
        """Make a source visible.

        Raises
        ------
        UserError
            When there is one of that name already.
        """
        if any(other.name.lower() == source.name.lower() for other in self.sources):
            raise UserError(f"'{source.name}' stands twice in FROM; give one an alias: AS other")
        self.sources.append(source)

    def variable(self, name: str) -> Typed | None:
        """Return the variable of an enclosing lambda."""
        return self.variables.get(name.lower())

    def column(self, name: str, qualifier: str | None) -> Typed:
        """Return a column.

        Raises
        ------
        UserError
            When there is none, or more than one.
        """
        found = self._look_up(name, qualifier)
        if found:
            return found
        if self.parent and self.parent.knows(name, qualifier):
            self.reaches_out = True
            return self.parent.column(name, qualifier)
        raise self.unknown(name, qualifier)

    def knows(self, name: str, qualifier: str | None) -> bool:
        """Tell whether the name is visible, here or further out."""
        if self._look_up(name, qualifier):
            return True
        return self.parent.knows(name, qualifier) if self.parent else False

    def _look_up(self, name: str, qualifier: str | None) -> Typed | None:
        if qualifier is None:
            if self.variable(name):
                return self.variable(name)
            if name.lower() in self.merged:
                return Typed(identifier(name.lower()), self.merged[name.lower()], name=name.lower())
        hits = [
            (source, column, kind)
            for source in self.sources
            if qualifier is None or source.name.lower() == qualifier.lower()
            for column, kind in source.columns
            if column.lower() == name.lower()
        ]
        if not hits:
            return None
        if len(hits) > 1:
            places = ", ".join(f"{source.name}.{column}" for source, column, _ in hits)
            raise UserError(f"column '{name}' is ambiguous: {places}; write which one")
        source, column, kind = hits[0]
        if name.lower() in self.merged and qualifier is not None:
            raise refuse(f"'{qualifier}.{name}' beside USING ({name})", f"write {name}")
        return Typed(f"{identifier(source.name)}.{identifier(column)}", kind, name=column)

    def unknown(self, name: str, qualifier: str | None) -> UserError:
        """Return the error for a name that is not visible."""
        if name.lower() in {alias.lower() for alias in self.aliases} and qualifier is None:
            return refuse(
                f"'{name}' is an alias of this SELECT",
                "Athena knows it only in ORDER BY; repeat the expression, or use a subquery",
            )
        names = [source.name for source in self.sources]
        if qualifier and qualifier.lower() not in {source.lower() for source in names}:
            return UserError(f"no table '{qualifier}' in FROM{suggestion(qualifier, names)}")
        known = [column for source in self.sources for column, _ in source.columns]
        written = f"{qualifier}.{name}" if qualifier else name
        return UserError(f"no column '{written}'{suggestion(name, known)}")
