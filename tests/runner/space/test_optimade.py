"""Against the reference implementation of OPTIMADE, run locally, behind a proxy that does harm."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from optimade_bench import (
    FINE,
    HALIDES,
    UNFIT,
    Harm,
    Proxy,
    running_proxy,
    running_server,
)

from runner.optimade import answers
from runner.optimade.connection import Manners
from runner.optimade.params import OptimadeParams
from runner.space.optimade import plugin
from schemas.candidate import Candidate
from schemas.errors import UserError
from schemas.protocols import Surroundings

SALTS = 'elements HAS ANY "F","Cl","Br","I"'
NAMES = [one["id"] for one in HALIDES]
TODAY = datetime.now(UTC).date()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    pytest.importorskip("optimade.server")
    with running_server(tmp_path_factory.mktemp("optimade")) as port:
        yield port


@pytest.fixture
def proxy(server: int) -> Iterator[Proxy]:
    with running_proxy(server) as proxy:
        yield proxy


@pytest.fixture
def here(tmp_path: Path) -> Surroundings:
    return Surroundings(folder=tmp_path, seed=1, cache=tmp_path / "cache")


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits and pauses of a thousandth, but for those that a server asks for."""

    def short(*, pause_s: float, silence_s: float) -> Manners:
        return Manners(pause_s=pause_s / 1000, first_wait_s=0.001, attempts=3, silence_s=silence_s)

    monkeypatch.setattr(answers, "Manners", short)


def made(proxy: Proxy, **words: Any) -> OptimadeParams:
    words = {"filter": SALTS, "page_limit": 6, **words}
    return OptimadeParams.model_validate({"provider": proxy.url, **words})


def ids(candidates: list[Candidate]) -> list[Any]:
    return [candidate.extra["database_id"] for candidate in candidates]


def took(params: OptimadeParams, here: Surroundings) -> list[Candidate]:
    return list(plugin.candidates(params, here))


def rows(candidates: list[Candidate]) -> list[tuple[object, str]]:
    return [(candidate.row(), candidate.id) for candidate in candidates]


def only_file(here: Surroundings, pattern: str = "*.jsonl") -> Path:
    assert here.cache
    (path,) = (here.cache / "optimade").glob(pattern)
    return path


def test_all_pages_arrive_in_the_order_of_the_database(proxy: Proxy, here: Surroundings) -> None:
    candidates = took(made(proxy), here)

    assert ids(candidates) == NAMES
    assert len(proxy.pages) == 4
    assert candidates[0].row()["database"] == proxy.url
    assert candidates[0].row()["database_date"] == TODAY.isoformat()


def test_cells_are_those_that_the_server_holds(proxy: Proxy, here: Surroundings) -> None:
    from pymatgen.core import Structure

    for candidate, kept in zip(took(made(proxy), here), HALIDES, strict=True):
        held = kept["attributes"]
        cell = candidate.structure.to_pymatgen()
        same = Structure(
            held["lattice_vectors"],
            held["species_at_sites"],
            held["cartesian_site_positions"],
            coords_are_cartesian=True,
        )
        assert cell == same
        assert candidate.formula == candidate.structure.formula


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"filter": None, "elements": ["Ti", "O"]}, ["oxide-a", "oxide-b"]),
        ({"filter": None, "elements": ["O"], "n_elements": 2}, ["oxide-a", "oxide-c"]),
        ({"filter": None, "elements": ["O"], "n_atoms_max": 3}, ["oxide-a", "oxide-c"]),
        ({"filter": None, "chemsys": "O-Ti"}, ["oxide-a"]),
        ({"filter": None, "chemsys": ["Ti-O", "Sr-O"]}, ["oxide-a", "oxide-c"]),
        ({"filter": None, "chemsys": ["Sr-O-Ti"]}, ["oxide-b"]),
        (
            {"filter": 'elements HAS "Li" OR elements HAS "Sr"', "n_elements": 2},
            [*NAMES[:4], "oxide-c"],
        ),
        ({"filter": "_exmpl_band_gap > 9"}, NAMES[19:]),
    ],
    ids=str,
)
def test_words_ask_for_what_they_say(
    proxy: Proxy, here: Surroundings, words: dict[str, Any], expected: list[str]
) -> None:
    assert ids(took(made(proxy, **words), here)) == expected


