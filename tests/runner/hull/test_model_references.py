import json
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest
import toy_energies
from toy_energies import Toy

from runner.hull.ground_states import ground_state
from runner.hull.model_references import Evaluation, ModelReferences
from runner.space.prototype import PrototypeParams
from runner.space.prototype import plugin as prototype
from schemas.protocols import Surroundings
from schemas.structure import Structure

HERE = Surroundings(folder=Path(), seed=7)
AS_GIVEN = Evaluation(
    toy_energies.NAME, toy_energies.NAME, relax=False, device="cpu", weights="0" * 64
)
RELAXED = replace(AS_GIVEN, relax=True)
SYSTEM = ("O", "Sr", "Ti")


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Toy:
    return toy_energies.put_in(monkeypatch)


def structures() -> list[Structure]:
    rocksalt = PrototypeParams(
        prototype="rocksalt", species={"A": ("Sr", "Ba"), "X": ("O",)}, lattice_ang=5.2
    )
    compounds = [candidate.structure for candidate in prototype.candidates(rocksalt, HERE)]
    return [ground_state(symbol) for symbol in ("Sr", "Ba", "Ti", "O", "Hg")] + compounds


def test_only_what_a_system_needs_is_computed_and_that_once(toy: Toy) -> None:
    references = ModelReferences(structures(), AS_GIVEN, None)

    labels = [entry.label for entry in references.within(SYSTEM)]
    references.within(SYSTEM)

    assert labels == ["Sr", "Ti", "O", "SrO"]
    assert toy.asked == labels


def test_energies_are_kept_for_other_processes_and_runs(toy: Toy, tmp_path: Path) -> None:
    first = ModelReferences(structures(), AS_GIVEN, tmp_path).within(SYSTEM)
    asked = len(toy.asked)

    again = ModelReferences(structures(), AS_GIVEN, tmp_path).within(SYSTEM)

    assert again == first
    assert len(toy.asked) == asked


@pytest.mark.parametrize(
    "other", [RELAXED, replace(AS_GIVEN, weights="1" * 64)], ids=["relaxed", "other weights"]
)
def test_energies_that_are_computed_otherwise_are_kept_apart(
    toy: Toy, tmp_path: Path, other: Evaluation
) -> None:
    as_given = ModelReferences(structures(), AS_GIVEN, tmp_path).within(SYSTEM)

    ModelReferences(structures(), other, tmp_path).within(SYSTEM)

    assert len(toy.asked) == 2 * len(as_given)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"energy_ev_per_atom": "x"}'])
def test_a_kept_energy_that_is_damaged_is_computed_again(
    toy: Toy, tmp_path: Path, damage: str
) -> None:
    first = ModelReferences(structures(), AS_GIVEN, tmp_path).within(SYSTEM)
    kept = min(tmp_path.rglob("*.json"))
    kept.write_text(damage)

    assert ModelReferences(structures(), AS_GIVEN, tmp_path).within(SYSTEM) == first
    assert json.loads(kept.read_text())["method"] == toy_energies.NAME
    assert len(toy.asked) == len(first) + 1


def test_two_processes_at_once_compute_each_energy_once(tmp_path: Path) -> None:
    context = get_context("fork")
    begin, counts = context.Event(), context.Queue()
    processes = [context.Process(target=_slowly, args=(tmp_path, begin, counts)) for _ in range(3)]
    for process in processes:
        process.start()
    begin.set()
    asked = sum(counts.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()

    assert asked == 4


def _slowly(folder: Path, begin: object, counts: object) -> None:
    toy = toy_energies.put_in(pytest.MonkeyPatch())
    begin.wait()  # type: ignore[attr-defined]  # an event of multiprocessing, which has no type
    ModelReferences(structures(), AS_GIVEN, folder).within(SYSTEM)
    counts.put(len(toy.asked))  # type: ignore[attr-defined]  # a queue, as above


def test_a_reference_without_an_energy_is_left_out_and_named(toy: Toy) -> None:
    references = ModelReferences(structures(), AS_GIVEN, None)

    assert [entry.label for entry in references.within(("Hg", "O"))] == ["O"]
    assert references.remarks(("Hg", "O")) == ["reference Hg left out: no parameters of Hg"]
    assert not references.holds(frozenset(("Hg",)))


def test_a_structure_that_is_given_twice_is_computed_once(toy: Toy) -> None:
    twice = [ground_state("Ti"), ground_state("Ti")]

    assert len(ModelReferences(twice, AS_GIVEN, None).within(("Ti",))) == 1
    assert toy.asked == ["Ti"]
