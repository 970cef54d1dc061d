"""Named mistakes, each made at ten seeded random places of the shipped campaign files.

Where a mistake is made, its line, its path and what was expected are known from the change itself;
they are compared with what the user is told. Places are found with the YAML library's own nodes.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import campaigns
from runner.load import load
from schemas.errors import ExitCode, InvalidFile, UserError

FILES = sorted(Path(campaigns.__file__).parent.glob("*.yaml"))
TIMES = 10
UNITS = {"_ry": "_ev", "_per_ang": "_per_bohr", "_ang": "_nm", "_hours": "_seconds"}


@dataclass(frozen=True)
class Place:
    """A key and its value in a text: spans as indices, lines from 1."""

    path: tuple[str | int, ...]
    line: int
    key: tuple[int, int] | None
    value: tuple[int, int]
    value_line: int
    column: int
    text: str
    kind: str
    block: bool

    @property
    def name(self) -> str | int:
        return self.path[-1]


@dataclass(frozen=True)
class Broken:
    """A broken text, and what the user has to be told about it."""

    text: str | bytes
    line: int
    path: tuple[str | int, ...]
    words: tuple[str, ...]
    alone: bool = True


class Source:
    """A shipped file with the places where mistakes can be made."""

    def __init__(self, path: Path) -> None:
        self.file = path
        self.text = path.read_text()
        root = YAML(typ="safe", pure=True).compose(self.text)
        self.places = list(_places(root, ()))
        self.first_line = root.start_mark.line + 1

    def lines(self) -> list[str]:
        return self.text.splitlines(keepends=True)

    def replaced(self, span: tuple[int, int], new: str) -> str:
        return self.text[: span[0]] + new + self.text[span[1] :]

    def inserted(self, line: int, new: str) -> str:
        """Return the text with a new line before the given one."""
        lines = self.lines()
        return "".join([*lines[: line - 1], new + "\n", *lines[line - 1 :]])

    def all(self, accept: Callable[[Place], bool]) -> list[Place]:
        return [place for place in self.places if accept(place)]

    def stages(self) -> list[Place]:
        return self.all(lambda p: len(p.path) == 2 and p.path[0] == "stages")

    def under(self, path: tuple[str | int, ...]) -> list[Place]:
        return self.all(lambda p: p.path[:-1] == path)


def _places(node: Any, path: tuple[str | int, ...]) -> Iterator[Place]:
    if node.id == "mapping":
        children = [(key.value, key, value) for key, value in node.value]
    elif node.id == "sequence":
        children = [(index, None, value) for index, value in enumerate(node.value)]
    else:
        return
    for name, key, value in children:
        start = key or value
        yield Place(
            path=(*path, name),
            line=start.start_mark.line + 1,
            key=(key.start_mark.index, key.end_mark.index) if key else None,
            value=(value.start_mark.index, value.end_mark.index),
            value_line=value.start_mark.line + 1,
            column=start.start_mark.column,
            text=str(value.value) if value.id == "scalar" else "",
            kind=_kind(value),
            block=not node.flow_style,
        )
        yield from _places(value, (*path, name))


def _kind(node: Any) -> str:
    if node.id != "scalar":
        return f"{'flow' if node.flow_style else 'block'} {node.id}"
    number = re.fullmatch(r"-?[0-9.]+(e-?[0-9]+)?", str(node.value)) and node.style is None
    return "number" if number else "text"


def is_expression(place: Place) -> bool:
    return place.name in ("keep", "when")


def names_of_users(place: Place) -> bool:
    """Tell whether the key is a user's own name, or a plug-in's, and no word of the language."""
    within = place.path[:-1]
    chosen = "species" in within or "failures" in within  # names of failures: not of the language
    return within in (("stages",), ("defaults",)) or chosen or place.key is None


def language_keys(source: Source) -> list[Place]:
    return source.all(lambda place: not names_of_users(place))


Mutation = Callable[[Source, random.Random], Broken | None]
MUTATIONS: dict[str, Mutation] = {}


def mutation(function: Mutation) -> Mutation:
    MUTATIONS[function.__name__.replace("_", " ")] = function
    return function


def value_mutation(
    name: str, accept: Callable[[Place], bool], new: str, *words: str, alone: bool = True
) -> None:
    """Register the mistake of another value at any place that `accept` names."""

    def change(source: Source, rng: random.Random) -> Broken | None:
        places = source.all(accept)
        if not places:
            return None
        place = rng.choice(places)
        text = source.replaced(place.value, new.replace("OLD", place.text))
        told = tuple(word.replace("OLD", place.text) for word in words)
        return Broken(text, place.line, place.path, told, alone)

    MUTATIONS[name] = change


def stage_mutation(name: str, new: str, *words: str) -> None:
    """Register the mistake of one more key in any stage; its name is the path's end."""

    def change(source: Source, rng: random.Random) -> Broken | None:
        key = new.partition(":")[0]
        stages = [
            stage
            for stage in source.stages()
            if key not in [inner.name for inner in source.under(stage.path)]
        ]
        if not stages:
            return None
        inner = rng.choice(source.under(rng.choice(stages).path))
        text = source.inserted(inner.line, " " * inner.column + new)
        return Broken(text, inner.line, (*inner.path[:-1], key), words)

    MUTATIONS[name] = change