def test_the_cache_answers_from_then_on_and_says_its_date(
    proxy: Proxy, here: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert plugin.count(made(proxy), here) is None
    first = took(made(proxy), here)
    asked = len(proxy.requests)
    path = only_file(here)
    path.rename(path.with_name(path.name.replace(TODAY.isoformat(), "2026-02-03")))

    later = took(made(proxy), here)

    assert ids(later) == ids(first)
    assert {candidate.extra["database_date"] for candidate in later} == {"2026-02-03"}
    assert plugin.count(made(proxy), here) == len(first)
    assert ids(took(made(proxy, offline=True), here)) == NAMES
    monkeypatch.setenv("MATCAMPAIGN_OFFLINE", "1")
    assert ids(took(made(proxy, max_age_days=1), here)) == NAMES
    assert len(proxy.requests) == asked


def test_offline_without_an_answer_says_what_is_missing(
    proxy: Proxy, here: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        UserError, match=r"offline, and the cache .* holds no answer to elements HAS"
    ):
        took(made(proxy, offline=True), here)
    monkeypatch.setenv("MATCAMPAIGN_OFFLINE", "1")
    with pytest.raises(UserError, match="offline"):
        took(made(proxy), here)
    assert not proxy.requests


def test_an_answer_that_is_too_old_is_asked_for_again_and_the_old_one_stays(
    proxy: Proxy, here: Surroundings
) -> None:
    took(made(proxy), here)
    path = only_file(here)
    days_ago = [(TODAY - timedelta(days=n)).isoformat() for n in (3, 4)]
    path.rename(path.with_name(path.name.replace(TODAY.isoformat(), days_ago[0])))
    asked = len(proxy.pages)

    took(made(proxy, max_age_days=3), here)
    assert len(proxy.pages) == asked
    anew = took(made(proxy, max_age_days=2), here)

    assert len(proxy.pages) == 2 * asked
    assert anew[0].extra["database_date"] == TODAY.isoformat()
    pinned = took(made(proxy, date=days_ago[0]), here)
    assert ids(pinned) == ids(anew)
    assert pinned[0].extra["database_date"] == days_ago[0]
    with pytest.raises(UserError, match=f"there are answers of {TODAY}, {days_ago[0]}"):
        took(made(proxy, date=days_ago[1]), here)


def test_refresh_asks_anew_once_in_a_run_of_the_program(proxy: Proxy, here: Surroundings) -> None:
    took(made(proxy), here)
    path = only_file(here)
    text = path.read_text()
    head, _, tail = text.rstrip("\n").rpartition("\n")
    path.write_text(f"{head}\n{tail.replace(f'{TODAY}T', '2020-01-01T')}\n")
    asked = len(proxy.pages)

    assert plugin.count(made(proxy, refresh=True), here) is None
    took(made(proxy, refresh=True), here)
    took(made(proxy, refresh=True), here)

    assert len(proxy.pages) == 2 * asked
    assert plugin.count(made(proxy, refresh=True), here) == len(NAMES)


def test_other_questions_have_other_answers(proxy: Proxy, here: Surroundings) -> None:
    for words in ({}, {"limit": 3}, {"columns": {"_exmpl_band_gap": "float"}}, {"n_elements": 2}):
        took(made(proxy, **words), here)
    assert here.cache
    assert len(list((here.cache / "optimade").glob("*.jsonl"))) == 4


def test_without_a_cache_nothing_is_kept(proxy: Proxy, tmp_path: Path) -> None:
    nowhere = Surroundings(folder=tmp_path, seed=1)

    assert ids(took(made(proxy), nowhere)) == NAMES
    assert ids(took(made(proxy), nowhere)) == NAMES
    assert len(proxy.pages) == 8
    assert plugin.count(made(proxy), nowhere) is None
    assert not list(tmp_path.iterdir())


def test_checking_a_campaign_asks_nothing(proxy: Proxy, tmp_path: Path) -> None:
    from runner.load import load

    path = tmp_path / "spec.yaml"
    path.write_text(
        f"""
version: 1
campaign: salts
space:
  - {{kind: optimade, provider: "{proxy.url}", chemsys: Na-Cl, columns: {{_exmpl_band_gap: float}}}}
filters:
  - {{keep: "_exmpl_band_gap > 1 and database_date > '2026'"}}
stages:
  scf: {{engine: toy, task: scf}}
"""
    )
    load(path)
    assert not proxy.requests


def test_what_is_no_ordered_crystal_is_left_out_and_counted(
    proxy: Proxy, here: Surroundings, caplog: pytest.LogCaptureFixture
) -> None:
    params = made(proxy, filter='elements HAS "Au" OR elements HAS "Ti"')

    with caplog.at_level(logging.WARNING):
        candidates = took(params, here)
        took(params, here)

    assert ids(candidates) == ["oxide-a", "oxide-b"]
    assert plugin.count(params, here) == 2
    (remark,) = [one.getMessage() for one in caplog.records]  # once, not for each pass
    assert "5 of 7 entries give no candidate: 1 disordered" in remark
    reasons = dict(plugin.left_out(params, here))
    assert set(reasons) == {one["id"] for one in UNFIT}
    assert "several elements" in reasons["unfit-mixed"]
    assert "empty" in reasons["unfit-vacancy"]
    assert "attached" in reasons["unfit-attached"]
    assert "unknown element" in reasons["unfit-unknown"]
    assert "periodic" in reasons["unfit-slab"]


def test_malformed_entries_are_left_out_and_the_others_come(
    proxy: Proxy, here: Surroundings
) -> None:
    def damage(answer: dict[str, Any]) -> None:
        data = answer["data"]
        data[0]["attributes"]["lattice_vectors"] = None
        data[1]["attributes"]["cartesian_site_positions"][0][0] = 10**400
        data[2] = "not an entry"
        data[3]["attributes"]["species_at_sites"].append("Unobtainium")
        del data[4]["id"]

    proxy.harms = deque([Harm(edit=damage)])
    params = made(proxy)

    assert ids(took(params, here)) == NAMES[5:]
    assert plugin.count(params, here) == len(NAMES) - 5
    assert all("malformed" in reason for _, reason in plugin.left_out(params, here))


def test_numbers_as_ids_and_missing_concentrations_are_understood(
    proxy: Proxy, here: Surroundings
) -> None:
    def as_some_do(answer: dict[str, Any]) -> None:
        answer["data"][0]["id"] = 4061139
        for one in answer["data"][0]["attributes"]["species"]:
            del one["concentration"]

    proxy.harms = deque([Harm(edit=as_some_do)])

    assert ids(took(made(proxy), here))[:2] == ["4061139", NAMES[1]]


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_after_the_time_that_it_asks_for(
    proxy: Proxy, here: Surroundings, status: int
) -> None:
    proxy.harms = deque([FINE, Harm(status=status, headers={"Retry-After": "1"}, text="busy")])

    assert ids(took(made(proxy), here)) == NAMES
    times = [one.time_s for one in proxy.requests if "/structures?" in one.path]
    assert times[2] - times[1] >= 1.0
    assert times[3] - times[2] < 0.9


def test_the_time_to_wait_may_be_a_date(proxy: Proxy, here: Surroundings) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    proxy.harms = deque([Harm(status=503, headers={"Retry-After": later})])

    assert ids(took(made(proxy), here)) == NAMES
    times = [one.time_s for one in proxy.requests]
    assert times[2] - times[1] >= 0.9  # a date has whole seconds


def test_a_server_that_asks_for_hours_is_not_waited_for(proxy: Proxy, here: Surroundings) -> None:
    proxy.harms = deque([FINE, Harm(status=429, headers={"Retry-After": "7200"})])

    with pytest.raises(UserError, match=r"asks to wait 7200 s .*429.*pages before are kept"):
        took(made(proxy), here)


def test_the_pause_that_a_server_asks_for_is_kept(proxy: Proxy, here: Surroundings) -> None:
    proxy.harms = deque([Harm(edit=lambda answer: answer["meta"].update(request_delay=0.5))])

    took(made(proxy, limit=7), here)
    times = [one.time_s for one in proxy.requests]
    assert times[2] - times[1] >= 0.5


def test_a_connection_cut_in_the_middle_of_a_page_is_tried_again(
    proxy: Proxy, here: Surroundings
) -> None:
    proxy.harms = deque([FINE, Harm(cut=True), FINE, Harm(cut=True), Harm(cut=True)])

    assert ids(took(made(proxy), here)) == NAMES


def test_after_an_outage_fetching_goes_on_where_it_stopped(
    proxy: Proxy, here: Surroundings, tmp_path: Path
) -> None:
    undisturbed = rows(took(made(proxy), Surroundings(tmp_path, 1, tmp_path / "other")))
    proxy.requests.clear()
    proxy.harms, proxy.forever = deque([FINE, FINE]), Harm(cut=True)

    with pytest.raises(UserError, match=r"no answer in 3 attempts.*pages before are kept"):
        took(made(proxy), here)
    proxy.forever = None
    proxy.requests.clear()

    assert rows(took(made(proxy), here)) == undisturbed
    assert len(proxy.requests) == 2  # neither /info nor the pages before
    assert not list((tmp_path / "cache" / "optimade").glob("*.part"))


def test_after_a_kill_fetching_goes_on_where_it_stopped(
    proxy: Proxy, here: Surroundings, tmp_path: Path
) -> None:
    proxy.harms = deque([FINE, FINE, Harm(silence_s=20)])
    program = (
        "import sys; from pathlib import Path\n"
        "from runner.space.optimade import plugin\n"
        "from schemas.protocols import Surroundings\n"
        "params = plugin.params.model_validate_json(sys.argv[1])\n"
        "list(plugin.candidates(params, Surroundings(Path(), 1, Path(sys.argv[2]))))\n"
    )
    params = made(proxy)
    process = subprocess.Popen(
        [sys.executable, "-c", program, params.model_dump_json(), str(here.cache)]
    )
    while len(proxy.pages) < 3:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    part = only_file(here, "*.part")
    with part.open("ab") as handle:  # as if it had been writing
        handle.write(b'{"attributes":{"lattice_vec')
    proxy.requests.clear()

    assert ids(took(params, here)) == NAMES
    assert len(proxy.requests) == 2


def test_addresses_of_pages_that_no_longer_lead_anywhere_make_it_begin_anew(
    proxy: Proxy, here: Surroundings
) -> None:
    proxy.harms, proxy.forever = deque([FINE, FINE]), Harm(cut=True)
    with pytest.raises(UserError):
        took(made(proxy), here)
    proxy.forever = None
    proxy.harms = deque([Harm(status=410, text="gone")])

    assert ids(took(made(proxy), here)) == NAMES


def test_a_beginning_of_days_ago_is_not_continued(proxy: Proxy, here: Surroundings) -> None:
    proxy.harms, proxy.forever = deque([FINE, FINE]), Harm(cut=True)
    with pytest.raises(UserError):
        took(made(proxy), here)
    proxy.forever = None
    part = only_file(here, "*.part")
    long_ago = (TODAY - timedelta(days=9)).isoformat()
    part.write_text(part.read_text().replace(f'"started":"{TODAY}', f'"started":"{long_ago}'))
    proxy.requests.clear()

    assert ids(took(made(proxy), here)) == NAMES
    assert len(proxy.pages) == 4


def test_a_damaged_answer_is_fetched_anew_or_named(proxy: Proxy, here: Surroundings) -> None:
    first = rows(took(made(proxy), here))
    path = only_file(here)
    whole = path.read_bytes()

    path.write_bytes(whole[: len(whole) // 2])
    assert plugin.count(made(proxy), here) is None
    assert rows(took(made(proxy), here)) == first

    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:4], b"\0\0\0\n", *lines[5:]]))
    with pytest.raises(UserError, match=rf"{path.name}:5: damaged; remove the file"):
        took(made(proxy), here)


