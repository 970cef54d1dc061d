"""Tolerance factors of perovskites ABX3, Goldschmidt's and Bartel's, and the octahedral factor.

t = (r_A + r_X) / (sqrt(2) (r_B + r_X)), Goldschmidt, Naturwissenschaften 14, 477 (1926),
doi:10.1007/BF01507527, with the effective ionic radii of Shannon, Acta Cryst. A32, 751 (1976),
doi:10.1107/S0567739476001551. tau = r_X / r_B - n_A (n_A - (r_A / r_B) / ln(r_A / r_B)) with the
charge n_A of A; below 4.18 perovskites are likely: Bartel et al., Sci. Adv. 5, eaav0693 (2019),
doi:10.1126/sciadv.aav0693.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field, field_validator

from runner.crystal.compositions import Compositions, compositions
from runner.crystal.elements import SYMBOLS, of_elements
from runner.crystal.neutrality import Answers, Neutrality
from runner.crystal.oxidation import LARGEST_STATE, State, StateTable, oxidation
from runner.crystal.radii import ROMAN, Spin, ion_name, ionic_radii_ang
from runner.crystal.remarks import coded_texts, first_of, texts_where
from runner.crystal.site_labels import ABSENT, labelled_numbers
from schemas.columns import Column
from schemas.model import Model
from schemas.protocols import Scorer, Surroundings

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

Label: TypeAlias = Literal["A", "B", "X"]
Coordination = Annotated[int, Field(ge=1, le=14)]
LABELS: tuple[Label, ...] = ("A", "B", "X")
COORDINATION: Mapping[Label, int] = {"A": 12, "B": 6, "X": 6}

SMALLER = "no bartel_tau: it needs an A that is larger than B"
KINDS = 4
UNLABELLED, CHARGED, NO_PEROVSKITE, NO_RADIUS = range(KINDS)
"""Why a row has no factors: the last digit of a note's number; the ions stand above it."""
ATOMS, CHARGES = len(SYMBOLS) + 1, 2 * LARGEST_STATE + 1


