"""The graph of the stages: who fills which role, what is a cycle, what comes first."""

from __future__ import annotations

from collections.abc import Mapping

from runner.stages import CHARGE_DENSITY, STRUCTURE, Draft
from schemas.errors import Problem, suggestion
from schemas.stages import CANDIDATE


def check_roles(drafts: Mapping[str, Draft]) -> list[Problem]:
    """Return what is wrong with the roles of all stages."""
    problems: list[Problem] = []
    for draft in drafts.values():
        for role, provider in draft.roles.items():
            problems += _check_role(draft, role, provider, drafts)
        if draft.plugin is None or draft.task is None:
            continue
        for needed in draft.plugin.roles(draft.task):
            if needed.required and needed.name not in draft.roles | dict.fromkeys(draft.wrong):
                problems.append(
                    Problem(
                        (*draft.path, needed.name),
                        f"missing, expected the name of a stage: {draft.task} needs one",
                        at_key=True,
                    )
                )
        problems += _check_density(draft, drafts)
    return problems


def _check_role(
    draft: Draft, role: str, provider: str, drafts: Mapping[str, Draft]
) -> list[Problem]:
    path = (*draft.path, role)
    if role != STRUCTURE and draft.plugin is not None and draft.task is not None:
        used = [needed.name for needed in draft.plugin.roles(draft.task)]
        if role not in used:
            return [Problem(path, f"{draft.task} uses no {_words(role)}", at_key=True)]
    message = _refused(draft.name, role, provider, drafts)
    return [Problem(path, message)] if message else []


def _refused(name: str, role: str, provider: str, drafts: Mapping[str, Draft]) -> str:
    """Return why that provider cannot fill the role; empty where it can."""
    if provider == CANDIDATE:
        return "" if role == STRUCTURE else f"a candidate has no {_words(role)}; name a stage"
    if provider not in drafts:
        names = [other for other in (*drafts, CANDIDATE) if other != name]
        return f"no stage '{provider}'{suggestion(provider, names)}"
    if provider == name:
        return f"the stage '{provider}' cannot wait for itself"
    provides = drafts[provider].provides()
    if provides is None or role in provides:
        return ""
    offers = ", ".join(provides) or "nothing"
    return f"'{provider}' does not provide a {_words(role)}; it provides {offers}"


def _words(role: str) -> str:
    return role.replace("_", " ")


def _check_density(draft: Draft, drafts: Mapping[str, Draft]) -> list[Problem]:
    """Return a problem where the charge density belongs to another structure than the stage's.

    The density of a stage that moves atoms belongs to the structure at its end, that of any other
    stage to the structure it was given.
    """
    provider = drafts.get(draft.roles.get(CHARGE_DENSITY, ""))
    if provider is None or provider.name == draft.name or provider.lost:
        return []
    provides = provider.provides() or ()
    if CHARGE_DENSITY not in provides or STRUCTURE in (draft.wrong | provider.wrong):
        return []
    own = draft.roles[STRUCTURE]
    if own != CANDIDATE and own not in drafts:
        return []
    theirs = provider.name if STRUCTURE in provides else provider.roles[STRUCTURE]
    if own == theirs:
        return []
    return [
        Problem(
            (*draft.path, CHARGE_DENSITY),
            f"the charge density of '{provider.name}' is of the structure of '{theirs}', but this "
            f"stage has the structure of '{own}'",
        )
    ]


def in_order(drafts: Mapping[str, Draft]) -> tuple[list[Draft], list[Problem]]:
    """Return the stages, each after those it waits for, and a problem for each cycle."""
    state: dict[str, int] = {}
    order: list[Draft] = []
    problems: list[Problem] = []
    for name in drafts:
        _visit(name, drafts, state, order, problems)
    return order, problems


def _visit(
    start: str,
    drafts: Mapping[str, Draft],
    state: dict[str, int],
    order: list[Draft],
    problems: list[Problem],
) -> None:
    """Walk depth first with a stack of our own; a stage met on the way down closes a cycle."""
    if state.get(start):
        return
    state[start] = 1
    trail = [(start, iter(drafts[start].after))]
    while trail:
        name, waits_for = trail[-1]
        below = next((other for other in waits_for if other in drafts and other != name), None)
        if below is None:
            trail.pop()
            state[name] = 2
            order.append(drafts[name])
        elif state.get(below) == 1:
            names = [step for step, _ in trail]
            problems.append(_cycle(names[names.index(below) :], drafts))
        elif not state.get(below):
            state[below] = 1
            trail.append((below, iter(drafts[below].after)))


def _cycle(names: list[str], drafts: Mapping[str, Draft]) -> Problem:
    """Return the problem of a cycle, told from the stage that stands first in the file."""
    first = min(range(len(names)), key=lambda n: list(drafts).index(names[n]))
    names = [*names[first:], *names[:first]]
    second = names[1]
    path = (*drafts[names[0]].path, drafts[names[0]].after[second])
    return Problem(path, f"stages wait for each other: {' -> '.join([*names, names[0]])}")
