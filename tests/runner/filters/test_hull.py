import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import toy_energies
from pydantic import ValidationError
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition
from toy_energies import Toy

from runner.crystal.cells import to_arrow
from runner.filters.formation_energy import FormationEnergyParams
from runner.filters.formation_energy import plugin as formation
from runner.filters.hull import HullParams
from runner.filters.hull import plugin as hull
from runner.hull.ground_states import ground_state
from runner.space.prototype import PrototypeParams
from runner.space.prototype import plugin as prototype
from schemas.candidate import BASE_COLUMNS, Candidate
from schemas.columns import arrow_schema
from schemas.errors import UserError
from schemas.protocols import Surroundings
from schemas.structure import Structure

HERE = Surroundings(folder=Path(), seed=7)
COLUMN = {"energy": "dft_ev_per_atom", "method": "pw.x-7.2 pbe gth"}
ENERGIES = {"Sr": -1.6, "Ba": -1.9, "Ti": -7.8, "O": -4.9, "SrO": -6.0, "TiO2": -8.8, "BaO": -5.9}
CANDIDATES = {"SrTiO3": -7.9, "BaTiO3": -7.7, "SrO2": -6.0, "TiO": -8.2}
EQUAL_EV_PER_ATOM = 1e-9


def cells(name: str, *, lattice_ang: float, **species: Sequence[str]) -> list[Candidate]:
    params = PrototypeParams.model_validate(
        {"prototype": name, "species": species, "lattice_ang": lattice_ang}
    )
    return list(prototype.candidates(params, HERE))


def references() -> tuple[Structure, ...]:
    """Elements, SrO and BaO in rocksalt, TiO2 in fluorite."""
    elements = [ground_state(symbol) for symbol in ("Sr", "Ba", "Ti", "O")]
    compounds = [
        *cells("rocksalt", lattice_ang=5.2, A=["Sr", "Ba"], X=["O"]),
        *cells("fluorite", lattice_ang=4.8, A=["Ti"], X=["O"]),
    ]
    return (*elements, *(compound.structure for compound in compounds))


def rows_of(candidates: Sequence[Candidate]) -> pa.RecordBatch:
    rows = [candidate.row() for candidate in candidates]
    batch = pa.RecordBatch.from_pylist(rows, schema=arrow_schema(BASE_COLUMNS))
    return batch.append_column("structure", to_arrow([one.structure for one in candidates]))


def formulas(energies: Mapping[str, float | None]) -> pa.RecordBatch:
    """Return rows with a composition and an energy."""
    found = [Composition(formula).get_el_amt_dict() for formula in energies]
    return pa.record_batch(
        {
            "elements": pa.array([sorted(one) for one in found]),
            "amounts": pa.array([[one[e] for e in sorted(one)] for one in found]),
            "dft_ev_per_atom": pa.array(energies.values(), pa.float64()),
        }
    )


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Toy:
    return toy_energies.put_in(monkeypatch)


@pytest.fixture
def there(tmp_path: Path) -> Surroundings:
    """A folder with a file of entries."""
    write(tmp_path, ENERGIES)
    return Surroundings(folder=tmp_path, seed=7)


def write(folder: Path, energies: dict[str, float], method: str = COLUMN["method"]) -> None:
    entries = [{"formula": f, "energy_ev_per_atom": e} for f, e in energies.items()]
    (folder / "e.json").write_text(json.dumps({"method": method, "entries": entries}))


def scored(params: Any, where: Surroundings, batch: pa.RecordBatch) -> list[dict[str, Any]]:
    plugin = hull if isinstance(params, HullParams) else formation
    found = plugin.scorer(params, where)(batch.select(list(plugin.requires(params))))
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows


def test_distances_from_a_file_are_those_of_pymatgen(there: Surroundings) -> None:
    params = HullParams(entries="e.json", **COLUMN)

    rows = scored(params, there, formulas(CANDIDATES))

    diagram = PhaseDiagram(
        [PDEntry(Composition(f), e * Composition(f).num_atoms) for f, e in ENERGIES.items()]
    )
    theirs = [
        diagram.get_e_above_hull(
            PDEntry(Composition(f), e * Composition(f).num_atoms), allow_negative=True
        )
        for f, e in CANDIDATES.items()
    ]
    ours = [row["hull_distance_ev_per_atom"] for row in rows]
    assert ours == pytest.approx(theirs, abs=EQUAL_EV_PER_ATOM)
    assert all(row["error"] is None and row["note"] is None for row in rows)


def test_a_row_gets_the_same_to_the_last_bit_in_any_batch(there: Surroundings) -> None:
    params = HullParams(entries="e.json", decomposition=True, **COLUMN)
    batch = formulas({**CANDIDATES, "Sr2TiO4": -7.5, "MgO": -6.0, "Sr": -1.5, "TiO3": None})

    whole = scored(params, there, batch)

    alone = [scored(params, there, batch.slice(i, 1))[0] for i in range(len(batch))]
    assert alone == whole
    backwards = batch.take(pa.array(range(len(batch) - 1, -1, -1)))
    assert scored(params, there, backwards)[::-1] == whole


