import json
import shutil
from pathlib import Path

import pytest

from fireworks_ext.engines.espresso import plugin
from fireworks_ext.engines.espresso.deck import Deck, deck_text
from fireworks_ext.engines.espresso.handlers import (
    ScfNotConvergedHandler,
    changed,
    corrections,
    falling,
)
from fireworks_ext.engines.espresso.rundir import write_deck


@pytest.fixture
def stuck(runs: Path, tmp_path: Path) -> Path:
    """A run directory whose self-consistency did not converge."""
    folder = tmp_path / "run"
    shutil.copytree(runs / "scf-not-converged", folder)
    return folder


def _deck(folder: Path) -> Deck:
    return Deck.model_validate_json((folder / "deck.json").read_bytes())


def _protect(folder: Path, *names: str) -> None:
    write_deck(_deck(folder).model_copy(update={"protected": names}), folder)


@pytest.mark.parametrize("folder", ["ok-scf", "input-refused", "killed", "ionic-steps-exhausted"])
def test_the_handler_leaves_every_other_outcome_alone(runs: Path, folder: str) -> None:
    assert not ScfNotConvergedHandler().check(str(runs / folder))


def test_the_first_remedy_is_more_iterations_from_the_density_that_was_reached(
    stuck: Path,
) -> None:
    (stuck / "out/pwscf.save/charge-density.dat").write_bytes(b"density")
    handler = ScfNotConvergedHandler()
    assert handler.check(str(stuck))
    correction = handler.correct(str(stuck))
    assert correction == {
        "errors": ["scf_not_converged"],
        "actions": [
            {
                "dict": "deck.json",
                "action": {
                    "_set": {
                        "namelists->electrons->electron_maxstep": 6,
                        "namelists->electrons->startingpot": "file",
                    }
                },
            }
        ],
    }
    assert json.loads(json.dumps(correction)) == correction
    assert "electron_maxstep = 6" in (stuck / "pw.in").read_text()
    assert (stuck / "pw.in").read_text() == deck_text(_deck(stuck))


def test_without_a_density_it_starts_anew(stuck: Path) -> None:
    ScfNotConvergedHandler().correct(str(stuck))
    assert "startingpot" not in _deck(stuck).namelists["electrons"]


def test_the_remedies_go_from_cheap_to_other_physics_and_end(stuck: Path) -> None:
    steps = []
    while (answer := ScfNotConvergedHandler().correct(str(stuck)))["actions"]:
        steps += [name.split("->")[-1] for name in answer["actions"][0]["action"]["_set"]]
    assert list(dict.fromkeys(steps)) == [
        *("electron_maxstep", "mixing_beta", "mixing_mode", "mixing_ndim", "diagonalization"),
        "degauss",
    ]
    harmless = [step for step in dict.fromkeys(steps) if not plugin.is_physics("scf", step)]
    assert harmless == list(dict.fromkeys(steps))[:-1]


@pytest.mark.parametrize(
    ("name", "keyword"),
    [("mixing_beta", "mixing_beta"), ("degauss_ry", "degauss"), ("degauss", "degauss")],
)
def test_a_protected_name_is_never_touched(stuck: Path, name: str, keyword: str) -> None:
    _protect(stuck, name)
    while ScfNotConvergedHandler().correct(str(stuck))["actions"]:
        pass
    assert keyword not in {one.parameter for one in corrections(stuck)}


def test_a_relaxation_never_starts_from_the_density_of_a_later_structure(
    runs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(runs / "scf-not-converged-in-relax", folder)
    (folder / "out/pwscf.save/charge-density.dat").write_bytes(b"density")
    ScfNotConvergedHandler().correct(str(folder))
    assert "startingpot" not in _deck(folder).namelists["electrons"]


def test_what_was_changed_is_kept_with_before_and_after(stuck: Path) -> None:
    assert corrections(stuck) == ()
    _protect(stuck, "electron_maxstep")
    for _ in range(2):
        ScfNotConvergedHandler().correct(str(stuck))
    made = corrections(stuck)
    assert [(one.parameter, one.before, one.after) for one in made] == [
        ("mixing_beta", 0.4, 0.3),
        ("mixing_beta", 0.3, 0.15),
    ]
    assert made[0].failure == "scf_not_converged"


def test_a_start_from_a_density_is_given_up_with_the_next_remedy(stuck: Path) -> None:
    deck = changed(_deck(stuck), {"electrons": {"startingpot": "file"}})
    write_deck(deck.model_copy(update={"protected": ("electron_maxstep",)}), stuck)
    ScfNotConvergedHandler().correct(str(stuck))
    assert _deck(stuck).namelists["electrons"]["startingpot"] == "atomic"


def test_an_accuracy_that_no_longer_improves_is_not_falling() -> None:
    assert falling([1.0, 1e-1, 1e-2, 1e-4])
    assert not falling([1.0, 1e-3, 1e-3, 9e-4, 1e-3])
    assert not falling([])
