"""Failures by cause: counted, explained, with commands that can be copied."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
import typer.main

from runner.advice import advice
from runner.cases import Request
from runner.cli import app
from runner.failures import failures
from runner.members import Member, id_length, named
from runner.retry import retry
from schemas.catalogue import CATALOGUE
from schemas.errors import UserError
from schemas.failure import FailureName
from schemas.result import Correction

SPEC = """
version: 1
campaign: wrong
space:
  - kind: prototype
    prototype: rocksalt
    species: {A: [Mg, Ca, Sr], X: [S]}
stages:
  relax: {engine: toy, task: relax, fails_for: [Sr], needs_gb: NEEDS, on_unrepaired: POLICY}
  gap: {engine: toy, task: scf, structure: relax}
  last: {engine: toy, task: scf, x: 2.0, structure: candidate, when: gap.value > 0}
"""


def spec(needs: int = 8, policy: str = "fail") -> str:
    return SPEC.replace("NEEDS", str(needs)).replace("POLICY", policy)


def settled(bench: Any, text: str) -> Any:
    run = bench.prepare(text)
    bench.work_off(run)
    return run


def test_failures_are_grouped_by_cause_the_most_frequent_first(bench: Any) -> None:
    run = settled(bench, spec())
    found = failures(run.store, "wrong")
    assert (found.failed, found.held, found.blocked) == (3, 0, 6)
    assert [(one.cause, one.count, one.stages, one.blocked) for one in found.groups] == [
        ("out_of_memory", 2, {"relax": 2}, 4),
        ("scf_not_converged", 1, {"relax": 1}, 2),
    ]
    memory = found.groups[0]
    assert (memory.example.formula, memory.example.stage) == ("MgS", "relax")
    assert memory.example.message == "out of memory: 8 GB wanted"
    assert memory.commands == (
        "campaign retry wrong --cause out_of_memory --set resources.memory_gb=64",
    )
    look = f"campaign logs wrong {found.groups[1].example.short_id} relax"
    assert found.groups[1].commands == (look,)
    assert memory.meaning == CATALOGUE[FailureName.OUT_OF_MEMORY].meaning


def test_the_suggested_command_works(bench: Any) -> None:
    run = settled(bench, spec())
    words = shlex.split(failures(run.store, "wrong").groups[0].commands[0])
    program = typer.main.get_command(app)
    with program.make_context("campaign", words[1:]) as context:
        _, command, rest = program.resolve_command(context, words[1:])  # type: ignore[attr-defined]
        given = command.make_context("retry", rest, parent=context).params
    done = retry(run.store, "wrong", Request(given["cause"], settings=tuple(given["setting"])))
    assert done.count == 2
    bench.work_off(run)
    assert [one.cause for one in failures(run.store, "wrong").groups] == ["scf_not_converged"]


@pytest.mark.parametrize(("policy", "held", "skipped"), [("hold", 2, 0), ("drop", 0, 4)])
def test_held_and_dropped_ones_are_said_to_be(
    bench: Any, policy: str, held: int, skipped: int
) -> None:
    run = settled(bench, spec(policy=policy))
    group = failures(run.store, "wrong").groups[0]
    assert (group.count, group.held, group.skipped) == (2, held, skipped)
    settled(bench, spec(policy=policy))
    assert failures(run.store, "wrong").groups[0] == group


def test_what_recovery_repaired_is_counted(bench: Any) -> None:
    run = settled(bench, spec(needs=0))
    mixed = Correction(failure="scf_not_converged", action="slower mixing", parameter="mixing_beta")
    other = Correction(failure="cholesky_failed", action="diagonalise with cg")
    relaxed = [one["_id"] for one in run.store.results.find({"task": "relax"})]
    for name, corrections in zip(relaxed, ([mixed, mixed], [mixed, other]), strict=True):
        plain = [one.model_dump(mode="json") for one in corrections]
        run.store.results.update_one({"_id": name}, {"$set": {"recovery": plain}})
    found = failures(run.store, "wrong")
    assert found.repaired == 2
    assert [(one.failure, one.calculations, one.actions) for one in found.repairs] == [
        ("scf_not_converged", 2, {"slower mixing": 3}),
        ("cholesky_failed", 1, {"diagonalise with cg": 1}),
    ]


def test_of_what_recovery_did_only_declared_remedies_are_listed(bench: Any) -> None:
    run = settled(bench, spec(needs=0))
    done = [
        Correction(failure="charge_wrong", action="smearing instead of fixed occupations"),
        Correction(failure="charge_wrong", action="set degauss", parameter="degauss"),
    ]
    plain = [one.model_dump(mode="json") for one in done]
    run.store.results.update_one({"task": "relax"}, {"$set": {"recovery": plain}})
    (repair,) = failures(run.store, "wrong").repairs
    assert repair.actions == {"smearing instead of fixed occupations": 1}


def test_a_campaign_without_failures_has_none(bench: Any) -> None:
    run = settled(bench, spec(needs=0).replace("[Sr]", "[]"))
    assert failures(run.store, "wrong").groups == ()
    with pytest.raises(UserError, match="no campaign 'worng'"):
        failures(run.store, "worng")


@pytest.mark.parametrize("name", list(FailureName))
def test_the_advice_of_every_failure_is_commands_that_the_program_takes(name: str) -> None:
    values = {"name": "a-campaign", "candidate": "0a1b2c3d", "stage": "relax"}
    told = advice(name, values)
    assert told.commands
    assert "{" not in "".join(told.commands)
    program = typer.main.get_command(app)
    for line in told.commands:
        words = shlex.split(line)
        with program.make_context("campaign", words[1:]) as context:
            _, command, rest = program.resolve_command(context, words[1:])  # type: ignore[attr-defined]
            command.make_context(command.name, rest, parent=context)


def test_a_failure_of_another_version_is_shown_by_its_name() -> None:
    told = advice("gone_with_the_wind", {"name": "a", "candidate": "b", "stage": "c d"})
    assert told.commands == ("campaign logs a b 'c d'",)


def test_a_candidate_is_named_by_its_formula_or_by_the_beginning_of_its_id() -> None:
    members = [
        Member("aab" + "0" * 61, "MgO", {}),
        Member("aac" + "0" * 61, "MgO", {}),
        Member("b" * 64, "CaO", {}),
    ]
    assert [one.id[:3] for one in named(members, "MgO")] == ["aab", "aac"]
    assert [one.id[:3] for one in named(members, "aac")] == ["aac"]
    with pytest.raises(UserError, match=r"'aa' begins 2 candidates: aab00000 \(MgO\), aac00000"):
        named(members, "aa")
    with pytest.raises(UserError, match=r"no candidate 'Mg0'.*did you mean 'MgO'"):
        named(members, "Mg0")


def test_ids_are_cut_where_they_still_differ() -> None:
    assert id_length(["a" * 64, "b" * 64]) == 8
    assert id_length(["a" * 64, "a" * 11 + "b" * 53]) == 12
    assert id_length([]) == 8
