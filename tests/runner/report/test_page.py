"""The whole page: what the command writes, and how it behaves in a real browser."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from browser import PHONE, serious_findings
from synthetic_tables import publish_campaign

from runner.report.build import report, write
from runner.report.compare import pareto_front
from schemas.errors import UserError

READY = "html[data-ready]"
SPEC = """
version: 1
campaign: sulfides
space:
  - {kind: prototype, prototype: rocksalt, species: {A: [Mg, Ca], X: [S]}}
stages:
  relax: {engine: toy, task: relax}
  gap: {engine: toy, task: scf, structure: relax}
"""


@pytest.fixture(scope="module")
def html(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("plotly")
    path = tmp_path_factory.mktemp("report") / "made-up.html"
    write(path, report([tables], "made-up", ("tolerance-factor",)))
    return path


@pytest.fixture
def opened(html: Path, page: Any) -> Any:
    page.context.set_offline(True)
    page.goto(html.as_uri())
    page.wait_for_selector(READY)
    return page


@pytest.fixture(scope="module")
def curves(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("plotly")
    path = tmp_path_factory.mktemp("report") / "curves.html"
    write(path, report([tables], "curves"))
    return path


@pytest.fixture
def with_curves(curves: Path, page: Any) -> Any:
    page.context.set_offline(True)
    page.goto(curves.as_uri())
    page.wait_for_selector(READY)
    return page


class Outline(HTMLParser):
    """The headings of a page, and every address that it would fetch something from."""

    def __init__(self) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = dict(attrs)
        if re.fullmatch(r"h\d", tag):
            self.headings.append(tag)
        if tag in {"script", "img", "iframe", "source"} and "src" in given:
            self.fetched.append(given["src"])
        if tag == "link":
            self.fetched.append(given["href"])


def test_the_file_needs_nothing_beside_it_and_its_headings_are_in_order(html: Path) -> None:
    outline = Outline()
    outline.feed(html.read_text("utf-8"))
    assert outline.fetched == ["data:,"]
    assert outline.headings[0] == "h1"
    assert set(outline.headings[1:]) == {"h2"}
    assert len(outline.headings) == 11


def test_the_page_opens_without_a_network_and_without_a_complaint(opened: Any) -> None:
    assert opened.complaints == []
    assert opened.locator(".js-plotly-plot").count() >= 6
    assert opened.locator("#periodic div").count() == 118


def test_axe_finds_nothing_serious(opened: Any) -> None:
    assert serious_findings(opened) == []


def test_a_phone_shows_the_page_without_scrolling_sideways(html: Path, browser: Any) -> None:
    context = browser.new_context(viewport=PHONE, has_touch=True)
    page = context.new_page()
    page.goto(html.as_uri())
    page.wait_for_selector(READY)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert serious_findings(page) == []
    context.close()


def test_the_table_of_the_best_is_sorted_by_the_keyboard(opened: Any) -> None:
    button = opened.locator("#best-table th button", has_text="volume")
    button.focus()
    opened.keyboard.press("Enter")
    values = opened.locator("#best-table tbody tr td:last-child").all_inner_texts()
    header = opened.locator("#best-table th[aria-sort]")
    assert header.count() == 1
    assert "volume" in header.inner_text()
    at = opened.locator("#best-table th").all_inner_texts().index(header.inner_text())
    rows = opened.locator("#best-table tbody tr").all()
    found = [float(row.locator("th, td").nth(at).inner_text()) for row in rows]
    assert len(values) == 25
    assert found == sorted(found)
    assert opened.evaluate("document.activeElement.textContent").startswith("volume")
    opened.keyboard.press("Enter")
    first = float(rows[0].locator("th, td").nth(at).inner_text())
    assert first >= max(found)


def test_a_candidate_of_the_table_shows_its_structure(opened: Any) -> None:
    opened.locator("#best-table tbody a").nth(3).click()
    formula = opened.locator("#best-table tbody a").nth(3).inner_text()
    assert opened.locator("#best-card h3").inner_text() == formula
    picture = opened.locator("#best-card svg")
    assert picture.locator("circle").count() == 15  # 8 corners, a centre, 6 faces
    before = picture.inner_html()
    picture.focus()
    opened.keyboard.press("ArrowRight")
    assert picture.inner_html() != before


def test_pointing_at_a_point_shows_that_candidate(opened: Any) -> None:
    opened.locator("#compare").scroll_into_view_if_needed()
    point = opened.locator("[data-figure=scatter] .points path").nth(7)
    box = point.bounding_box()
    opened.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    opened.wait_for_selector("[data-figure=scatter] .hoverlayer text")
    shown = opened.locator("[data-figure=scatter] .hoverlayer text").first.text_content()
    assert opened.locator("#scatter-card h3").inner_text() in shown


def test_columns_are_chosen_and_the_pareto_front_is_that_of_python(opened: Any) -> None:
    opened.get_by_label("Across", exact=True).select_option("tolerance_factor")
    opened.get_by_label("Across, for the Pareto front").select_option("smallest")
    assert "tolerance factor" in opened.locator("#pareto thead").inner_text()
    x = [1.0, 2.0, None, 0.5, 1.0, 3.0, 0.5]
    y = [1.0, 3.0, 9.0, 0.5, 1.0, None, 0.5]
    for xlargest in (True, False):
        for ylargest in (True, False):
            arguments = json.dumps([x, y, xlargest, ylargest])
            found = opened.evaluate(f"window.report.pareto(...{arguments})")
            assert found == pareto_front(x, y, xlargest=xlargest, ylargest=ylargest)
    assert opened.complaints == []


def test_every_control_draws_what_it_is_set_to(opened: Any) -> None:
    for form in ("distribution", "elements", "hull", "scatter"):
        for select in opened.locator(f"[data-controls={form}] select").all():
            options = select.locator("option").evaluate_all("all => all.map(one => one.value)")
            for value in options[-2:]:
                select.select_option(value)
    assert opened.complaints == []


def test_a_printed_page_shows_what_was_folded_away(opened: Any) -> None:
    content = opened.pdf(format="A4")
    assert content.startswith(b"%PDF")
    opened.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert opened.locator("details:not([open])").count() == 0
    opened.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert opened.locator("details[open]").count() == 0


def test_bands_and_states_stand_side_by_side_with_labels_and_the_gap(with_curves: Any) -> None:
    plot = with_curves.locator("[data-figure=spectra]")
    assert plot.locator(".xaxislayer-above .xtick text").all_text_contents() == ["Γ", "K|U", "X"]
    assert "states" in str(plot.locator(".x2title").text_content())
    assert "highest filled energy" in str(plot.locator(".ytitle").text_content())
    assert plot.locator(".shapelayer path").count() == 5  # zero, the gap, three lines of symmetry
    assert plot.locator(".scatterlayer .point").count() == 2
    words = with_curves.locator("#spectra-words").inner_text()
    assert "indirect gap of 1 eV, from Γ to K" in words
    assert "left out" in words
    assert with_curves.complaints == []


def test_the_keyboard_chooses_whose_bands_are_drawn(with_curves: Any) -> None:
    select = with_curves.get_by_label("Candidate, the best first")
    names = select.locator("option").all_inner_texts()
    assert len(names) == 9
    select.focus()
    seen = set()
    for _ in names:
        seen.add(with_curves.locator("#spectra-words").inner_text())
        with_curves.keyboard.press("ArrowDown")
    assert len(seen) == 9
    assert any("metal" in words for words in seen)
    select.select_option("0")
    rows = with_curves.locator("#spectra tbody th").all_inner_texts()
    assert [f"{n}. {formula}" for n, formula in enumerate(rows, 1)] == names
    assert with_curves.complaints == []


def test_a_candidate_leads_to_its_bands(with_curves: Any) -> None:
    formula = with_curves.locator("#spectra tbody th").nth(4).inner_text()
    at = with_curves.evaluate(f"window.report.points.formula.indexOf({json.dumps(formula)})")
    with_curves.evaluate(f"document.getElementById('c-{at}').click()")
    with_curves.locator("#best-card a", has_text="bands").click()
    assert with_curves.locator("#spectra-words").inner_text().startswith(formula)


def test_axe_finds_nothing_serious_in_a_page_with_bands(with_curves: Any) -> None:
    assert serious_findings(with_curves) == []


def test_a_phone_shows_bands_without_scrolling_sideways(curves: Path, browser: Any) -> None:
    context = browser.new_context(viewport=PHONE, has_touch=True)
    page = context.new_page()
    page.goto(curves.as_uri())
    page.wait_for_selector(READY)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    context.close()


@pytest.mark.slow  # 30 s
def test_ten_thousand_candidates_make_a_page_that_opens(tmp_path: Path, page: Any) -> None:
    publish_campaign(tmp_path / "tables", "large", 10_000, spectra=200, points=300)
    target = tmp_path / "large.html"
    write(target, report([tmp_path / "tables"], "large"))
    assert target.stat().st_size < 10e6
    page.goto(target.as_uri())
    page.wait_for_selector(READY, timeout=60_000)
    assert page.complaints == []
    assert serious_findings(page) == []
    assert page.evaluate("window.report.points.formula.length") > 10_000
    assert "Of 200 candidates with bands" in page.locator("#spectra").inner_text()
    assert 10 < page.locator("#spectra option").count() < 200


def test_without_javascript_the_tables_are_there(html: Path, browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(html.as_uri())
    assert page.locator("#best-table tbody tr").count() == 25
    assert "JavaScript" in page.locator("noscript").inner_text()
    context.close()


def test_the_command_writes_the_report_of_a_campaign(
    bench: Any, call: Any, tmp_path: Path, page: Any
) -> None:
    bench.run(SPEC)
    target = tmp_path / "out.html"
    assert call("report", "sulfides", "-o", str(target)) == (0, f"{target}\n", "")
    page.goto(target.as_uri())
    page.wait_for_selector(READY)
    assert page.complaints == []
    code, out, _ = call("report", str(bench.folder / "spec.yaml"), "-o", str(target), "--json")
    assert (code, json.loads(out)["data"]) == (0, {"campaign": "sulfides", "files": [str(target)]})


def test_a_campaign_that_was_only_screened_has_a_report(
    bench: Any, call: Any, tmp_path: Path, page: Any
) -> None:
    spec = bench.write(SPEC)
    call("screen", str(spec))
    target = tmp_path / "out.html"
    assert call("report", str(spec), "-o", str(target))[0] == 0
    page.goto(target.as_uri())
    page.wait_for_selector(READY)
    assert page.complaints == []
    assert "Only screened so far" in page.locator("header").inner_text()
    assert serious_findings(page) == []


def test_what_cannot_be_done_is_said_in_a_message(
    bench: Any, call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = call("report", "nothing")
    assert (code, "nothing is published of a campaign 'nothing'" in err) == (2, True)
    bench.run(SPEC)
    code, _, err = call("report", "sulfides", "-o", str(tmp_path / "no" / "where.html"))
    assert (code, "cannot be written: No such file or directory" in err) == (2, True)
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    code, _, err = call("report", "sulfides", "-o", str(tmp_path / "out.html"))
    assert (code, 'pip install "matcampaign[report]"' in err) == (2, True)
    assert not list(tmp_path.glob("*out.html*"))


def test_the_same_tables_give_the_same_page(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.report.build.footer", lambda: "")
    assert report([tables], "other") == report([tables], "other")


def test_a_file_that_is_there_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    write(target, "old")
    write(target, "new")
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(UserError, match="cannot be written"):
        write(tmp_path / "no" / "page.html", "x")