def test_what_the_server_says_of_a_wrong_filter_is_shown(proxy: Proxy, here: Surroundings) -> None:
    with pytest.raises(UserError, match="400 Bad Request: '_exmpl_bandgap' is not a known"):
        took(made(proxy, filter="_exmpl_bandgap > 1"), here)


def test_that_nothing_matches_is_said(
    proxy: Proxy, here: Surroundings, caplog: pytest.LogCaptureFixture
) -> None:
    assert took(made(proxy, filter="nelements > 50"), here) == []
    assert "no entry matches" in caplog.text


def test_a_page_limit_that_the_server_refuses_is_left_to_the_server(
    proxy: Proxy, here: Surroundings
) -> None:
    assert ids(took(made(proxy, page_limit=500), here)) == NAMES
    assert ["page_limit" in page for page in proxy.pages] == [True, False]


def test_silence_ends_with_a_message(proxy: Proxy, here: Surroundings) -> None:
    proxy.forever = Harm(silence_s=0.5)

    with pytest.raises(UserError, match=r"no answer in 3 attempts: silent for 0\.1 s"):
        took(made(proxy, timeout_s=0.1), here)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (Harm(status=404, text="nothing here"), "no OPTIMADE database at .*404 .*nothing here"),
        (
            Harm(status=200, headers={"Content-Type": "text/html"}, text="<p>please log in"),
            r"no JSON object \(text/html\): <p>please log in",
        ),
        (
            Harm(edit=lambda answer: answer["data"]["attributes"].update(is_index=True)),
            "is an index of databases.*/v1/links lists them",
        ),
    ],
    ids=["not found", "a page", "an index"],
)
def test_what_is_no_database_is_said_to_be_none(
    proxy: Proxy, here: Surroundings, harm: Harm, message: str
) -> None:
    proxy.to_info = harm
    with pytest.raises(UserError, match=message):
        took(made(proxy), here)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda answer: answer.update(data=None), "without a list `data`"),
        (lambda answer: answer["links"].update(next="ftp://x/y"), "has the address 'ftp://x/y'"),
    ],
    ids=["no data", "another protocol"],
)
def test_answers_that_make_no_sense_are_named(
    proxy: Proxy, here: Surroundings, edit: Any, message: str
) -> None:
    proxy.harms = deque([Harm(edit=edit)])
    with pytest.raises(UserError, match=message):
        took(made(proxy), here)


