"""Plans of campaigns whose costs the tests make up; no program is started."""

import time
from dataclasses import replace
from datetime import datetime
from itertools import count

import numpy as np
import pytest

from fireworks_ext.ledger import candidate_key
from fireworks_ext.store import open_store
from runner import survey as survey_module
from runner.cost import calibrate, prior_of
from runner.enrolment import all_orders, record_of
from runner.load import load
from runner.orders import Machine
from runner.plan import estimate
from runner.screenings import funnel_of, screening_of
from runner.simulation import GOES, StageTable, simulate
from runner.survey import survey
from schemas.ledger import AttemptRecord, ResultRecord, StageEntry, StageState
from schemas.model import Model
from schemas.profile import Site
from schemas.resources import Resources

MACHINE = Machine(Site(), cores=1)
NOW = datetime(2026, 1, 1)  # noqa: DTZ001  (the ledger's times are UTC without saying so)
SPEC = """
version: 1
campaign: planned
seed: 3
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca, Sr, Ba, Zn, Cd], X: [O, S, Se, Te]}
filters:
  - {score: composition, keep: max_atomic_number <= 50}
stages:
  relax: {engine: espresso, task: vc-relax, pseudopotentials: gth-pbe}
  gap:
    engine: espresso
    task: scf
    pseudopotentials: gth-pbe
    structure: relax
    when: relax.volume_ang3_per_atom < 30
"""
UNGATED = SPEC.replace("    when: relax.volume_ang3_per_atom < 30\n", "")


class FakeParams(Model):
    """Params of the fake engine."""

    variant: int = 0


class FakeEngine:
    """An engine whose work is a number of the structure; it can compute nothing."""

    params = FakeParams
    physics_version = 1

    def __init__(self, variant=0):
        self.variant = variant

    def resolve(self, *_):
        return FakeParams(variant=self.variant)

    def files(self, *_):
        return {}

    def physics(self, _task, params):
        return params.model_dump()

    def resources(self, *_):
        return Resources()

    def work(self, structure, task, _params):
        return structure.volume_ang3 * (10.0 if task == "vc-relax" else 1.0)


@pytest.fixture
def campaign(tmp_path):
    """Return a maker of campaigns with the fake engine."""
    numbers = count()

    def make(text=SPEC, variant=0):
        path = tmp_path / f"{next(numbers)}.yaml"
        path.write_text(text)
        loaded = load(path)
        engine = FakeEngine(variant)
        stages = [replace(stage, plugin=engine, engine="fake") for stage in loaded.stages]
        return replace(loaded, stages=tuple(stages))

    return make


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store.db"))


def plan(loaded, store=None, **options):
    return estimate(loaded, screening_of(loaded, None), MACHINE, store=store, cores=2, **options)


def survivors_of(loaded):
    return list(screening_of(loaded, None).survivors())


def compute(store, loaded, rng, *, members=None, sd=0.4, volume=20.0, campaign="other"):
    """Write down finished runs of all stages of some members; return their core-hours."""
    survivors = survivors_of(loaded)[:members]
    taken = 0.0
    for orders in all_orders(loaded, survivors, MACHINE):
        for order in orders.values():
            engine = loaded.stage(order.stage).plugin
            structure = next(s for s in survivors if s.candidate_id == order.candidate)
            work = engine.work(structure.candidate.structure, order.task, FakeParams())
            seconds = float(0.5 + 0.2 * work * np.exp(sd * rng.standard_normal()))
            taken += seconds / 3600
            store.attempts.insert_one(attempt(order, work, seconds, campaign))
            store.results.insert_one(result(order, seconds, volume, campaign))
    return taken


def attempt(order, work, seconds, campaign):
    record = AttemptRecord(
        key=order.key,
        attempt=1,
        campaign=campaign,
        candidate=order.candidate,
        formula=order.formula,
        stage=order.stage,
        engine=order.engine,
        task=order.task,
        machine="here",
        worker="worker",
        directory="/nowhere",
        cores=1,
        work=work,
        started_at=NOW,
        finished_at=NOW,
        outcome="ok",
        walltime_s=seconds,
        core_hours=seconds / 3600,
    )
    return {"_id": f"{order.key}:1", **record.model_dump(mode="python")}


