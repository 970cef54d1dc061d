"""What a campaign file says of a database: what is asked of it, and how old its answer may be."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from runner.crystal.elements import symbol_problem
from runner.optimade.answers import Terms
from runner.optimade.candidates import CANDIDATE_COLUMNS
from runner.optimade.columns import AskedColumn, AskedType
from runner.optimade.filters import filter_problem
from runner.optimade.providers import PROVIDERS, provider_of, provider_problem, versioned
from runner.optimade.query import STRUCTURE_FIELDS, Query, filter_from_words
from schemas.model import Model

OFFLINE_VARIABLE = "MATCAMPAIGN_OFFLINE"
MOST_ENTRIES = 1_000_000

ColumnName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]


class OptimadeParams(Model):
    """Which database, what is asked of it, and how old its answer may be."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "provider": "oqmd",
                    "elements": ["Ti", "O"],
                    "n_elements": 3,
                    "n_atoms_max": 20,
                    "columns": {
                        "oqmd_gap_ev": {
                            "property": "_oqmd_band_gap",
                            "type": "float",
                            "unit": "eV",
                        }
                    },
                },
                {
                    "provider": "https://optimade.materialsproject.org",
                    "filter": 'elements HAS ALL "Ti","O" AND nelements=3',
                    "limit": 200,
                    "max_age_days": 90,
                },
            ]
        }
    )

    provider: str = Field(
        description=f"Name of a database ({', '.join(PROVIDERS)}), or the base URL of any other "
        "that speaks OPTIMADE."
    )
    filter: str | None = Field(
        default=None,
        description="What is asked, in OPTIMADE's filter language: "
        'elements HAS ALL "Ti","O" AND nelements=3. Joined by AND to the words below.',
    )
    elements: tuple[str, ...] = Field(
        default=(), description="Elements that must be there; others may be as well."
    )
    n_elements: int | None = Field(
        default=None, ge=1, le=100, description="Number of different elements."
    )
    n_atoms_max: int | None = Field(
        default=None, ge=1, description="Most sites in the cell of the database."
    )
    chemsys: tuple[str, ...] = Field(
        default=(),
        description="Chemical systems, one or a list: Li-Fe-P-O. All elements of one of them and "
        "no others.",
    )
    limit: int = Field(
        default=1000,
        ge=1,
        le=MOST_ENTRIES,
        description="Most entries that are taken, in the order of the database. Those that are "
        "no ordered crystals count, and give no candidate.",
    )
    columns: dict[ColumnName, AskedColumn | AskedType] = Field(
        default_factory=dict,
        description="Properties of the database as columns: {gap_ev: {property: _oqmd_band_gap, "
        "type: float, unit: eV}}, or, where the column is called as the property, "
        "{_oqmd_band_gap: float}.",
    )
    date: dt.date | None = Field(
        default=None,
        description="Use the answer of this day (UTC), from the cache, and no other: 2026-03-01.",
    )
    max_age_days: int | None = Field(
        default=None,
        ge=0,
        description="Ask anew where the newest answer in the cache is older. By default an answer "
        "is used however old it is.",
    )
    refresh: bool = Field(default=False, description="Ask anew, once in each run of the program.")
    offline: bool = Field(
        default=False,
        description=f"Use the newest answer in the cache and never the network; so does "
        f"{OFFLINE_VARIABLE}=1 in the environment.",
    )
    page_limit: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Entries asked for at a time; by default what the database is known to give, "
        "else 100.",
    )
    timeout_s: float = Field(
        default=60.0,
        gt=0.0,
        le=3600.0,
        description="How long, in seconds, an answer is waited for, or for its next part.",
    )

    @field_validator("chemsys", mode="before")
    @classmethod
    def _one_or_many(cls, systems: object) -> object:
        return (systems,) if isinstance(systems, str) else systems

    @field_validator("provider")
    @classmethod
    def _known(cls, text: str) -> str:
        if problem := provider_problem(text):
            raise ValueError(problem)
        return text

    @field_validator("filter")
    @classmethod
    def _grammatical(cls, text: str | None) -> str | None:
        if text is not None and (problem := filter_problem(text)):
            raise ValueError(problem)
        return text

    @field_validator("date", mode="before")
    @classmethod
    def _day(cls, text: object) -> object:
        if not isinstance(text, str):
            return text
        try:
            return dt.date.fromisoformat(text)
        except ValueError:
            raise ValueError(f"expected a day such as 2026-03-01, found '{text}'") from None

    @field_validator("elements")
    @classmethod
    def _symbols(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        _check_symbols(symbols)
        return symbols

    @field_validator("chemsys")
    @classmethod
    def _systems(cls, systems: tuple[str, ...]) -> tuple[str, ...]:
        for system in systems:
            _check_symbols(tuple(system.split("-")))
        return systems

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not (self.filter or self.elements or self.chemsys or self.n_elements):
            raise ValueError(
                "asks for everything; give filter, elements, n_elements or chemsys "
                "(filter: 'nelements>0' if you mean it)"
            )
        if self.n_elements is not None and self.n_elements < len(self.elements):
            raise ValueError(
                f"elements lists {len(self.elements)}, and n_elements allows {self.n_elements}"
            )
        ages = {
            "date": self.date is not None,
            "max_age_days": self.max_age_days is not None,
            "refresh": self.refresh,
            "offline": self.offline,
        }
        given = [name for name, there in ages.items() if there]
        if len(given) > 1 and given != ["date", "offline"]:
            raise ValueError(f"{' and '.join(given)} contradict each other; give one")
        return self

    @model_validator(mode="after")
    def _columns_of_their_own(self) -> Self:
        own = {column.name for column in CANDIDATE_COLUMNS}
        for name in self.columns:
            if name in own:
                raise ValueError(f"columns: every candidate has a column '{name}' already")
        self.asked  # noqa: B018  (a column named as a property that cannot be one)
        return self

    @property
    def asked(self) -> dict[str, AskedColumn]:
        """The columns, the short form written out."""
        return {
            name: AskedColumn(property=name, type=one) if isinstance(one, str) else one
            for name, one in self.columns.items()
        }

    @property
    def query(self) -> Query:
        """What the database is asked."""
        text = filter_from_words(
            text=self.filter,
            elements=self.elements,
            n_elements=self.n_elements,
            n_atoms_max=self.n_atoms_max,
            systems=[tuple(system.split("-")) for system in self.chemsys],
        )
        fields = dict.fromkeys(
            (*STRUCTURE_FIELDS, *sorted(one.field_name() for one in self.asked.values()))
        )
        url = versioned(provider_of(self.provider).base_url)
        return Query(url, text, tuple(fields), self.limit)

    def terms(self, *, offline: bool) -> Terms:
        """Return what an answer must be like."""
        return Terms(
            day=self.date,
            max_age_days=self.max_age_days,
            refresh=self.refresh,
            offline=self.offline or offline,
            page_limit=self.page_limit,
            silence_s=self.timeout_s,
        )


def _check_symbols(symbols: tuple[str, ...]) -> None:
    if problem := symbol_problem(symbols):
        raise ValueError(problem)
    twice = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
    if twice:
        raise ValueError(f"lists {', '.join(twice)} more than once")