def test_what_competes_is_told_when_asked_for(there: Surroundings) -> None:
    params = HullParams(entries="e.json", decomposition=True, **COLUMN)

    (row,) = scored(params, there, formulas({"SrTiO3": -7.9}))

    assert json.loads(row["hull_decomposition"]) == {"SrO": 0.4, "TiO2": 0.6}
    assert [column.name for column in hull.columns(params)][1] == "hull_decomposition"


def test_an_energy_that_is_not_known_gives_none_and_says_so(there: Surroundings) -> None:
    params = HullParams(entries="e.json", **COLUMN)

    (row,) = scored(params, there, formulas({"SrTiO3": None}))

    assert row["hull_distance_ev_per_atom"] is None
    assert row["note"] == "dft_ev_per_atom is not known"
    assert row["error"] is None


def test_an_element_without_an_entry_is_an_error_of_its_rows_alone(there: Surroundings) -> None:
    params = HullParams(entries="e.json", **COLUMN)

    wrong, right = scored(params, there, formulas({"CaTiO3": -7.0, "SrTiO3": -7.9}))

    assert "no energy of Ca alone" in wrong["error"]
    assert right["hull_distance_ev_per_atom"] is not None


def test_elements_alone_are_refused_and_the_missing_binaries_named(tmp_path: Path) -> None:
    write(tmp_path, {"Sr": -1.6, "Ti": -7.8, "O": -4.9})
    params = HullParams(entries="e.json", **COLUMN)

    (row,) = scored(params, Surroundings(tmp_path, 7), formulas({"SrTiO3": -7.9}))

    assert row["hull_distance_ev_per_atom"] is None
    assert "no binary of Sr-O (SrO), Ti-O (TiO2), which compete with it" in row["error"]
    assert "e.json, by the same method" in row["error"]


def test_one_missing_binary_is_refused_for_the_candidates_that_it_competes_with(
    there: Surroundings,
) -> None:
    write(there.folder, {f: e for f, e in ENERGIES.items() if f != "BaO"})
    params = HullParams(entries="e.json", **COLUMN)

    with_ba, with_sr = scored(params, there, formulas({"BaTiO3": -7.7, "SrTiO3": -7.9}))

    assert "no binary of Ba-O (BaO), which competes with it" in with_ba["error"]
    assert with_sr["error"] is None


def test_alloys_need_some_compound_too(there: Surroundings) -> None:
    params = HullParams(entries="e.json", **COLUMN)

    (row,) = scored(params, there, formulas({"Sr3Ba": -1.8}))

    assert "elements alone and no compound of Ba, Sr" in row["error"]


def test_missing_binaries_can_be_allowed(there: Surroundings) -> None:
    params = HullParams(entries="e.json", missing_binaries="allow", **COLUMN)

    (row,) = scored(params, there, formulas({"Sr3Ba": -1.8}))

    assert row["hull_distance_ev_per_atom"] == pytest.approx(-1.8 + 0.75 * 1.6 + 0.25 * 1.9)


def test_a_file_of_another_method_is_refused(there: Surroundings) -> None:
    write(there.folder, ENERGIES, "chgnet-0.3.0")
    params = HullParams(entries="e.json", **COLUMN)

    with pytest.raises(UserError, match=r"'chgnet-0\.3\.0'.*'pw\.x-7\.2 pbe gth'"):
        hull.scorer(params, there)


