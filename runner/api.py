"""Campaigns from Python, for notebooks: load, plan, look at the status, get results.

    from runner.api import Campaign

    campaign = Campaign.load("rocksalt.yaml")
    campaign.results("gap").to_pandas()

Nothing here starts a calculation: that is what `campaign run` is for. Results are read from the
published tables, so they are those of the last publication.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import UserError, suggestion
from schemas.reports import Plan, Status

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pymatgen.core import Structure

    from fireworks_ext.store import Store
    from runner.load import LoadedCampaign
    from runner.place import Place

__all__ = ["Campaign", "Tables", "pareto_front"]


class Tables:
    """The published tables of one campaign: `screening`, `results`, `attempts`, `campaigns`.

    Raises
    ------
    UserError
        When nothing is published of the campaign below the folders.
    """

    def __init__(self, folders: Sequence[Path | str], campaign: str) -> None:
        from runner.report.published import Published

        self.campaign = campaign
        self._folders = [Path(folder) for folder in folders]
        with Published(self._folders, campaign):
            pass  # a campaign that is not there is told of now, not later

    def names(self) -> tuple[str, ...]:
        """Return the names of the tables."""
        from schemas.tables import PARTITIONS

        return tuple(PARTITIONS)

    def columns(self, table: str) -> dict[str, str]:
        """Return the columns of a table with their types in Athena."""
        from runner.sql.catalog import Catalog

        kinds = Catalog(self._folders).kinds()
        if table not in kinds:
            raise UserError(f"no table '{table}'{suggestion(table, sorted(kinds))}")
        return {name: str(kind) for name, kind in kinds[table]}

    def sql(self, query: str) -> pa.Table:
        """Return the answer to a query in DuckDB's SQL, over the rows of this campaign alone.

        Raises
        ------
        UserError
            When DuckDB refuses the query; the message is DuckDB's.
        """
        import duckdb

        from runner.report.published import Published

        with Published(self._folders, self.campaign) as published:
            try:
                return published.table(query)
            except duckdb.Error as error:
                raise UserError(f"the query cannot be answered: {error}") from error

    def results(self, stage: str | None = None) -> pa.Table:
        """Return a row per candidate and settled stage, or per candidate of one stage.

        Columns are those of the SQL table `results`; of one stage, only columns that hold
        anything.

        Raises
        ------
        UserError
            When no result of such a stage is published.
        """
        if stage is None:
            return self.sql("SELECT * FROM results ORDER BY stage, formula, candidate_id")
        from runner.report.published import Published

        with Published(self._folders, self.campaign) as published:
            if stage not in published.stages:
                known = list(published.stages)
                raise UserError(
                    f"campaign '{self.campaign}': no results of a stage '{stage}'"
                    f"{suggestion(stage, known)}"
                )
            found = published.table(
                "SELECT * FROM results WHERE stage = ? ORDER BY formula, candidate_id", [stage]
            )
        filled = [name for name in found.column_names if found[name].null_count < found.num_rows]
        return found.select(filled)

    def candidates(self) -> pa.Table:
        """Return a row per candidate: what became of it, and its numbers from every table.

        Columns of stages are named `stage.column`. What the columns are measured in is in their
        names; those that are alike for all of several candidates are left out. Of very large
        campaigns it is the part that reports show.
        """
        import pyarrow as pa

        from runner.report.points import FATES, points
        from runner.report.published import Published

        with Published(self._folders, self.campaign) as published:
            found = points(published)
        return pa.table(
            {
                "candidate_id": pa.array(found.candidate, pa.string()),
                "formula": pa.array(found.formula, pa.string()),
                "elements": pa.array(found.elements, pa.list_(pa.string())),
                "fate": pa.array([FATES[one] for one in found.fate], pa.string()),
                **{one.name: pa.array(one.values, pa.float64()) for one in found.numbers},
            }
        )

    def structures(self, stage: str | None = None) -> dict[str, Structure]:
        """Return the structures at the end of a stage by candidate id, as pymatgen objects.

        Without a stage, the last computed one of each candidate. Lengths are in angstrom.

        Raises
        ------
        UserError
            When no result of such a stage is published.
        """
        from runner.report.published import Published
        from schemas.structure import Structure as Stored

        with Published(self._folders, self.campaign) as published:
            order = list(published.stages)
        if stage is not None and stage not in order:
            raise UserError(
                f"campaign '{self.campaign}': no results of a stage '{stage}'"
                f"{suggestion(stage, order)}"
            )
        rows = self.sql(
            "SELECT candidate_id, stage, structure FROM results WHERE structure IS NOT NULL"
        ).to_pylist()
        chosen = [row for row in rows if stage in {None, row["stage"]}]
        chosen.sort(key=lambda row: order.index(row["stage"]))
        last = {row["candidate_id"]: row["structure"] for row in chosen}
        return {
            candidate: Stored.model_validate(json.loads(text)).to_pymatgen()
            for candidate, text in last.items()
        }


class Campaign:
    """A campaign file, and what is known of the campaign that it describes.

    Made by `Campaign.load`. Attributes: `name`, and `loaded`, the file with all that its words
    mean.
    """

    def __init__(self, loaded: LoadedCampaign, place: Place) -> None:
        self.loaded = loaded
        self.name: str = loaded.campaign.campaign
        self._place = place

    @classmethod
    def load(cls, path: Path | str, *, profile: str | None = None) -> Campaign:
        """Return the campaign in a file; `profile` is as for `campaign run --profile`.

        Raises
        ------
        InvalidFile
            With every mistake of the file and its line.
        UserError
            When the file cannot be read, or there is no such profile.
        """
        from runner.load import load
        from runner.place import place_of

        loaded = load(Path(path))
        return cls(loaded, place_of(loaded, profile=profile))

    def plan(self, *, exact: bool = False) -> Plan:
        """Return what a run would compute and take, as `campaign plan` shows it."""
        from runner.place import has_store
        from runner.plan import plan

        store = self._store() if has_store(self._place) else None
        return plan(self.loaded, self._place, store, exact=exact)

    def status(self) -> Status:
        """Return where everything stands, as `campaign status` shows it.

        Raises
        ------
        UserError
            When the campaign was not run yet.
        """
        from runner.monitor import status

        return status(self._store(), self.name)

    @property
    def tables(self) -> Tables:
        """The published tables. Raises UserError where nothing is published yet."""
        from runner.query import table_folders

        return Tables(table_folders(self._place), self.name)

    def results(self, stage: str | None = None) -> pa.Table:
        """Return the results as an Arrow table, see `Tables.results`; `.to_pandas()` converts."""
        return self.tables.results(stage)

    def structures(self, stage: str | None = None) -> dict[str, Structure]:
        """Return pymatgen structures by candidate id, see `Tables.structures`."""
        return self.tables.structures(stage)

    def sql(self, query: str) -> pa.Table:
        """Return the answer to a query in Athena's SQL, over all campaigns, as `campaign sql` does.

        Raises
        ------
        UserError
            When the query is not one that Athena would answer the same.
        """
        from runner.query import table_folders
        from runner.sql.arrow import arrow_table
        from runner.sql.query import query as ask

        return arrow_table(ask(query, table_folders(self._place)))

    def report(self, path: Path | str) -> Path:
        """Write the report to a file and return it, see `campaign report`."""
        from runner.report.command import write_report

        target = Path(path)
        write_report(self.name, self._place, output=target, notebook=None)
        return target

    def _store(self) -> Store:
        from fireworks_ext.store import open_store
        from runner.place import require_store

        require_store(self._place)
        return open_store(self._place.store)


def pareto_front(
    candidates: pd.DataFrame, x: str, y: str, *, xlargest: bool = False, ylargest: bool = False
) -> pd.DataFrame:
    """Return the rows that no other row beats in both columns, from the best x on.

    Parameters
    ----------
    candidates
        A pandas DataFrame, such as `Tables.candidates().to_pandas()`; rows without a value in one
        of the columns are left out.
    xlargest, ylargest
        True where larger is better.

    Raises
    ------
    UserError
        When there is no such column, or it holds anything but numbers.
    """
    from runner.report.compare import pareto_front as front

    columns = [_numbers(candidates, name) for name in (x, y)]
    return candidates.iloc[front(*columns, xlargest=xlargest, ylargest=ylargest)]


def _numbers(candidates: pd.DataFrame, name: str) -> list[float | None]:
    names = [str(one) for one in candidates.columns]
    if name not in names:
        raise UserError(f"no column '{name}' in the candidates{suggestion(name, names)}")
    known = candidates[name].notna()
    try:
        return [
            float(value) if there else None
            for value, there in zip(candidates[name], known, strict=True)
        ]
    except (TypeError, ValueError) as error:
        raise UserError(f"column '{name}' of the candidates: not numbers: {error}") from error
