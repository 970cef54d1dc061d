"""The page on failures as Markdown, from the catalogue, the rules, the ladders and the cases."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from fireworks_ext.attempts.rule import Rule
from fireworks_ext.engines.espresso.handlers import LADDERS
from fireworks_ext.engines.espresso.handlers.remedy import Remedy
from fireworks_ext.engines.espresso.physics import is_physics
from fireworks_ext.engines.espresso.recognition import RULES
from fireworks_ext.engines.espresso.tasks import TASKS
from runner.advice import advice
from schemas.catalogue import CATALOGUE
from schemas.failure import FailureName

WIDTH = 100
PLACEHOLDERS = {"name": "NAME", "candidate": "CANDIDATE", "stage": "STAGE"}

INTRODUCTION = """\
# Failures, and what recovery does

This page is written by `scripts/generate_docs.py` from the program itself: the catalogue of
failures, the rules that recognise them, the ladders of remedies, and the cases that tests run.

A calculation that fails is a result like others: it is stored with a name from a closed list and
with the program's own words. Ordinary failures repair themselves. What recovery changed is in the
column `recovery` of `results`; what it could not repair waits for a person:

```console
$ campaign failures NAME
$ campaign logs NAME CANDIDATE STAGE
$ campaign retry NAME --cause out_of_memory --set resources.memory_gb=64
```

`failures` shows them by cause: how often, an example, the likely reason, and what to type. `logs`
shows a candidate's attempts with what recovery did, the input, and the last lines of the output.
`retry` sends them on their way again; `--set` changes resources, or params that leave the physics
as it is (`mixing_beta`, `electron_maxstep`, `ionic_steps`), and stays in force for these
calculations. What changes the physics makes another calculation: edit the campaign file.

