"""The funnel of a campaign: reasons, time, and how many good candidates filters threw away."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from runner import cli_screening
from runner.funnel_report import funnel
from runner.load import load
from runner.place import place_of
from runner.screenings import screen
from schemas.errors import UserError

SPEC = """
version: 1
campaign: judged
seed: 3
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca, Sr, Ba, Zn, Cd, Na, Og], B_OR_X}
    lattice_ang: 5.5
screening: {good: "gap.value > 0", order: written}
filters:
  - {score: charge-neutral, keep: charge_neutral}
  - {score: composition, keep: "max_atomic_number <= 30", control_sample: CONTROL}
stages:
  relax: {engine: toy, task: relax}
  gap: {engine: toy, task: scf, structure: relax, when: GATE}
"""


def spec(control: int = 4, gate: str = '"relax.value > 0"') -> str:
    return (
        SPEC.replace("B_OR_X", "X: [O, S, Se]")
        .replace("CONTROL", str(control))
        .replace("GATE", gate)
    )


def test_a_funnel_tells_why_rows_did_not_go_on_and_what_was_not_known(bench: Any) -> None:
    run = bench.prepare(spec())
    report = funnel(run.place, run.store, "judged")
    neutral, composition = report.steps
    assert (report.enumerated, neutral.entered, neutral.rejected, neutral.unknown) == (24, 24, 3, 3)
    assert [(why.verdict, why.count) for why in neutral.reasons] == [("reject", 3), ("unknown", 3)]
    assert neutral.reasons[0].why == "keep: charge_neutral"
    assert "Og" in neutral.reasons[1].why
    assert neutral.reasons[0].example.startswith("NaO: charge_neutral = false")
    assert composition.seconds > 0
    assert sum(why.count for why in composition.reasons) == composition.rejected


def test_computed_rejects_bound_how_many_good_ones_were_thrown_away(bench: Any) -> None:
    run = bench.prepare(spec())
    before = funnel(run.place, run.store, "judged").steps[1].audit
    assert before is not None
    assert (before.sampled, before.computed) == (4, 0)
    assert before.false_negative_rate.expected is None
    bench.work_off(run)
    report = funnel(run.place, run.store, "judged")
    audit = report.steps[1].audit
    assert audit is not None
    # The toy engine's answers are positive: every reject that is computed is a good one.
    assert (audit.computed, audit.good) == (4, 4)
    assert audit.thrown_away.expected == audit.rejects == report.steps[1].rejected
    assert audit.thrown_away.low >= 4
    share = audit.rejects / (audit.rejects + report.good_survivors)
    assert audit.false_negative_rate.expected == pytest.approx(share)
    assert report.steps[0].audit is None


def test_what_a_gate_stops_is_no_good_one(bench: Any) -> None:
    run = bench.prepare(spec(gate='"relax.value < 0"'))
    bench.work_off(run)
    report = funnel(run.place, run.store, "judged")
    audit = report.steps[1].audit
    assert audit is not None
    assert (audit.computed, audit.good, report.good_survivors) == (4, 0, 0)
    assert audit.false_negative_rate.expected is None  # of no good candidate at all


def test_a_campaign_that_was_only_screened_has_a_funnel(bench: Any) -> None:
    loaded = load(bench.write(spec()))
    place = place_of(loaded, environ=bench.environ)
    screen(loaded, place)
    report = funnel(place, None, "judged")
    assert report.survivors > 4
    assert report.computed == 0
    assert report.steps[1].control == 4


def test_survivors_outside_a_models_domain_raise_an_alarm(bench: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    run = bench.prepare(spec())
    (shard,) = (run.place.data / "screening" / "judged").glob("*.parquet")
    table = pq.read_table(shard)
    at = table.schema.get_field_index("note")
    notes = ["toy: toy was not trained on cells like this" for _ in range(len(table))]
    pq.write_table(table.set_column(at, "note", pa.array(notes)), shard)
    (alarm,) = funnel(run.place, run.store, "judged").alarms
    assert "unlike what a model was trained on" in alarm


def test_a_second_screening_of_the_same_campaign_at_the_same_time_is_refused(bench: Any) -> None:
    loaded = load(bench.write(spec()))
    place = place_of(loaded, environ=bench.environ)

    def again(done: int, _total: int | None) -> None:
        with pytest.raises(UserError, match="being screened by another process"):
            screen(loaded, place)
        seen.append(done)

    seen: list[int] = []
    screen(loaded, place, again)
    assert seen


def test_files_of_a_screening_that_are_gone_or_damaged_are_told(bench: Any) -> None:
    loaded = load(bench.write(spec()))
    place = place_of(loaded, environ=bench.environ)
    screen(loaded, place)
    for shard in (place.data / "screening" / "judged").glob("*.parquet"):
        shard.unlink()
    with pytest.raises(UserError, match="the screening table is gone"):
        funnel(place, None, "judged")
    (place.data / "screening" / "judged.funnel.json").write_text("{")
    with pytest.raises(UserError, match=r"judged\.funnel\.json: cannot be read"):
        funnel(place, None, "judged")


def test_a_place_where_nothing_can_be_written_is_told(bench: Any) -> None:
    loaded = load(bench.write(spec()))
    place = place_of(loaded, environ=bench.environ)
    place.data.mkdir(parents=True, exist_ok=True)
    (place.data / "screening").write_text("no folder")
    with pytest.raises(UserError, match=r"the screening cannot be written to .*screening"):
        screen(loaded, place)


def test_an_interrupted_screening_says_how_to_go_on(
    bench: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("runner.screening_progress.screen", interrupted)
    path = bench.write(spec())
    with pytest.raises(KeyboardInterrupt):
        cli_screening.screen(path)
    assert f"`campaign screen {path}` goes on" in capsys.readouterr().err


def test_commands_screen_and_show_the_funnel(
    bench: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = caller(bench, capsys, monkeypatch)
    path = bench.write(spec())
    out = call("screen", str(path))
    assert "24 enumerated" in out
    assert "(control)" in out
    shown = call("funnel", "judged")
    assert "3 unknown:" in shown
    assert "control sample: 4 of" in shown
    data = json.loads(call("screen", str(path), "--json"))["data"]
    assert data["columns"][:3] == ["formula", "candidate_id", "control"]
    assert len(data["rows"]) == data["survivors"]
    assert json.loads(call("funnel", str(path), "--json"))["command"] == "funnel"
    assert call("screen", str(path), "--csv").splitlines()[0].startswith("formula,candidate_id")
    out = call("sql", "SELECT count(*) AS n FROM screening WHERE verdict = 'reject'", "--csv")
    assert out.splitlines()[0] == "n"


def caller(
    bench: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Return a function that runs a command and returns what it printed."""
    from runner.cli import main

    for name, value in bench.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(bench.folder)

    def call(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["campaign", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert ended.value.code == 0, printed.err
        return printed.out

    return call