value_mutation(
    "expression that ends too early", is_expression, '"n_atoms >"', "the expression ends too early"
)
value_mutation("expression with one equals sign", is_expression, '"n_atoms = 5"', "`==` compares")
value_mutation("unknown column", is_expression, '"n_atom > 5"', "no column 'n_atom'", "'n_atoms'?")
value_mutation(
    "number compared with text",
    is_expression,
    "\"n_atoms > 'many'\"",
    "n_atoms is a number and 'many' is text",
)
value_mutation("expression without verdict", is_expression, "n_atoms + 1", "expected a truth value")
value_mutation("number for an expression", is_expression, "5", "found 5, expected text")
value_mutation(
    "unknown stage in an expression", is_expression, "nowhere.energy_ev < 0", "no stage 'nowhere'"
)
value_mutation(
    "text for a number", lambda place: place.kind == "number", "abc", "found 'abc', expected"
)
value_mutation(
    "quoted number", lambda place: place.kind == "number", "'OLD'", "found 'OLD', expected"
)
value_mutation(
    "not a finite number",
    lambda place: place.kind == "number",
    ".nan",
    "found .nan, expected a finite number",
)
value_mutation(
    "number out of bounds",
    lambda place: (
        place.kind == "number"
        and str(place.name)
        in ("seed", "lattice_ang", "ecutwfc_ry", "kspacing_per_ang", "core_hours")
    ),
    "-1",
    "found -1, expected",
    "of at least|greater than",
)
value_mutation(
    "undefined alias",
    lambda place: place.kind in ("number", "text"),
    "*nowhere",
    "no anchor &nowhere for *nowhere",
)
value_mutation(
    "tag that makes an object",
    lambda place: place.kind in ("number", "text"),
    "!!python/object/apply:os.system OLD",
    "found the tag !!python/object/apply:os.system; tags that make objects are refused",
    alone=False,
)
value_mutation(
    "unknown engine", lambda place: place.name == "engine", "OLDx", "no engine 'OLDx'", "'OLD'?"
)
value_mutation(
    "unknown score", lambda place: place.name == "score", "OLDx", "no score 'OLDx'", "'OLD'?"
)
value_mutation(
    "unknown generator", lambda place: place.name == "kind", "OLDx", "no generator 'OLDx'", "'OLD'?"
)
value_mutation("unknown task", lambda place: place.name == "task", "OLDx", "no task 'OLDx'", "OLD")
value_mutation(
    "unknown protocol", lambda place: place.name == "protocol", "OLDx", "no protocol 'OLDx'", "OLD"
)
value_mutation(
    "role of a stage that is not there",
    lambda place: place.name == "structure",
    "nowhere",
    "no stage 'nowhere'",
)
value_mutation(
    "a value for a mapping",
    lambda place: place.kind == "flow mapping",
    "5",
    "found 5, expected a mapping",
)
value_mutation(
    "a text for a list",
    lambda place: place.kind == "flow sequence",
    "abc",
    "found 'abc', expected a list",
)
value_mutation(
    "a name that is none",
    lambda place: place.name in ("campaign", "project"),
    "Not A Name",
    "found 'Not A Name', expected a name of small letters, digits and dashes",
)
value_mutation("another version", lambda place: place.name == "version", "2", "found 2, expected 1")

