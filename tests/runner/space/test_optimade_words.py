"""What can be seen without asking: filters, params, and cells of entries."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from optimade_bench import entry, species
from pydantic import ValidationError

from runner.optimade.connection import _retry_after_s
from runner.optimade.entries import LeftOut, Reason, read_cell
from runner.optimade.fetching import _next_url
from runner.optimade.filters import filter_problem
from runner.optimade.params import OptimadeParams
from runner.optimade.providers import PROVIDERS, versioned

WORDS = st.sampled_from(
    [
        *("AND", "OR", "NOT", "HAS", "ALL", "ANY", "ONLY", "IS", "KNOWN", "UNKNOWN", "LENGTH"),
        *("CONTAINS", "STARTS", "ENDS", "WITH", "TRUE", "FALSE", "and", "Ti", "'O'"),
        *("(", ")", ",", ":", "=", "!=", "<", "<=", ">", ">=", "=="),
        *("nelements", "elements", "_mp_x", "a.b.c", "a.gga+u", "nsites<=4"),
        *('"Ti"', '"O"', '""', '"a\\"b"', "1", "-2", "3.5", "1e-3", ".5"),
    ]
)


@pytest.fixture(scope="module")
def reference() -> Any:
    return pytest.importorskip("optimade.filterparser").LarkParser(version=(1, 2, 0))


@settings(max_examples=400, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=9).map(" ".join))
@example('elements HAS ALL "Ti","O" AND nelements=3')
@example('NOT (a.b.c != 1 OR "x" = y) AND z LENGTH >= 4')
@example('elements:elements_ratios HAS ANY "Ti":>0.3,"O":<0.5')
@example('elements HAS ONLY "Ti","O" AND chemical_formula_anonymous STARTS WITH "A2"')
@example('nelements=2 AND NOT structure_features HAS ANY "disorder"')
@example('a IS KNOWN AND b IS UNKNOWN OR c CONTAINS "\\\\"')
@example("2 < nelements")
def test_the_grammar_takes_what_the_reference_parser_takes(reference: Any, text: str) -> None:
    from optimade.exceptions import BadRequest

    try:
        # It takes several expressions in a row too; the specification takes one.
        taken = len(reference.parse(text).children) == 1
    except BadRequest:
        taken = False

    assert (filter_problem(text) is None) == taken


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty filter"),
        ("elements HAS ALL Ti", r"'Ti' \(column 18\).*texts in double quotes"),
        ("elements HAS 'Ti'", r"\(column 14\); texts stand in double quotes"),
        ("nelements == 3", r"\(column 12\); one = compares"),
        ('elements HAS "Ti" and nelements=3', r"'and' \(column 19\).*capitals: AND"),
        ('elements HAS "Ti', "a quote that is not closed"),
        ("nelements=3 AND", "ends too early, after 'nelements=3 AND'"),
        ("(" * 30_000, "30000 characters"),
        ("(" * 5000 + "a=1" + ")" * 5000, None),
    ],
)
def test_a_mistake_in_a_filter_is_explained(text: str, message: str | None) -> None:
    problem = filter_problem(text)
    if message is None:
        assert problem is None or "nested" in problem
    else:
        with pytest.raises(AssertionError, match=message):
            raise AssertionError(problem)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"provider": "mp"}, "asks for everything; give filter"),
        ({"provider": "oqdm"}, "no database 'oqdm'; did you mean 'oqmd'"),
        ({"provider": "https://me:secret@host/x"}, "holds no user or password"),
        ({"provider": "ftp://host"}, "expected a base URL https://host"),
        ({"provider": "https://host/v1?x=1"}, "base URL alone"),
        ({"provider": "https://host:port"}, "is no URL"),
        ({"filter": "nelements = = 2"}, "filter"),
        ({"elements": ["Ti", "Oo"]}, "'Oo' is not an element"),
        ({"elements": ["Ti", "Ti"]}, "Ti more than once"),
        ({"elements": ["Ti", "O"], "n_elements": 1}, "elements lists 2, and n_elements allows 1"),
        ({"chemsys": "Ti,O"}, "'Ti,O' is not an element"),
        ({"limit": 0}, "limit"),
        ({"columns": {"formula_x": {"property": "Band Gap", "type": "float"}}}, "property"),
        ({"columns": {"gap": "number"}}, "columns"),
        ({"columns": {"database_id": "text"}}, "has a column 'database_id' already"),
        ({"columns": {"Gap": "float"}}, "pattern"),
        ({"refresh": True, "offline": True}, "refresh and offline contradict each other"),
        ({"date": "2026-01-01", "max_age_days": 3}, "contradict"),
        ({"date": "yesterday"}, "expected a day such as 2026-03-01, found 'yesterday'"),
    ],
    ids=str,
)
def test_a_mistake_in_params_is_explained(words: dict[str, Any], message: str) -> None:
    given_words = {"provider": "mp", **words}
    if len(words.keys() - {"provider", "elements", "chemsys", "filter"}) or "://" in str(words):
        given_words = {"chemsys": "Ti-O", **given_words}
    with pytest.raises(ValidationError, match=message):
        OptimadeParams.model_validate(given_words)


def test_equal_questions_are_one_question_however_they_are_written() -> None:
    def asked(**words: Any) -> str:
        return OptimadeParams.model_validate({"provider": "mp", **words}).query.digest

    url = PROVIDERS["mp"].base_url
    assert asked(elements=["O", "Ti"]) == asked(elements=["Ti", "O"], page_limit=7, refresh=True)
    assert asked(chemsys="Ti-O") == asked(chemsys=["O-Ti"], provider=f"{url}/v1/")
    assert asked(chemsys="Ti-O") != asked(chemsys="Ti-O", limit=7)


@pytest.mark.parametrize(
    ("given_url", "asked"),
    [
        ("https://host", "https://host/v1"),
        ("https://host/a/", "https://host/a/v1"),
        ("https://host/a/v1", "https://host/a/v1"),
        ("https://host/a/v1.2", "https://host/a/v1.2"),
        ("https://host/v1/structures", "https://host/v1"),
        ("https://host/dev1", "https://host/dev1/v1"),
    ],
)
def test_a_base_url_is_asked_below_its_version(given_url: str, asked: str) -> None:
    assert versioned(given_url) == asked


@pytest.mark.parametrize(
    ("link", "following"),
    [
        (None, None),
        ("https://host/v1/structures?page=2", "https://host/v1/structures?page=2"),
        ({"href": "https://host/v1/structures?page=2"}, "https://host/v1/structures?page=2"),
        ("http://host/v1/structures?page=2", "https://host/v1/structures?page=2"),
        ("/v1/structures?page=2", "https://host/v1/structures?page=2"),
        ("?page=2", "https://host/v1/structures?page=2"),
        ({"meta": {}}, None),
        (7, None),
    ],
)
def test_the_next_page_is_found_in_all_forms_that_it_has(
    link: object, following: str | None
) -> None:
    answer = {"links": {"next": link}}
    assert _next_url(answer, "https://host/v1/structures?page=1") == following


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, 0), ("", 0), ("12", 12), ("soon", 0), ("Fri, 31 Dec 1999 23:59:59 GMT", 0), ("-3", 0)],
)
def test_a_time_to_wait_is_read_or_ignored(header: str | None, seconds: float) -> None:
    assert _retry_after_s(header) == seconds


def attributes(**more: Any) -> dict[str, Any]:
    found: dict[str, Any] = entry("x", sites=["Ti", "O"], **more)["attributes"]
    return found


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"species": [species("Ti", ("Ti", "Zr"), 0.5, 0.5), species("O")]}, Reason.DISORDERED),
        ({"species": [species("Ti", (), 0.9), species("O")]}, Reason.PARTLY_EMPTY),
        ({"species": [species("Ti", ("vacancy",)), species("O")]}, Reason.PARTLY_EMPTY),
        ({"structure_features": ["assemblies"]}, Reason.ASSEMBLIES),
        ({"structure_features": ["implicit_atoms"]}, Reason.IMPLICIT),
        ({"dimension_types": [0, 0, 0], "lattice_vectors": None}, Reason.NOT_PERIODIC),
        ({"lattice_vectors": [[1, 0, 0], [0, 1, 0], [1, 1, 0]]}, Reason.MALFORMED),
        ({"lattice_vectors": [[1, 0, 0], [0, 1, 0], [1, 1, None]]}, Reason.MALFORMED),
        ({"lattice_vectors": [[9, 0, 0], [0, 9, 0]]}, Reason.MALFORMED),
        ({"cartesian_site_positions": [[0, 0, 0]]}, Reason.MALFORMED),
        ({"cartesian_site_positions": [[0, 0, float("nan")], [1, 1, 1]]}, Reason.MALFORMED),
        ({"cartesian_site_positions": [[True, 0, 0], [1, 1, 1]]}, Reason.MALFORMED),
        ({"species": [species("Ti")]}, Reason.MALFORMED),
        ({"species": [species("Ti", ("Tt",)), species("O")]}, Reason.MALFORMED),
        ({"species": {"Ti": 1}}, Reason.MALFORMED),
        ({"species": [{"name": ["Ti"]}]}, Reason.MALFORMED),
        ({"species_at_sites": []}, Reason.MALFORMED),
        ({"species_at_sites": ["Ti", ["O"]]}, Reason.MALFORMED),
    ],
    ids=str,
)
def test_an_entry_that_is_no_ordered_crystal_has_its_reason(
    more: dict[str, Any], reason: Reason
) -> None:
    with pytest.raises(LeftOut) as why:
        read_cell(attributes(**more))
    assert why.value.reason is reason


def test_a_declared_species_that_no_site_has_does_no_harm() -> None:
    unused = species("Zr", ("Zr", "vacancy"), 0.5, 0.5)
    named = {**species("Ti1", ("Ti",)), "mass": [47.9]}

    cell = read_cell(
        attributes(species=[named, species("O"), unused], species_at_sites=["Ti1", "O"])
    )
    assert cell.species == ("Ti", "O")


def test_deuterium_counts_as_hydrogen() -> None:
    found = attributes(species=[species("Ti"), species("D")], species_at_sites=["Ti", "D"])
    assert read_cell(found).species == ("Ti", "H")


@settings(deadline=None, max_examples=200)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["name", "chemical_symbols", "Ti"]), inner, max_size=3
            )
        ),
        max_leaves=12,
    ),
    st.sampled_from(sorted(attributes())),
)
def test_no_entry_however_wrong_is_more_than_left_out(value: Any, name: str) -> None:
    with suppress(LeftOut):
        read_cell({**attributes(), name: value}).structure()