class ToleranceFactorParams(Model):
    """Which radii are taken."""

    states: StateTable = Field(
        default="common",
        description="Oxidation states from which the charges of the ions are found.",
    )
    spin: Spin = Field(
        default="high", description="Spin state, where Shannon gives a radius for each."
    )
    coordination: dict[Label, Coordination] = Field(
        default_factory=dict,
        description="Coordination numbers of the radii, where others than A: 12, B: 6, X: 6.",
    )
    sites: dict[Label, str] = Field(
        default_factory=dict,
        description="The space's labels of A, B and X, where they are others: {A: A1}.",
    )

    other_states: dict[str, tuple[State, ...]] = Field(
        default_factory=dict,
        description="Oxidation states of these elements, in place of those of the table: "
        "{Ni: [2, 3, 4]}.",
    )

    @field_validator("other_states")
    @classmethod
    def _of_elements(cls, states: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        return of_elements(states)

    @field_validator("coordination")
    @classmethod
    def _tabulated(cls, coordination: dict[Label, int]) -> dict[Label, int]:
        for number in coordination.values():
            if number not in ROMAN:
                raise ValueError(f"no radii are known for coordination {number}")
        return coordination


class ToleranceFactor:
    """Scores ABX3 candidates whose generator labels sites; see `schemas.protocols.Score`."""

    params = ToleranceFactorParams
    version = 3

    def columns(self, params: ToleranceFactorParams) -> tuple[Column, ...]:
        """Return the two tolerance factors and the octahedral factor."""
        return (
            Column(
                "tolerance_factor",
                "float",
                "(r_A + r_X) / (sqrt(2) (r_B + r_X)); null where a radius is not known.",
            ),
            Column("octahedral_factor", "float", "r_B / r_X; null where a radius is not known."),
            Column(
                "bartel_tau",
                "float",
                "r_X / r_B - n_A (n_A - (r_A / r_B) / ln(r_A / r_B)): perovskites are likely below "
                "4.18. Null where a radius is not known or A is not larger than B.",
            ),
        )

    def requires(self, params: ToleranceFactorParams) -> tuple[str, ...]:
        """Return the columns of composition and sites."""
        return ("elements", "amounts", "sites")

    def seconds(self, params: ToleranceFactorParams) -> float:
        """Return the time of one row: so little that nothing is gained by keeping values."""
        return 5e-6

    def files(self, params: ToleranceFactorParams, surroundings: Surroundings) -> dict[str, str]:
        """Return nothing: values follow from the params."""
        return {}

    def scorer(self, params: ToleranceFactorParams, surroundings: Surroundings) -> Scorer:
        """Return the function that scores batches, all rows at once."""
        coordination = {**COORDINATION, **params.coordination}
        perovskites = _Perovskites(
            finder=Neutrality(
                oxidation(
                    params.states,
                    ordered=False,
                    mixed_valence=False,
                    others=tuple(sorted(params.other_states.items())),
                )
            ),
            labels=tuple(params.sites.get(label, label) for label in LABELS),
            coordination=tuple(coordination[label] for label in LABELS),
            radii_ang=tuple(ionic_radii_ang(coordination[label], params.spin) for label in LABELS),
        )
        return perovskites.score


plugin = ToleranceFactor()


@dataclass(frozen=True)
class _Perovskites:
    """The rules, and the tables of radii for A, B and X."""

    finder: Neutrality
    labels: tuple[str, ...]
    coordination: tuple[int, ...]
    radii_ang: tuple[NDArray[np.float64], ...]

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the factors of all rows."""
        import numpy as np
        import pyarrow as pa

        held = compositions(batch)
        answers = self.finder.assign(held)
        ions = labelled_numbers(batch["sites"], self.labels)
        states = _states(held, answers, ions)
        a, b, x = (
            table[ions[:, place], states[:, place] + LARGEST_STATE]
            for place, table in enumerate(self.radii_ang)
        )
        notes, known = self._notes(held, answers, ions, states, np.stack((a, b, x), axis=1))
        larger = known & (a > b)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = a / b
            n_a = states[:, 0]
            tau = x / b - n_a * (n_a - ratio / np.log(ratio))
        return pa.record_batch(
            {
                "tolerance_factor": pa.array((a + x) / (sqrt(2.0) * (b + x)), mask=~known),
                "octahedral_factor": pa.array(b / x, mask=~known),
                "bartel_tau": pa.array(tau, mask=~larger),
                "note": first_of(notes, texts_where(known & ~larger, SMALLER)),
                "error": held.errors,
            }
        )

    def _notes(
        self,
        held: Compositions,
        answers: Answers,
        ions: NDArray[np.int64],
        states: NDArray[np.int64],
        radii: NDArray[np.float64],
    ) -> tuple[pa.StringArray, NDArray[np.bool_]]:
        """Return why a row has no factors, and which rows have them."""
        import numpy as np

        wanting = np.ones(len(held), np.bool_) & held.valid
        codes = np.full(len(held), -1, np.int64)

        def mark(where: NDArray[np.bool_], kind: int, of: NDArray[np.int64] | int = 0) -> None:
            nonlocal wanting
            hit = wanting & where
            codes[hit] = (of if isinstance(of, int) else of[hit]) * KINDS + kind
            wanting = wanting & ~hit

        mark((ions == ABSENT).any(axis=1), UNLABELLED)
        unsolved = wanting & (answers.neutral < 0)
        wanting &= ~unsolved
        mark(answers.neutral == 0, CHARGED)
        a, b, x = states.T
        packed = _packed(ions, states)
        mark((a * b <= 0) | (a * x >= 0), NO_PEROVSKITE, packed)
        for place in range(len(LABELS)):
            one = (_packed(ions[:, [place]], states[:, [place]])) * len(LABELS) + place
            mark(np.isnan(radii[:, place]), NO_RADIUS, one)
        texts = coded_texts(codes, self._text)
        unlabelled = (codes >= 0) & (codes % KINDS == UNLABELLED)
        solver = texts_where(unsolved & ~unlabelled, answers.notes)
        return first_of(texts, solver), wanting

    def _text(self, code: int) -> str:
        of, kind = divmod(code, KINDS)
        if kind == UNLABELLED:
            return f"no sites {', '.join(self.labels)}"
        if kind == CHARGED:
            return "no oxidation states make it neutral"
        if kind == NO_PEROVSKITE:
            names = ", ".join(_names(of, len(LABELS)))
            return f"the ions {names} make no perovskite: X must oppose A and B"
        ion, place = divmod(of, len(LABELS))
        coordination = ROMAN[self.coordination[place]]
        return f"no Shannon radius of {_names(ion, 1)[0]} in coordination {coordination}"


def _states(held: Compositions, answers: Answers, ions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the state of the element on each label (rows, labels), 0 where there is none."""
    import numpy as np

    states = np.zeros(ions.shape, np.int64)
    for group in held.groups():
        neutral = answers.neutral[group.rows] == 1
        rows, numbers = group.rows[neutral], group.numbers[neutral]
        found = answers.states[held.starts[rows][:, None] + np.arange(numbers.shape[1])]
        for place in range(ions.shape[1]):
            states[rows, place] = (found * (numbers == ions[rows, place][:, None])).sum(axis=1)
    return states


def _packed(ions: NDArray[np.int64], states: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return one number for the ions of each row."""
    import numpy as np

    packed = np.zeros(len(ions), np.int64)
    for number, state in zip(ions.T, states.T, strict=True):
        packed = (packed * ATOMS + number) * CHARGES + state + LARGEST_STATE
    return packed


def _names(packed: int, count: int) -> list[str]:
    names: list[str] = []
    for _ in range(count):
        packed, state = divmod(packed, CHARGES)
        packed, number = divmod(packed, ATOMS)
        names.insert(0, ion_name(SYMBOLS[number - 1], state - LARGEST_STATE))
    return names