def result(order, seconds, volume, campaign):
    record = ResultRecord(
        key=order.key,
        campaign=campaign,
        attempt=1,
        engine=order.engine,
        task=order.task,
        program="fake 1",
        values={"volume_ang3_per_atom": volume},
        structure=None,
        products={},
        artefacts="/nowhere",
        walltime_s=seconds,
        cores=1,
        started_at=NOW,
        finished_at=NOW,
        token=1,
    )
    return {"_id": order.key, **record.model_dump(mode="python")}


def enrol(store, loaded, states):
    """Write the members as a run would have left them; `states` by stage, cycled over members."""
    screening = screening_of(loaded, None)
    survivors = list(screening.survivors())
    store.campaigns.insert_one(
        {"_id": "planned", "revisions": [{"text": loaded.text}], **funnel_of(screening)}
    )
    for place, (one, orders) in enumerate(
        zip(survivors, all_orders(loaded, survivors, MACHINE), strict=True)
    ):
        entries = {}
        for name, order in orders.items():
            state, reason = states[name][place % len(states[name])]
            entries[name] = StageEntry(key=order.key, state=StageState(state), reason=reason)
        record = record_of("planned", one).model_copy(update={"stages": entries})
        store.candidates.insert_one(
            {"_id": candidate_key("planned", record.id), **record.model_dump(mode="python")}
        )


def forget_results(store):
    store.results.delete_many({})


def test_the_first_plan_counts_exactly_and_its_core_hours_are_a_wide_guess(campaign):
    found = plan(campaign(UNGATED))
    assert (found.enumerated, found.screened) == (24, 24)
    assert [(one.entered, one.passed, one.rejected) for one in found.filters] == [(24, 15, 9)]
    assert found.survivors.low == found.survivors.expected == found.survivors.high == 15
    assert [one.candidates.expected for one in found.stages] == [15, 15]
    assert found.core_hours.high > 8 * found.core_hours.low > 0
    assert "no finished run yet" in found.stages[0].basis


def test_planning_leaves_no_files(campaign, tmp_path):
    loaded = campaign()
    before = sorted(tmp_path.rglob("*"))
    plan(loaded)
    assert sorted(tmp_path.rglob("*")) == before


def test_planning_writes_nothing_to_the_store(campaign, store):
    loaded = campaign()
    compute(store, loaded, np.random.default_rng(0))
    names = ["campaigns", "candidates", "results", "attempts", "fireworks", "workflows", "leases"]
    before = {name: list(getattr(store, name).find({})) for name in names}
    plan(loaded, store)
    assert {name: list(getattr(store, name).find({})) for name in names} == before


def test_a_gate_that_nobody_can_decide_yet_makes_the_count_an_interval(campaign):
    relax, gap = plan(campaign()).stages
    assert relax.candidates.low == relax.candidates.high == 15
    assert gap.candidates.low < 3
    assert gap.candidates.high > 12
    assert "gate: nothing known" in gap.basis


def test_known_results_cost_nothing(campaign, store):
    loaded = campaign()
    compute(store, loaded, np.random.default_rng(0))
    found = plan(loaded, store)
    assert [one.known for one in found.stages] == [15, 15]
    assert found.core_hours.high == 0
    assert [one.candidates.high for one in found.stages] == [0, 0]
    assert found.stages[0].basis == "nothing to compute"


def test_a_gate_is_evaluated_where_all_that_it_reads_is_known(campaign, store):
    loaded = campaign()
    compute(store, loaded, np.random.default_rng(0), members=9, volume=40.0)
    store.results.delete_many({"task": "scf"})
    gap = plan(loaded, store).stages[1]
    assert gap.known == 0
    # Nine are known to be stopped; of the other six, few are expected to pass.
    assert gap.candidates.high <= 4
    assert "gate: 0 of 9 passed" in gap.basis


def test_gates_that_earlier_runs_decided_say_which_fraction_passes(campaign, store):
    skipped = ("skipped", "relax.volume_ang3_per_atom = 31; when: relax.volume_ang3_per_atom < 30")
    states = {"relax": [("ok", None)], "gap": [("ok", None), ("ok", None), skipped]}
    enrol(store, campaign(), states)
    gap = plan(campaign(variant=1), store).stages[1]
    assert "gate: 10 of 15 passed" in gap.basis
    assert 5 <= gap.candidates.low < gap.candidates.expected < gap.candidates.high <= 15


