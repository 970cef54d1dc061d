"""The parts of a report: functions from tables to text and figures."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.crystal.elements import SYMBOLS
from runner.report import (
    citations,
    compare,
    cost,
    elements,
    failures,
    funnel,
    hull,
    provenance,
    spectra,
)
from runner.report.best import ranked
from runner.report.labels import UNITS, label
from runner.report.markup import Raw, number, table
from runner.report.objectives import Objective, objectives
from runner.report.points import FATES, Numbers, points
from runner.report.published import Published
from runner.report.structures import pack, structures
from schemas.errors import UserError
from schemas.tables import stage_columns


def test_a_label_says_words_stage_and_unit() -> None:
    assert str(label("gap.band_gap_ev")) == "band gap (gap) / eV"
    assert str(label("tolerance_factor")) == "tolerance factor"
    assert str(label("relax.volume_ang3_per_atom")) == "volume (relax) / Å³/atom"
    assert str(label("core_hours")) == "core-hours / core h"


def test_every_column_of_the_engines_that_has_a_unit_is_labelled_with_one() -> None:
    wanted = [one.name for one in stage_columns() if one.unit and one.type in {"float", "int"}]
    assert [name for name in wanted if label(name).unit is None] == []


def test_a_longer_unit_is_found_before_one_that_it_ends_in() -> None:
    ends = list(UNITS)
    for at, end in enumerate(ends):
        assert not any(end.endswith(before) for before in ends[:at])


def test_numbers_are_written_for_people() -> None:
    assert [number(one) for one in (12345, 0.25, -1.0, 1e-7, None)] == [
        "12,345", "0.25", "\N{MINUS SIGN}1", "1.000e\N{MINUS SIGN}07", "\N{EN DASH}",
    ]  # fmt: skip


def test_a_table_escapes_what_is_not_meant_as_html() -> None:
    text = table("a & b", ("x", "n"), [("<script>", 1), (Raw("<b>y</b>"), 2)])
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "<b>y</b>" in text
    assert "a &amp; b" in text


def test_the_funnel_loses_at_each_filter_what_it_rejects() -> None:
    rejects = [
        {"step": "b", "verdict": "reject", "n": 5},
        {"step": "a", "verdict": "unknown", "n": 2},
        {"step": "c", "verdict": "reject", "n": 1},
    ]
    levels = funnel.filter_levels(20, rejects, ["b", "a"])
    assert [(one.name, one.left) for one in levels] == [
        ("all candidates", 20), ("b", 15), ("a", 13), ("c", 12),
    ]  # fmt: skip
    assert levels[1].others == "5 rejected"


def test_the_figure_of_the_funnel_is_this_one() -> None:
    figure = funnel.plot([funnel.Level("all candidates", "space", 4, "")])
    (bars,) = figure["data"]
    assert (bars["type"], bars["y"], bars["x"], bars["text"]) == (
        "bar", ["all candidates"], [4], ["4"],
    )  # fmt: skip
    assert figure["layout"]["xaxis"]["title"]["text"] == "candidates"


def test_references_are_no_part_of_the_funnel(published: Published) -> None:
    section = funnel.section(published, ("tolerance-factor",))
    lefts = section.figures["funnel"]["data"][0]["x"]
    assert lefts[0] == 300
    assert all(later <= earlier for earlier, later in pairwise(lefts[:2]))
    assert lefts[-1] == lefts[1]  # the analysis, of what passed


def test_points_hold_every_candidate_with_the_numbers_of_its_stages(published: Published) -> None:
    found = points(published)
    fates = [FATES[fate] for fate in found.fate]
    assert found.total == len(found.formula) == 300 + fates.count("reference")
    assert {"complete", "failed", "rejected", "reference"} == set(fates)
    gap = found.column("gap.band_gap_ev")
    (sql,) = published.rows(
        "SELECT count(*) AS n, round(sum(band_gap_ev), 2) AS total FROM results "
        "WHERE stage = 'gap' AND outcome = 'ok'"
    )
    known = [value for value in gap.values if value is not None]
    assert len(known) == sql["n"]
    assert sum(known) == pytest.approx(sql["total"], rel=1e-4)  # values have five digits
    assert gap.description
    assert found.column("tolerance_factor").values[0] is not None


def test_of_a_large_campaign_those_that_were_computed_stay(published: Published) -> None:
    found = points(published, most=100)
    assert len(found.formula) == 100
    assert found.total > 300
    assert FATES.index("rejected") not in found.fate


def test_structures_are_those_of_the_last_stage_in_few_characters(published: Published) -> None:
    found = points(published)
    packed = structures(published, len(found.formula))
    at = found.fate.index(FATES.index("complete"))
    cell, names, counts, positions = packed[at] or ()
    assert counts == [1, 1, 3]
    assert "".join(names) + "3" == found.formula[at]
    edge = found.column("gap.a_ang").values[at]
    assert cell[0] / 1000 == pytest.approx(edge, abs=1e-3)
    assert positions[3:6] == [500, 500, 500]


def test_a_position_at_the_end_of_the_cell_is_one_at_its_beginning() -> None:
    structure = {
        "species": ["Na"], "lattice_ang": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        "frac_coords": [[0.99999, -0.25, 1.5]],
    }  # fmt: skip
    assert pack(structure) == [[1000, 0, 0, 0, 1000, 0, 0, 0, 1000], ["Na"], [1], [0, 750, 500]]


def test_candidates_are_ranked_by_what_campaigns_are_about() -> None:
    names = ("n_atoms", "relax.band_gap_ev", "hull.above_hull_ev_per_atom")
    numbers = [Numbers(name, "", []) for name in names]
    assert objectives(numbers) == (
        Objective("hull.above_hull_ev_per_atom", largest=False),
        Objective("relax.band_gap_ev", largest=True),
    )
    assert objectives([]) == ()


values = st.lists(st.none() | st.integers(-3, 3).map(float), min_size=1, max_size=12)


@given(values, values, st.booleans(), st.booleans())
def test_nothing_is_better_in_both_than_a_point_of_the_front(
    x: Any, y: Any, xlargest: Any, ylargest: Any
) -> None:
    size = min(len(x), len(y))
    x, y = x[:size], y[:size]
    front = compare.pareto_front(x, y, xlargest=xlargest, ylargest=ylargest)
    sx, sy = -1 if xlargest else 1, -1 if ylargest else 1
    known = [at for at in range(size) if x[at] is not None and y[at] is not None]

    def beaten(at: int) -> bool:
        return any(
            (sx * x[o] <= sx * x[at] and sy * y[o] <= sy * y[at]) and (x[o], y[o]) != (x[at], y[at])
            for o in known
        )

    assert sorted(front) == [at for at in known if not beaten(at)]


def test_every_element_has_a_place_of_its_own_in_the_periodic_table() -> None:
    places = {symbol: elements.place(n) for n, symbol in enumerate(SYMBOLS, start=1)}
    assert len(set(places.values())) == len(SYMBOLS)
    known = {"H": (1, 1), "He": (1, 18), "B": (2, 13), "Sc": (4, 3), "Hf": (6, 4), "La": (9, 3)}
    assert {symbol: places[symbol] for symbol in known} == known


def test_elements_are_counted_once_per_candidate(published: Published) -> None:
    section = elements.section(published, points(published))
    assert section is not None
    screened = section.data["elements"]["measures"][0]["values"]
    assert sum(screened.values()) == 3 * 300 - sum(
        3 - row["n"] for row in published.rows("SELECT len(elements) AS n FROM screening")
    )


def test_the_hull_of_a_binary_system_goes_through_its_stable_phases() -> None:
    phases = [
        hull.Phase("Ca", 0.0, 0.0), hull.Phase("O2", 0.0, 0.0), hull.Phase("CaO", -3.0, 0.0),
        hull.Phase("CaO2", -1.0, 1.0),
    ]  # fmt: skip
    line, marks = hull.diagram(("Ca", "O"), phases)["data"]
    assert list(zip(line["x"], line["y"], strict=True)) == [(0.0, 0.0), (0.5, -3.0), (1.0, 0.0)]
    assert marks["text"] == ["Ca", "O2", "CaO", ""]


def test_the_hull_of_a_ternary_system_is_made_of_triangles() -> None:
    energies = {"CaO": -3.0, "TiO2": -3.0, "CaTiO3": -3.3}
    phases = [hull.Phase(formula, energy, 0.0) for formula, energy in energies.items()]
    found = {frozenset((a.formula, b.formula)) for a, b in hull.edges(("Ca", "O", "Ti"), phases)}
    assert {frozenset(("CaTiO3", "CaO")), frozenset(("CaTiO3", "TiO2"))} <= found
    assert frozenset(("CaO", "Ti")) in found


def test_systems_of_four_elements_have_no_diagram() -> None:
    assert hull.systems([hull.Phase("NaCaTiO3", -1.0, 0.0), hull.Phase("Na", 0.0, 0.0)]) == []


def test_failures_are_grouped_with_what_to_do_and_repairs_counted(published: Published) -> None:
    body = failures.section(published).body
    (failed,) = published.rows(
        "SELECT count(*) AS n FROM results WHERE outcome = 'failed' AND stage = 'relax'"
    )
    assert f"<td class=n>{failed['n']}</td>" in body
    assert "campaign logs made-up" in body
    assert "set mixing_beta" in body


def test_the_cost_is_told_in_dollars_and_in_cents_for_each_material(tables: Path) -> None:
    with Published([tables], "priced") as published:
        text = cost.money(published)
        (sums,) = published.rows("SELECT count(*) AS n FROM attempts")
        useful = (
            "SELECT count(DISTINCT candidate_id) AS n FROM results "
            "WHERE outcome = 'ok' AND engine = 'espresso'"  # references of the hull cost nothing
        )
        (ok,) = published.rows(useful)
        listed = cost.section(published).body
    paid = 0.1 * 0.05 * sums["n"]
    cents = number(100 * paid / ok["n"], 3)
    assert f"They cost US$ {paid:.2f}, {cents} cents for each of the {ok['n']} materials" in text
    assert "cost of attempts with a price" in listed
    assert f"US$ {paid / 2:.2f}</td>" in listed  # both stages have as many attempts


def test_the_cost_says_so_where_no_price_is_known(published: Published) -> None:
    section = cost.section(published)
    assert "No price is known" in section.body
    assert "with a price" not in section.body
    useful, other = section.figures["cost"]["data"]
    (sums,) = published.rows("SELECT sum(core_hours) AS n FROM attempts")
    assert sum(useful["y"]) + sum(other["y"]) == pytest.approx(sums["n"])


def test_provenance_names_programs_machines_and_the_file(published: Published) -> None:
    body = provenance.section(published).body
    assert "PWSCF 6.7MaX" in body
    assert "node1" in body
    assert "campaign: made-up" in body


def test_what_was_used_is_cited_and_nothing_else() -> None:
    spec = {
        "campaign": "chgnet",  # a name says nothing
        "filters": [{"score": "tolerance-factor"}, {"top": 3}],
        "stages": {"scf": {"engine": "espresso", "pseudopotentials": "gth-pbe"}},
    }
    found = citations.uses(spec, {"espresso"})
    assert {key for one in found for key in one.keys} == {
        "fireworks2015", "pymatgen2013", "espresso2009", "espresso2017", "gth1996", "hgh1998",
        "krack2005", "pbe1996", "goldschmidt1926", "shannon1976",
    }  # fmt: skip
    assert [one.what for one in citations.uses(spec, ())] == ["tolerance factors, ionic radii"]


def test_every_citation_is_in_the_bibliography_and_is_used() -> None:
    used = {key for one in citations.USES for key in one.keys}
    assert used == set(citations.bibliography())


def test_an_unknown_campaign_is_told_of_with_the_nearest_name(tables: Any) -> None:
    with pytest.raises(UserError, match="did you mean 'made-up'"):
        Published([tables], "madeup")


def test_a_campaign_without_bands_has_no_part_about_them(published: Published) -> None:
    every = points(published)
    assert spectra.section(published, every, objectives(every.numbers)) is None


def test_bands_are_shown_of_the_best_as_far_as_there_is_room(
    tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Published([tables], "curves") as published:
        every = points(published)
        by = objectives(every.numbers)
        whole = spectra.section(published, every, by)
        assert whole is not None
        order = ranked(every, by[0])
        have = [one["at"] for one in whole.data["spectra"]]
        assert have == sorted(have, key=order.index)
        assert len(have) == 9
        assert {"bands", "dos"} <= whole.data["spectra"][0].keys()
        size = len(json.dumps(whole.data["spectra"][0]))
        monkeypatch.setattr(spectra, "MOST_CHARACTERS", 3 * size)
        part = spectra.section(published, every, by)
    assert part is not None
    some = [one["at"] for one in part.data["spectra"]]
    assert 1 <= len(some) < 9
    assert some == have[: len(some)]
    assert f"the {len(some)} best are in this page" in part.body
