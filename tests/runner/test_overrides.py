"""What may be set for a retry: resources, and params that leave the physics as it is."""

from __future__ import annotations

from typing import Any

import pytest

from runner.overrides import Subject, lines, merged, overridden, read_overrides, read_settings
from schemas.model import JsonValue
from schemas.profile import Site
from schemas.registry import engines
from schemas.resources import Resources
from schemas.structure import Structure
from schemas.work import StageOrder

SILICON = Structure(
    lattice_ang=((0.0, 2.73, 2.73), (2.73, 0.0, 2.73), (2.73, 2.73, 0.0)),
    species=("Si", "Si"),
    frac_coords=((0.0, 0.0, 0.0), (0.25, 0.25, 0.25)),
)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a relaxation of silicon, as its firework holds it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MATCAMPAIGN_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        engine: Any = engines.get("espresso")
        given = {"pseudopotentials": "debian-pbe", "kspacing_per_ang": 0.5}
        params = engine.params.model_validate(given)
        resolved = engine.resolve(SILICON, "relax", params, Site())
        order = StageOrder(
            campaign="c",
            candidate="a" * 64,
            formula="Si",
            stage="relax",
            key="b" * 64,
            engine="espresso",
            task="relax",
            params=resolved.model_dump(mode="json", exclude_unset=True),
            resources=Resources(cores=2),
        )
        yield Subject(order, SILICON, Site())


def identity(subject: Subject, order: StageOrder) -> tuple[Any, Any]:
    params = subject.engine.params.model_validate(order.params)
    files = subject.engine.files(SILICON, params, Site())
    return subject.engine.physics(order.task, params), files


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("resources.memory_gb=64", {"resources": {"memory_gb": 64}}),
        ("resources.cores=4", {"resources": {"cores": 4}}),
        ("mixing_beta=0.2", {"params": {"mixing_beta": 0.2}}),
        ("params.mixing_beta=0.2", {"params": {"mixing_beta": 0.2}}),
        ("electron_maxstep=200", {"params": {"electron_maxstep": 200}}),
        ("ionic_steps=200", {"params": {"ionic_steps": 200}}),
        ("mixing_mode=local-TF", {"params": {"params": {"mixing_mode": "local-TF"}}}),
        ("params.diagonalization=cg", {"params": {"params": {"diagonalization": "cg"}}}),
    ],
)
def test_what_is_no_physics_is_set_and_leaves_the_key(
    subject: Subject, setting: str, expected: dict[str, JsonValue]
) -> None:
    settings, wrong = read_settings([setting])
    overrides, mistakes = read_overrides(subject, settings)
    assert (overrides, [*wrong, *mistakes]) == (expected, [])
    order = overridden(subject.order, overrides)
    assert order != subject.order
    assert order.key == subject.order.key
    assert identity(subject, order) == identity(subject, subject.order)


@pytest.mark.parametrize(
    "setting",
    [
        "ecutwfc_ry=60", "kmesh=[4, 4, 4]", "degauss_ry=0.02", "nbnd=20", "params.nbnd=20",
        "pseudopotentials=gth-pbe", "cutoff_accuracy=tight", "smearing=none",
    ],
)  # fmt: skip
def test_physics_is_refused(subject: Subject, setting: str) -> None:
    settings, _ = read_settings([setting])
    overrides, (mistake,) = read_overrides(subject, settings)
    assert overrides == {}
    path = setting.partition("=")[0]
    assert mistake == (
        f"--set {path}: edit the campaign file (stages.relax): that is another calculation"
    )


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("mixing_beta=2", "found 2, expected a number greater than 0 and of at most 1"),
        ("mixing_beta=fast", "found 'fast', expected a number"),
        ("ionic_steps=0", "found 0, expected a whole number"),
        ("mixing_bata=0.2", "did you mean 'mixing_beta'"),
        ("memory_gb=64", "did you mean 'resources.memory_gb'"),
        ("walltime_min=64", "did you mean 'resources.walltime_min'"),
        ("resources=64", "has nothing of that name"),
        ("params=64", "has nothing of that name"),
        ("resources.walltime_min=-1", "expected a number greater than 0, in minutes"),
    ],
)
def test_mistakes_are_said_with_what_is_expected(
    subject: Subject, setting: str, words: str
) -> None:
    settings, wrong = read_settings([setting])
    _, mistakes = read_overrides(subject, settings)
    (mistake,) = [*wrong, *mistakes]
    assert mistake.startswith(f"--set {setting.partition('=')[0]}: ")
    assert words in mistake


def test_settings_are_read_as_in_a_campaign_file() -> None:
    texts = ["a=1e-6", "b=[Mg, Ca]", "c=no", "d= x ", "e=true"]
    assert read_settings(texts) == (
        {"a": 1e-6, "b": ["Mg", "Ca"], "c": "no", "d": "x", "e": True},
        [],
    )
    _, mistakes = read_settings(["a", "=1", "b={", "c=1", "c=2", "d=x: y"])
    assert [one.split(": ")[0] for one in mistakes] == [
        "--set a", "--set =1", "--set b", "--set c", "--set d",
    ]  # fmt: skip


def test_later_overrides_are_added_to_earlier_ones() -> None:
    first: dict[str, JsonValue] = {"resources": {"memory_gb": 8}, "params": {"params": {"a": 1}}}
    later: dict[str, JsonValue] = {"resources": {"cores": 2}, "params": {"params": {"b": 2}}}
    both = merged(first, later)
    assert both == {
        "resources": {"memory_gb": 8, "cores": 2},
        "params": {"params": {"a": 1, "b": 2}},
    }
    assert list(lines(both)) == [
        "resources.memory_gb=8",
        "resources.cores=2",
        "a=1",
        "b=2",
    ]
    settings, mistakes = read_settings(list(lines(both)))
    assert (len(settings), mistakes) == (4, [])


def test_an_order_without_overrides_stays_as_it_is(subject: Subject) -> None:
    assert overridden(subject.order, {}) is subject.order