for word in ("sweep", "cases", "select", "files", "initial"):
    stage_mutation(
        f"reserved in a stage: {word}",
        f"{word}: {{a: 1}}",
        f"`{word}` is part of the language and not built yet in this version",
    )
for word in ("transform", "jobflow"):
    stage_mutation(
        f"reserved kind of stage: {word}", f"{word}: {{a: 1}}", f"`{word}` is part of the language"
    )
for word in ("over", "of", "analysis"):
    stage_mutation(
        f"word of an analysis: {word}",
        f"{word}: hull",
        f"`{word}` is for stages of an analysis, which have no engine",
    )
stage_mutation("value from another stage", "degauss_ry: {from: a.b}", "`from` is part of the")
stage_mutation("another unit", "degauss_ev: 0.2", "unknown key; did you mean 'degauss_ry'?")
stage_mutation("no cores", "resources: {cores: 0}", "cores: found 0, expected a whole number of")
stage_mutation("unknown fate", "retention: {outputs: zip}", "outputs: found 'zip', expected one")
stage_mutation("unknown class of files", "retention: {wfc: keep}", "wfc: unknown key")
stage_mutation("no time between checkpoints", "checkpoint: {every_min: 0}", "every_min: found 0")
stage_mutation("unknown outcome", "on_unrepaired: retry", "found 'retry', expected one of fail, ho")
stage_mutation("unknown parameter to protect", "protected: [ecutwfx]", "has no parameter 'ecutwfx'")
stage_mutation("density from nowhere", "charge_density: nowhere", "no stage 'nowhere'|uses no char")


@mutation
def reserved_at_the_top(source: Source, rng: random.Random) -> Broken:
    word = rng.choice(["rounds", "model", "points", "sweep", "cases"])
    line = rng.choice(source.under(())).line
    text = source.inserted(line, f"{word}: {{a: 1}}")
    return Broken(text, line, (word,), (f"`{word}` is part of the language and not built yet",))


@mutation
def dollars_that_are_none(source: Source, rng: random.Random) -> Broken | None:
    places = source.all(lambda place: place.path == ("budget", "core_hours"))
    if not places:
        return None
    given = -rng.randint(0, 99)
    text = source.replaced(places[0].value, f"{places[0].text}, usd: {given}")
    return Broken(text, places[0].line, ("budget", "usd"), (f"found {given}", "greater than 0"))


@mutation
def key_in_another_unit(source: Source, rng: random.Random) -> Broken | None:
    ending = r"_(ry|per_ang|ang|hours)$"
    places = source.all(lambda place: bool(re.search(ending, str(place.name))))
    if not places:
        return None
    place = rng.choice(places)
    name = str(place.name)
    old = next(unit for unit in UNITS if name.endswith(unit))
    wrong = name.removesuffix(old) + UNITS[old]
    assert place.key is not None
    text = source.replaced(place.key, wrong)
    told = ("unknown key", f"did you mean '{name}'")
    return Broken(text, place.line, (*place.path[:-1], wrong), told)


@mutation
def key_misspelt(source: Source, rng: random.Random) -> Broken:
    place = rng.choice(language_keys(source))
    name = str(place.name)
    cut = rng.randrange(1, len(name))
    wrong = name[:cut] + name[cut] + name[cut:]
    assert place.key is not None
    text = source.replaced(place.key, wrong)
    told = ("unknown key", f"did you mean '{name}'")
    return Broken(text, place.line, (*place.path[:-1], wrong), told, alone=False)