def test_a_model_and_a_column_of_another_method_are_refused(toy: Toy) -> None:
    with pytest.raises(ValidationError, match=r"mixes methods.*'pw\.x-7\.2 pbe gth'.*'toy-1'"):
        HullParams(model=toy_energies.NAME, **COLUMN)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "no energies of candidates"),
        ({"entries": "e.json"}, "no energies of candidates"),
        (COLUMN, "no energies of references"),
        ({"entries": "e.json", "energy": "a_ev"}, "come together"),
        ({"model": "toy-1", "method": "toy-1"}, "come together"),
        ({"model": "toy-2"}, "no model 'toy-2'"),
        ({"entries": "e.json", "relax": True, **COLUMN}, "`relax` is for energies of a model"),
    ],
    ids=str,
)
def test_what_does_not_say_whose_energies_are_compared_is_refused(
    toy: Toy, params: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        HullParams(**params)


def test_candidates_and_references_by_one_model(toy: Toy) -> None:
    where = replace(HERE, references=references())
    params = HullParams(model=toy_energies.NAME, relax=True)
    candidates = cells("perovskite-cubic", lattice_ang=3.9, A=["Sr", "Ba"], B=["Ti"], X=["O"])

    rows = scored(params, where, rows_of(candidates))

    energies = {
        structure.formula: toy_energies.energy(structure, relax=True).energy_ev_per_atom
        for structure in (*references(), *(one.structure for one in candidates))
    }
    for candidate, row in zip(candidates, rows, strict=True):
        a, b, x = (candidate.sites[label] for label in "ABX")
        parts = 2 / 5 * float(energies[f"{a}{x}"] or 0) + 3 / 5 * float(energies[f"{b}{x}2"] or 0)
        expected = float(energies[candidate.formula] or 0) - parts
        assert row["hull_distance_ev_per_atom"] == pytest.approx(expected)


def test_references_are_relaxed_unless_told_not_to(toy: Toy) -> None:
    where = replace(HERE, references=references())
    batch = rows_of(cells("perovskite-cubic", lattice_ang=3.9, A=["Sr"], B=["Ti"], X=["O"]))

    relaxed, as_given = (
        scored(HullParams(model=toy_energies.NAME, relax_references=relax), where, batch)[0]
        for relax in (True, False)
    )

    assert relaxed["hull_distance_ev_per_atom"] > as_given["hull_distance_ev_per_atom"]


def test_a_model_is_not_asked_about_rows_that_have_no_hull(toy: Toy) -> None:
    where = replace(HERE, references=references())
    batch = rows_of(cells("rocksalt", lattice_ang=5.0, A=["Mg", "Sr"], X=["O"]))

    mg, sr = scored(HullParams(model=toy_energies.NAME), where, batch)

    assert "no energy of Mg alone" in mg["error"]
    assert sr["error"] is None
    assert "MgO" not in toy.asked


def test_a_row_for_which_the_model_fails_says_so(toy: Toy) -> None:
    with_hg = (*references(), ground_state("Hg"))
    where = replace(HERE, references=with_hg)
    params = HullParams(model=toy_energies.NAME, missing_binaries="allow")

    (row,) = scored(params, where, rows_of(cells("rocksalt", lattice_ang=5.0, A=["Hg"], X=["O"])))

    assert "no energy of Hg alone" in row["error"]
    assert "reference Hg left out: no parameters of Hg" in row["note"]


def test_a_campaign_without_references_is_told_what_to_give(toy: Toy) -> None:
    with pytest.raises(UserError, match=r"references: \{elements: all"):
        hull.scorer(HullParams(model=toy_energies.NAME), HERE)


def test_what_decides_values_is_named_with_its_hash(toy: Toy, there: Surroundings) -> None:
    by_file = HullParams(entries="e.json", **COLUMN)
    by_model = HullParams(model=toy_energies.NAME)
    before = hull.files(by_file, there), hull.files(by_model, there)

    write(there.folder, {**ENERGIES, "SrO": -6.1})
    changed = replace(there, references=references())

    toy.sha256 = "1" * 64
    assert hull.files(by_model, there)["weights"] != before[1]["weights"]
    assert hull.files(by_file, there) != before[0]
    assert hull.files(by_model, changed) != before[1]
    assert hull.files(by_model, changed) == hull.files(
        by_model, replace(changed, references=references()[::-1])
    )


def test_entries_that_are_not_there_are_told(tmp_path: Path) -> None:
    params = HullParams(entries="e.json", **COLUMN)

    with pytest.raises(UserError, match=r"e\.json: cannot be read"):
        hull.files(params, Surroundings(tmp_path, 7))


def test_formation_energies_are_against_the_elements(there: Surroundings) -> None:
    params = FormationEnergyParams(entries="e.json", **COLUMN)

    rows = scored(params, there, formulas({"SrTiO3": -7.9, "CaO": -6.0, "O": -4.9}))

    assert rows[0]["formation_energy_ev_per_atom"] == pytest.approx(
        -7.9 + (1.6 + 7.8 + 3 * 4.9) / 5
    )
    assert "no energy of Ca alone" in rows[1]["error"]
    assert rows[2]["formation_energy_ev_per_atom"] == 0.0


def test_formation_energies_ask_a_model_for_elements_only(toy: Toy) -> None:
    where = replace(HERE, references=references())
    params = FormationEnergyParams(model=toy_energies.NAME)
    batch = rows_of(cells("rocksalt", lattice_ang=5.2, A=["Sr"], X=["O"]))

    (row,) = scored(params, where, batch)

    assert sorted(toy.asked) == ["O", "Sr", "SrO"]  # two elements, one candidate
    assert row["formation_energy_ev_per_atom"] < 0


def test_hulls_that_are_forgotten_are_made_again(
    there: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = HullParams(entries="e.json", **COLUMN)
    batch = formulas({**CANDIDATES, "SrO": -5.0, "BaO": -5.1})
    expected = scored(params, there, batch)
    monkeypatch.setattr("runner.hull.distances.MOST_SYSTEMS", 3)
    scorer = hull.scorer(params, there)

    rows = [row for i in range(len(batch)) for row in scorer(batch.slice(i, 1)).to_pylist()]

    assert rows == expected


def test_rows_by_the_thousand_are_scored_at_once(there: Surroundings) -> None:
    params = HullParams(entries="e.json", **COLUMN)
    scorer = hull.scorer(params, there)
    batch = formulas(CANDIDATES)
    rng = np.random.default_rng(1)
    many = batch.take(pa.array(rng.integers(0, len(batch), 2048)))

    found = scorer(many)

    assert found["hull_distance_ev_per_atom"].null_count == 0
    assert found["error"].null_count == len(many)
