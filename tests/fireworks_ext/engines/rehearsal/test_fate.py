"""Which calculation meets which failure is decided by seed and structure alone."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from pydantic import ValidationError

from fireworks_ext.engines.espresso.tasks import SINGLE_RUNS
from fireworks_ext.engines.rehearsal import plugin
from fireworks_ext.engines.rehearsal.fate import fate
from fireworks_ext.engines.rehearsal.params import RehearsalParams
from fireworks_ext.engines.rehearsal.recordings import clean, names, recordings
from schemas.structure import Structure

MANY = 1000


def cells(number: int = MANY) -> list[Structure]:
    return [
        Structure(
            lattice_ang=((0.0, a, a), (a, 0.0, a), (a, a, 0.0)),
            species=("Na", "Cl"),
            frac_coords=((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)),
        )
        for a in (2.5 + 0.001 * n for n in range(number))
    ]


def params(**settings: Any) -> RehearsalParams:
    return RehearsalParams.model_validate({"kmesh": (1, 1, 1), **settings})


def first_names(settings: RehearsalParams, task: str = "scf") -> list[str | None]:
    fates = [fate(cell, task, settings) for cell in cells()]
    return [one.failures[0].name.value if one.failures else None for one in fates]


def test_the_same_seed_gives_the_same_fates_and_another_seed_others() -> None:
    once, again, other = (
        first_names(params(failures={"all": 0.3}, rehearsal_seed=seed)) for seed in (1, 1, 2)
    )
    assert once == again
    assert once != other


def test_failures_are_met_as_often_as_is_asked() -> None:
    counts = Counter(first_names(params(failures={"scf_not_converged": 0.2, "too_few_bands": 0.1})))
    # Five standard deviations of a binomial of 1000.
    assert counts["scf_not_converged"] == pytest.approx(200, abs=64)
    assert counts["too_few_bands"] == pytest.approx(100, abs=48)
    assert set(counts) == {"scf_not_converged", "too_few_bands", None}


@pytest.mark.parametrize("task", SINGLE_RUNS)
def test_all_and_unrepairable_are_spread_over_what_a_task_can_meet(task: str) -> None:
    found = set(first_names(params(failures={"all": 0.5, "unrepairable": 0.5}), task))
    assert found == set(names(task))
    assert set(names(task, repairable=True)) | set(names(task, repairable=False)) == found
    assert not set(names(task, repairable=True)) & set(names(task, repairable=False))


def test_a_larger_share_only_adds_failures() -> None:
    less, more = (first_names(params(failures={"too_few_bands": share})) for share in (0.1, 0.3))
    changed = [(x, y) for x, y in zip(less, more, strict=True) if x != y]
    assert changed
    assert set(changed) == {(None, "too_few_bands")}


def test_a_failure_of_relaxations_is_not_met_by_self_consistency() -> None:
    settings = params(failures={"bfgs_failed": 1.0})
    assert set(first_names(settings, "scf")) == {None}
    assert set(first_names(settings, "relax")) == {"bfgs_failed"}


def test_a_second_failure_is_another_one_and_only_follows_what_is_repaired() -> None:
    settings = params(failures={"all": 0.5, "unrepairable": 0.5}, again=1.0)
    for cell in cells(200):
        met = fate(cell, "scf", settings).failures
        assert len(met) == (2 if met[0].repairable else 1)
        assert len({one.name for one in met}) == len(met)
        assert met[-1].repairable or len(met) == 1
        assert len(met) == 1 or not met[0].keywords & met[1].keywords  # no remedy undoes another


@pytest.mark.parametrize("task", SINGLE_RUNS)
def test_every_task_has_a_clean_run_to_tell(task: str) -> None:
    assert clean(task).failure is None


def test_whatever_fails_the_result_is_the_same() -> None:
    for cell in cells(20):
        fates = [
            fate(cell, "vc-relax", params(failures=failures))
            for failures in ({}, {"all": 1.0}, {"unrepairable": 1.0})
        ]
        assert len({(one.energy_ry, one.gap_ev, one.strain) for one in fates}) == 1


def test_what_decides_the_outcome_is_part_of_the_key_and_the_time_scale_is_not() -> None:
    def key(**settings: Any) -> object:
        return plugin.physics("scf", params(**settings))

    assert key(time_scale=0.0) == key(time_scale=1.0)
    assert key(rehearsal_seed=1) != key(rehearsal_seed=2)
    assert key(failures={"all": 0.1}) != key(failures={"all": 0.2})
    assert key(again=0.1) != key(again=0.2)
    assert key(degauss_ry=0.01) != key(degauss_ry=0.02)


@pytest.mark.parametrize(
    ("failures", "says"),
    [
        ({"scf_not_convergd": 0.1}, "did you mean 'scf_not_converged'"),
        ({"phonon_not_converged": 0.1}, "no recording"),
        ({"hung": 1.2}, "between 0 and 1"),
        ({"hung": 0.7, "all": 0.7}, "more than all"),
    ],
)
def test_mistakes_in_failures_are_told(failures: dict[str, float], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        params(failures=failures)


def test_the_recordings_hold_at_least_eight_pairs_that_failed_and_ran() -> None:
    pairs = [one for one in recordings().values() if one.failure and one.works and one.remedies]
    assert len(pairs) >= 8