def test_a_gate_with_another_text_learns_nothing_from_earlier_runs(campaign, store):
    enrol(store, campaign(), {"relax": [("ok", None)], "gap": [("ok", None)]})
    other = campaign(SPEC.replace("< 30", "< 31"), variant=1)
    assert "gate: nothing known" in plan(other, store).stages[1].basis


def test_stages_below_a_skipped_one_do_not_count_as_its_gate(campaign, store):
    inherited = ("skipped", "relax was skipped")
    enrol(store, campaign(), {"relax": [("ok", None)], "gap": [inherited]})
    assert "gate: nothing known" in plan(campaign(variant=1), store).stages[1].basis


def test_recorded_failures_are_not_computed_again(campaign, store):
    states = {"relax": [("failed", None), ("ok", None), ("ok", None)], "gap": [("blocked", None)]}
    enrol(store, campaign(UNGATED), states)
    relax, gap = plan(campaign(UNGATED), store).stages
    assert relax.candidates.expected == gap.candidates.expected == 10


def test_the_last_screening_is_used_again(campaign, store):
    enrol(store, campaign(), {"relax": [("waiting", None)], "gap": [("waiting", None)]})
    again = plan(campaign(), store)
    fresh = plan(campaign(), store, exact=True)
    assert (again.screened, fresh.screened) == (0, 24)
    assert again.filters == fresh.filters
    assert again.core_hours == fresh.core_hours


@pytest.mark.parametrize(
    ("old", "new"), [("<= 50", "<= 40"), ("Zn, Cd", "Zn"), ("seed: 3", "seed: 4")]
)
def test_another_space_or_filter_is_screened_anew(campaign, store, old, new):
    enrol(store, campaign(), {"relax": [("waiting", None)], "gap": [("waiting", None)]})
    found = plan(campaign(SPEC.replace(old, new)), store)
    assert found.screened == found.enumerated > 0


def test_members_that_a_killed_run_had_not_written_are_screened_anew(campaign, store):
    enrol(store, campaign(), {"relax": [("waiting", None)], "gap": [("waiting", None)]})
    store.candidates.delete_one({})
    assert plan(campaign(), store).screened == 24


def test_the_second_campaign_is_estimated_from_the_first_within_a_factor_of_three(campaign, store):
    rng = np.random.default_rng(0)
    compute(store, campaign(UNGATED), rng, members=12)
    second = campaign(UNGATED, variant=1)
    found = plan(second, store)
    truth = compute(store, second, rng)
    assert found.stages[0].basis == "12 finished runs"
    assert found.core_hours.low <= truth <= found.core_hours.high
    assert found.core_hours.high < 3 * found.core_hours.low


def test_what_was_computed_before_and_lost_is_estimated_from_its_own_time(campaign, store):
    loaded = campaign(UNGATED)
    taken = compute(store, loaded, np.random.default_rng(0), sd=1.2)
    forget_results(store)
    found = plan(loaded, store)
    assert "15 computed before" in found.stages[0].basis
    assert found.core_hours.low <= taken <= found.core_hours.high < 2 * found.core_hours.low


def test_wall_time_is_no_shorter_than_the_longest_chain(campaign, store):
    loaded = campaign(
        UNGATED.replace("A: [Mg, Ca, Sr, Ba, Zn, Cd], X: [O, S, Se, Te]", "A: [Mg], X: [O]")
    )
    found = plan(loaded, store)
    assert found.wall_hours is not None
    # One candidate is one chain: two cores do not make it shorter.
    assert found.wall_hours.expected == pytest.approx(found.core_hours.expected)
    assert found.cores == 2


def test_the_same_seed_gives_the_same_plan_and_another_seed_another(campaign):
    assert plan(campaign()) == plan(campaign())
    assert plan(campaign()) != plan(campaign(SPEC.replace("seed: 3", "seed: 4")))


METALS = (
    "Li, Be, Na, Mg, Al, K, Ca, Sc, Ti, V, Cr, Mn, Fe, Co, Ni, Cu, Zn, Ga, Ge, Rb, Sr, Y, Zr, Nb, "
    "Mo, Tc, Ru, Rh, Pd, Ag, Cd, In, Sn, Sb, Cs, Ba, La, Hf, Ta, W, Re, Os, Ir, Pt, Au, Hg, Tl, "
    "Pb, Bi"
)
ANIONS = "H, B, C, N, O, F, Si, P, S, Cl, As, Se, Br, Te, I"
LARGE = SPEC.replace("Mg, Ca, Sr, Ba, Zn, Cd", METALS).replace("O, S, Se, Te", ANIONS)