A failure that is recorded is not repeated by the next `campaign run`, which would fail the same
way. What becomes of a candidate that fails is said by `on_unrepaired`
([language.md](language.md#stages-calculations)). In SQL:

```console
$ campaign sql "SELECT formula, stage, failure, failure_message, artefacts FROM results WHERE outcome = 'failed'"
```

`artefacts` is the folder with everything that the program read and wrote. Any run directory of
pw.x, ph.x or neb.x can be examined, also one that was made by hand; this needs no store and no
settings, and ends with exit code 3 where it found failures:

```console
$ campaign diagnose ~/calculations/srtio3
```
"""  # noqa: E501  (a command of the page is one line)
EVERY = """\
## Every failure

*Recovery* says how many remedies are tried by themselves, in the order of [the ladders
below](#ladders). "Goes on" means that a later attempt continues from the state that the run left.
*Cases* counts what tests know the row by: recorded runs of pw.x, ph.x, neb.x 6.7 and Slurm 22.05,
provoked ones that run again with recovery in every test (in brackets: with a good result in the
end), and published messages of other versions. Where each comes from is told in
[tests/recorded](../tests/recorded/README.md).
"""
LEFT = """\
## What is left, and what to do

What `campaign failures` says about those that recovery could not repair.
"""
LADDER_WORDS = """\
## Ladders

The first remedy that applies and is not spent is taken, one at a time; then the program runs again.
A remedy that helps only in some situations goes first in those. Keywords in a stage's `protected`
are never changed. A change of what is computed is a *deviation*: its result serves the campaign
that made it and no other, and the column `deviation` is not null. Over all failures there are at
most 20 corrections of one calculation.
"""
BESIDE = """\
## Beside aiida-quantumespresso

The exit codes of aiida-quantumespresso 5.1.0 for pw.x, ph.x and neb.x (calculations and base
workflows), whether its work chains do something about them, and the names here.
"""
NOT_CODES = (
    "Beside its exit codes, its work chain for pw.x adds bands where the highest one is occupied, "
    "and aiida-core names what the scheduler says of memory, walltime and nodes."
)


@dataclass
class Cases:
    """How many runs test a failure, by its name."""

    recorded: Counter[str] = field(default_factory=Counter)
    """Ran once; their files are read by tests."""
    provoked: Counter[str] = field(default_factory=Counter)
    """Run again by tests, with recovery."""
    repaired: Counter[str] = field(default_factory=Counter)
    """Of these: with a good result in the end."""
    published: Counter[str] = field(default_factory=Counter)

    def words(self, name: str) -> str:
        """Return the counts of a failure for its row."""
        parts = [f"{self.recorded[name]} recorded"] if self.recorded[name] else []
        if provoked := self.provoked[name]:
            repaired = f" ({self.repaired[name]} repaired)" if self.repaired[name] else ""
            parts.append(f"{provoked} provoked{repaired}")
        if published := self.published[name]:
            parts.append(f"{published} published")
        return ", ".join(parts) or "none"


@dataclass(frozen=True)
class Theirs:
    """A name of an exit code of aiida-quantumespresso, and what is said about it here."""

    label: str
    codes: tuple[str, ...]
    """`pw 462`, `neb 462`."""
    treated: tuple[str, ...]
    """The programs whose work chains do something about it."""
    ours: tuple[FailureName, ...]
    note: str = ""


def failure_reference(cases: Cases, theirs: Iterable[Theirs] = ()) -> str:
    """Return the page."""
    parts = [
        INTRODUCTION,
        EVERY,
        _table(
            ("failure", "what happened", "recognised by", "recovery", "cases"),
            (_row(name, cases) for name in FailureName),
        ),
        LEFT,
        _table(
            ("failure", "likely reason", "what to do"),
            (
                (name.value, CATALOGUE[name].likely, advice(name, PLACEHOLDERS).text)
                for name in FailureName
            ),
        ),
        LADDER_WORDS,
        *_ladders(),
    ]
    known = tuple(theirs)
    if known:
        header = ("its name", "exit codes", "it treats it", "here", "recovery here")
        parts += [BESIDE, _table(header, map(_beside, known)), _only_here(known)]
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _row(name: FailureName, cases: Cases) -> tuple[str, ...]:
    recognised = "; ".join(_recognised(rule) for rule in RULES if rule.name is name)
    return (
        f"`{name.value}`",
        CATALOGUE[name].meaning,
        recognised or "what this program saw itself",
        _recovery(name),
        cases.words(name.value) if recognised else "tests of this program",
    )


def _recognised(rule: Rule) -> str:
    notes = []
    if rule.programs and rule.programs != ("pw",):
        notes.append(", ".join(f"{program}.x" for program in rule.programs))
    if rule.since:
        notes.append(f"from {rule.since}")
    if rule.severity == "warns":
        notes.append("a warning")
    return rule.recognised_by + (f" ({'; '.join(notes)})" if notes else "")


def _recovery(name: FailureName) -> str:
    """Say how much recovery does about a failure, with a link to how."""
    parts = []
    if name in LADDERS:
        number = len(LADDERS[name])
        remedies = "1 remedy" if number == 1 else f"{number} remedies"
        parts.append(f"[{remedies}](#{_first_of(LADDERS[name])})")
    if CATALOGUE[name].continues:
        parts.append("goes on")
    return "; ".join(parts) or "none"


def _first_of(ladder: Sequence[Remedy]) -> str:
    """Return the failure under whose name a ladder is told: several may share one."""
    return next(name.value for name in FailureName if LADDERS.get(name) == ladder)


def _ladders() -> Iterator[str]:
    told = []
    for name in FailureName:
        ladder = LADDERS.get(name, ())
        if not ladder or ladder in told:
            continue
        told.append(ladder)
        others = [
            other.value for other in LADDERS if other is not name and LADDERS[other] == ladder
        ]
        yield f"### {name.value}\n"
        if others:
            also = f"And {_listed(sorted(others))}."
            yield textwrap.fill(also, WIDTH) + "\n"
        header = ("", "remedy", "when it helps", "at most", "changes", "deviation")
        yield _table(header, (_rung(n, one) for n, one in enumerate(ladder, 1)))


def _listed(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def _rung(number: int, remedy: Remedy) -> tuple[str, ...]:
    deviating = [one for one in remedy.changes if any(is_physics(task, one) for task in TASKS)]
    times = {1: "once", 2: "twice"}.get(remedy.limit, f"{remedy.limit} times")
    return (
        str(number),
        remedy.action,
        remedy.why,
        times,
        ", ".join(f"`{one}`" for one in remedy.changes),
        "yes" if deviating else "no",
    )


def _beside(one: Theirs) -> tuple[str, ...]:
    ours = ", ".join(f"`{name.value}`" for name in one.ours)
    said = "; ".join(filter(None, (ours, one.note)))
    done = "; ".join(dict.fromkeys(_recovery(name) for name in one.ours))
    treated = ", ".join(f"{program}.x" for program in one.treated) or "no"
    return one.label, ", ".join(one.codes), treated, said, done


def _only_here(theirs: Iterable[Theirs]) -> str:
    """Say which failures have no exit code of their own there."""
    shared = {name for one in theirs for name in one.ours}
    alone = [name.value for name in FailureName if name not in shared]
    said = f"Without an exit code there: {_listed(alone)}. {NOT_CODES}"
    return textwrap.fill(said, WIDTH) + "\n"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    cells = ([cell.replace("|", r"\|").replace("\n", " ") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells) + "\n"