@mutation
def key_twice(source: Source, rng: random.Random) -> Broken:
    single = source.all(lambda p: p.block and p.key is not None and p.line == p.value_line)
    place = rng.choice(single)
    new = " " * place.column + f"{place.name}: {place.text or '[]'}"
    text = source.inserted(place.line + 1, new)
    return Broken(text, place.line + 1, place.path, (f"first on line {place.line}",))


@mutation
def required_key_left_out(source: Source, rng: random.Random) -> Broken:
    required = ("version", "campaign", "engine", "task", "prototype")
    places = source.all(lambda p: p.block and p.name in required)
    place = rng.choice(places)
    lines = source.lines()
    del lines[place.line - 1]
    parent = [other for other in source.places if other.path == place.path[:-1]]
    line = parent[0].line if parent else source.first_line
    return Broken("".join(lines), line, place.path, ("missing, expected",), alone=False)


@mutation
def quantity_twice(source: Source, rng: random.Random) -> Broken:
    stage = rng.choice(source.stages())
    inner = source.under(stage.path)
    new = " " * inner[0].column + "params: {ecutwfc: 33}"
    if "ecutwfc_ry" not in [place.name for place in inner]:
        new += "\n" + " " * inner[0].column + "ecutwfc_ry: 44"
    text = source.inserted(rng.choice(inner).line, new)
    return Broken(text, stage.line, stage.path, ("say the same quantity",))


@mutation
def stages_that_wait_for_each_other(source: Source, rng: random.Random) -> Broken:
    stages = source.stages()
    last = rng.choice([stage for stage in stages if stage.path != stages[0].path] or stages)
    inner = rng.choice(source.under(stages[0].path))
    text = source.inserted(inner.line, " " * inner.column + f"structure: {last.name}")
    told = "cannot wait for itself" if last is stages[0] else f"{stages[0].name} -> {last.name}"
    # The last stage may also be one that leaves no structure, which is a mistake of its own.
    return Broken(text, inner.line, (*stages[0].path, "structure"), (told,), alone=False)


@mutation
def indentation_by_a_tab(source: Source, rng: random.Random) -> Broken:
    block = [place for place in source.places if place.block and place.key and place.column > 0]
    starts = {place.line: place for place in block}
    lines = source.lines()
    usable = [n for n in starts if not lines[n - 1].lstrip().startswith("-")]
    line = rng.choice(usable)
    lines[line - 1] = "\t" + lines[line - 1].lstrip()
    return Broken("".join(lines), line, (), ("found a tab, expected spaces",))


@mutation
def aliases_that_multiply(source: Source, rng: random.Random) -> Broken:
    line = rng.choice(source.under(())).line
    bomb = ["x0: &x0 [a, a, a, a, a, a, a, a, a, a]"]
    bomb += [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 30)]
    text = source.inserted(line, "\n".join(bomb))
    # Level n holds 10 ** (n + 1) values: the fifth line passes the limit of 100,000.
    return Broken(text, line + 4, (), ("more than 100000 values once the aliases are replaced",))


@mutation
def merge_key(source: Source, rng: random.Random) -> Broken:
    stage = rng.choice(source.stages())
    inner = rng.choice(source.under(stage.path))
    text = source.inserted(inner.line, " " * inner.column + "<<: {task: scf}")
    return Broken(text, inner.line, stage.path, ("merge keys (<<) are not part of YAML 1.2",))


@mutation
def number_as_a_key(source: Source, rng: random.Random) -> Broken:
    line = rng.choice(source.under(())).line
    text = source.inserted(line, f"{rng.randint(0, 99)}: a")
    return Broken(text, line, (), ("as a key, keys are text; put it in quotes",))


@mutation
def second_document(source: Source, rng: random.Random) -> Broken:
    lines = source.lines()
    text = source.text + "---\nversion: 1\n"
    return Broken(text, len(lines) + 1, (), ("a second document begins",))