def test_pages_that_lead_in_a_circle_end(proxy: Proxy, here: Surroundings) -> None:
    def back(answer: dict[str, Any]) -> None:
        answer["links"]["next"] = proxy.pages[0]  # a path alone is an address too

    proxy.forever = Harm(edit=back)
    with pytest.raises(UserError, match="3 pages in a row brought nothing new after 6 entries"):
        took(made(proxy), here)
    proxy.forever = None
    assert ids(took(made(proxy), here)) == NAMES


def test_entries_that_come_twice_are_taken_once(proxy: Proxy, here: Surroundings) -> None:
    held: list[Any] = []
    proxy.harms = deque(
        [
            Harm(edit=lambda answer: held.extend(answer["data"])),
            Harm(edit=lambda answer: answer["data"].insert(0, held[-1])),
        ]
    )
    assert ids(took(made(proxy), here)) == NAMES


def test_no_more_than_the_limit_are_taken_and_that_there_are_more_is_said(
    proxy: Proxy, here: Surroundings, caplog: pytest.LogCaptureFixture
) -> None:
    assert ids(took(made(proxy, limit=8), here)) == NAMES[:8]
    assert len(proxy.pages) == 2
    assert "limit: 8 of 20 entries were taken" in caplog.text


def test_asked_properties_are_columns_and_values_of_another_type_are_null(
    proxy: Proxy, here: Surroundings
) -> None:
    columns = {
        "gap_ev": {"property": "_exmpl_band_gap", "type": "float", "unit": "eV"},
        "hull": {"property": "_exmpl_stability.gga+u.above_hull", "type": "float"},
        "r2scan": {"property": "_exmpl_stability.r2scan.above_hull", "type": "float"},
        "nsites": "int",
        "_exmpl_stability": "json",
        "elements_ratios": "floats",
    }
    params = made(proxy, columns=columns)
    first, second, *_ = (candidate.extra for candidate in took(params, here))

    assert (first["gap_ev"], second["gap_ev"]) == (None, 0.5)  # the first is the text "na"
    assert (first["hull"], second["hull"]) == (0.0, 0.01)
    assert second["r2scan"] is None
    assert (second["nsites"], second["elements_ratios"]) == (2, [0.5, 0.5])
    assert second["_exmpl_stability"] == '{"gga+u":{"above_hull":0.01}}'
    assert {one.name: one.unit for one in plugin.columns(params)}["gap_ev"] == "eV"