def slow_clock():
    """A clock by which scoring seems to take so long that only the smallest sample is scored."""
    ticks = count()
    return lambda: next(ticks) * 1e9


def test_a_sample_of_a_large_space_scales_to_the_whole_without_bias(campaign):
    held = 0
    for seed in range(20):
        loaded = campaign(LARGE.replace("seed: 3", f"seed: {seed}"))
        screening = screening_of(loaded, None)
        found = survey(screening, np.random.default_rng(seed), clock=slow_clock())
        assert (found.enumerated, found.screened) == (735, 512)
        low, high = np.percentile(found.plain, [5, 95])
        held += low <= len(survivors_of(loaded)) <= high
    assert held >= 15, held


def test_top_steps_of_a_sample_keep_their_number_of_the_whole(campaign):
    text = LARGE.replace(
        "keep: max_atomic_number <= 50}",
        "keep: max_atomic_number <= 50}\n"
        "  - {top: 40, by: max_atomic_number, order: ascending, control_sample: 6}",
    )
    screening = screening_of(campaign(text), None)
    found = survey(screening, np.random.default_rng(0), clock=slow_clock())
    assert found.plain.min() == found.plain.max() == 40
    assert found.control.min() == found.control.max() == 6
    assert found.filters[-1].passed == 40
    assert 0 < len([one for one in found.members if not one.control]) < 40


def test_a_sample_without_a_survivor_still_gives_an_upper_bound(campaign, monkeypatch):
    text = LARGE.replace("max_atomic_number <= 50", "max_atomic_number <= 0")
    loaded = campaign(text)
    taken = survey(screening_of(loaded, None), np.random.default_rng(0), clock=slow_clock())
    monkeypatch.setattr("runner.plan.survey", lambda *_args, **_options: taken)
    found = plan(loaded)
    assert found.survivors.low == 0
    assert 0 <= found.survivors.high < 5
    assert found.core_hours.low == 0


def test_a_score_that_takes_long_is_tried_on_few_rows(campaign, monkeypatch):
    from runner.filters.composition import plugin

    monkeypatch.setattr(type(plugin), "seconds", lambda *_: 5.0)
    screening = screening_of(campaign(SPEC), None)
    found = survey(screening, np.random.default_rng(0), clock=slow_clock())
    assert (found.enumerated, found.screened) == (24, 4)
    quick = survey(screening, np.random.default_rng(0), clock=lambda: 0.0)
    assert quick.screened == 24


def test_exact_screens_every_row(campaign):
    found = plan(campaign(LARGE), exact=True)
    assert found.screened == found.enumerated == 735


def test_very_many_candidates_are_represented_by_some(campaign, monkeypatch):
    loaded = campaign(UNGATED)
    whole = plan(loaded)
    monkeypatch.setattr(survey_module, "MOST_MEMBERS", 10)
    some = plan(loaded)
    assert some.survivors == whole.survivors
    assert "10 of 15 candidates" in some.stages[0].basis
    assert some.stages[0].candidates.expected == pytest.approx(15)
    assert some.core_hours.expected == pytest.approx(whole.core_hours.expected, rel=0.5)
    assert plan(loaded, exact=True).stages[0].basis == whole.stages[0].basis


@pytest.mark.slow
def test_ten_thousand_candidates_with_two_stages_are_simulated(record_property):
    n = 10_000
    rng = np.random.default_rng(0)
    model = calibrate([], prior_of("fake", "scf"), typical_work=1.0)
    tables = [
        StageTable(
            name=name,
            above=above,
            ways=np.full(n, GOES),
            known=np.zeros(n, dtype=bool),
            needed=np.ones(n, dtype=bool),
            work=np.exp(rng.normal(size=n)),
            cores=np.ones(n, dtype=int),
            measured_core_s=np.full(n, np.nan),
            model=model,
        )
        for name, above in (("relax", ()), ("gap", (0,)))
    ]
    began = time.perf_counter()
    groups = [(np.arange(n), np.full(2000, n))]
    outcome = simulate(tables, groups, draws=2000, cores=2, rng=rng)
    record_property("seconds", time.perf_counter() - began)
    assert (outcome.candidates == n).all()
    assert np.isfinite(outcome.core_s).all()