@mutation
def bytes_of_another_encoding(source: Source, rng: random.Random) -> Broken:
    place = rng.choice(source.places)
    content = source.replaced(place.value, "\u00e9").encode("latin-1", errors="replace")
    return Broken(content, place.value_line, (), ("is not UTF-8",))


@mutation
def brackets_without_end(source: Source, rng: random.Random) -> Broken:
    places = source.all(lambda place: place.kind.startswith("flow"))
    place = rng.choice(places)
    text = source.replaced((place.value[1] - 1, place.value[1]), "")
    return Broken(text, place.line, (), ("the bracket that opens here",))


@mutation
def stage_name_with_a_dash(source: Source, rng: random.Random) -> Broken:
    place = rng.choice(source.stages())
    assert place.key is not None
    text = source.replaced(place.key, f"{place.name}-2")
    told = "expected a name of small letters, digits and underscores"
    return Broken(text, place.line, ("stages", f"{place.name}-2"), (told,), alone=False)


def broken(name: str, number: int) -> tuple[Path, Broken]:
    """Return the shipped file and the mistake in it; files without such a place are passed over."""
    rng = random.Random(f"{name} {number}")
    for path in rng.sample(FILES, len(FILES)):
        found = MUTATIONS[name](Source(path), rng)
        if found is not None:
            return path, found
    raise LookupError(name)


def dotted(path: tuple[str | int, ...]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


@pytest.mark.parametrize("number", range(TIMES))
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mistake_is_told_with_its_line_path_and_what_was_expected(
    name: str, number: int, tmp_path: Path
) -> None:
    original, mistake = broken(name, number)
    path = tmp_path / original.name
    content = mistake.text if isinstance(mistake.text, bytes) else mistake.text.encode()
    path.write_bytes(content)
    with pytest.raises(InvalidFile) as caught:
        load(path)
    lines = caught.value.lines
    start = f"{path}:{mistake.line}: "
    here = [line.removeprefix(start) for line in lines if line.startswith(start)]
    about = [line for line in here if line.startswith(dotted(mistake.path))]
    assert any(all(re.search(_pattern(w), line) for w in mistake.words) for line in about), (
        mistake,
        lines,
    )
    assert not mistake.alone or len(lines) == 1, lines


def _pattern(words: str) -> str:
    return "|".join(re.escape(part) for part in words.split("|"))


@pytest.mark.parametrize(
    "name", ["unknown column", "key twice", "aliases that multiply", "bytes of another encoding"]
)
def test_the_command_ends_with_2_and_without_a_traceback(name: str, tmp_path: Path) -> None:
    original, mistake = broken(name, 0)
    path = tmp_path / original.name
    content = mistake.text if isinstance(mistake.text, bytes) else mistake.text.encode()
    path.write_bytes(content)
    command = [sys.executable, "-c", "from runner.cli import main; main()", "validate", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.BAD_INPUT
    assert f"{path}:{mistake.line}: {dotted(mistake.path)}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_shipped_files_have_no_mistake(path: Path) -> None:
    assert load(path).stages


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_change_of_bytes_ends_in_another_error(path: Path, tmp_path: Path) -> None:
    rng = random.Random(path.name)
    content = path.read_bytes()
    start = content.index(b"version:")  # the comment above would take most of the changes
    alphabet = b"abcxyz019.-_:,[]{}&*!|>'\"#%@`?<= \n\t\x00\xff\xc3"
    target = tmp_path / path.name
    for _ in range(150):
        changed = bytearray(content)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(start, len(changed))
            size = rng.choice([0, 1, 1, 5, 60])
            new = bytes(rng.choice(alphabet) for _ in range(rng.choice([0, 1, 1, 2])))
            changed[at : at + size] = new
        target.write_bytes(changed)
        try:
            load(target)
        except UserError:
            pass
        except Exception as error:  # noqa: BLE001  (any other error is what is looked for)
            pytest.fail(f"{error!r} for {json.dumps(changed.decode('latin-1'))}")