def test_a_property_that_no_entry_has_is_remarked_on(
    proxy: Proxy, here: Surroundings, caplog: pytest.LogCaptureFixture
) -> None:
    assert took(
        made(proxy, columns={"gap_ev": {"property": "_exmpl_bandgap", "type": "float"}}), here
    )
    assert "no entry has a value of _exmpl_bandgap; did you mean '_exmpl_band_gap'?" in caplog.text


def test_an_entry_that_its_database_changed_is_another_choice(
    proxy: Proxy, here: Surroundings, tmp_path: Path
) -> None:
    def move(answer: dict[str, Any]) -> None:
        answer["data"][0]["attributes"]["cartesian_site_positions"][1][0] += 0.1

    before = took(made(proxy), here)
    proxy.harms = deque([Harm(edit=move)])
    after = took(made(proxy), Surroundings(tmp_path, 1, tmp_path / "other"))

    assert [a.choice == b.choice for a, b in zip(before, after, strict=True)] == [False] + [
        True
    ] * 19


def test_requests_name_the_program(proxy: Proxy, here: Surroundings) -> None:
    took(made(proxy), here)
    assert all(one.user_agent.startswith("matcampaign/") for one in proxy.requests)


def test_what_a_campaign_used_can_be_cited(proxy: Proxy, here: Surroundings) -> None:
    from runner.optimade.citations import citations_of
    from runner.screening_table import Source

    proxy.to_info = Harm(
        edit=lambda answer: answer["data"]["attributes"].update(available_licenses=["CC-BY-4.0"])
    )
    sources = [Source("optimade", plugin, made(proxy)) for _ in range(2)]
    assert citations_of(sources, here) == ()
    took(made(proxy), here)
    (found,) = citations_of(sources, here)

    assert (found.name, found.licence, found.api_version) == (
        "Example provider",
        "CC-BY-4.0",
        "1.2.0",
    )
    assert (found.date, found.query, found.entries) == (TODAY.isoformat(), SALTS, len(NAMES))
    assert any("10.1038/s41597-021-00974-z" in text for text in found.texts)


def test_a_server_that_is_not_there_is_said_so_and_an_older_answer_is_pointed_to(
    proxy: Proxy, here: Surroundings
) -> None:
    params = made(proxy)
    took(params, here)
    path = only_file(here)
    path.rename(path.with_name(path.name.replace(TODAY.isoformat(), "2026-02-03")))
    proxy.server_close()

    with pytest.raises(UserError, match=r"refused.*its answer of 2026-02-03: `offline: true`"):
        took(made(proxy, max_age_days=1), here)


def test_of_several_processes_that_want_one_answer_one_asks(
    proxy: Proxy, here: Surroundings
) -> None:
    proxy.harms = deque([Harm(silence_s=0.3)])
    found: list[list[Any]] = []
    threads = [
        threading.Thread(target=lambda: found.append(ids(took(made(proxy), here)))) for _ in "abc"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [NAMES] * 3
    assert len(proxy.pages) == 4


def test_a_cache_that_cannot_be_written_is_named(proxy: Proxy, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(UserError, match=r"the cache .* cannot be written"):
        took(made(proxy), Surroundings(tmp_path, 1, tmp_path / "cache"))
