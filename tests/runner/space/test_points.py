import json
import sys
import time
from itertools import islice
from pathlib import Path
from textwrap import dedent

import psutil
import pytest
from pydantic import ValidationError
from pymatgen.core import Lattice
from pymatgen.core import Structure as PymatgenStructure

from runner.space.points import PointsParams, plugin
from schemas.candidate import Candidate
from schemas.errors import UserError
from schemas.protocols import Surroundings

CELL = """\
    {"lattice_ang": [[4, 0, 0], [0, 4, 0], [0, 0, 4]],
     "species": ["Cs", "Cl"], "frac_coords": [[0, 0, 0], [0.5, 0.5, 0.5]]}
"""


def here(folder: Path, seed: int = 3) -> Surroundings:
    return Surroundings(folder=folder, seed=seed)


def made(folder: Path, program: str, **params: object) -> list[Candidate]:
    (folder / "make.py").write_text(f"import json, os, sys, time\nCELL = {CELL}\n{dedent(program)}")
    given = PointsParams.model_validate({"script": "make.py", **params})
    return list(plugin.candidates(given, here(folder)))


def test_a_program_is_given_the_rows_of_a_table_and_its_lines_are_candidates(
    tmp_path: Path,
) -> None:
    (tmp_path / "params.csv").write_text("a,label,on,code\n4.0,first,true,007\n4.5,,false,\n")

    first, second = made(
        tmp_path,
        """
        for line in sys.stdin:
            row = json.loads(line)
            CELL["lattice_ang"][0][0] = row["a"]
            print(json.dumps({"structure": CELL, "params": {**row, "more": [1]}}))
        """,
        table="params.csv",
        columns={"a": "float", "label": "text", "on": "bool"},
    )

    assert first.extra == {"a": 4.0, "label": "first", "on": True}
    assert second.extra == {"a": 4.5, "label": None, "on": False}
    assert first.choice == {
        "line": 1,
        "params": {"a": 4.0, "label": "first", "on": True, "code": "007", "more": [1]},
    }
    assert second.structure.volume_ang3 == pytest.approx(4.5 * 16)
    assert (first.formula, first.composition) == ("CsCl", {"Cs": 1, "Cl": 1})


def test_structures_of_pymatgen_and_texts_are_read_too(tmp_path: Path) -> None:
    salt = PymatgenStructure(Lattice.cubic(4.0), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    shapes = [salt.as_dict(), salt.to(fmt="cif"), salt.to(fmt="poscar")]
    (tmp_path / "shapes.json").write_text(json.dumps(shapes, default=str))

    candidates = made(
        tmp_path,
        """
        for shape in json.load(open("shapes.json")):
            print(json.dumps({"structure": shape}))
        """,
    )

    assert [c.problem for c in candidates] == [None] * 3
    assert [c.structure.volume_ang3 for c in candidates] == [pytest.approx(64.0)] * 3


def test_any_program_may_be_named_by_the_words_of_its_command(tmp_path: Path) -> None:
    line = json.dumps({"error": "none here"})
    (tmp_path / "make").write_text(f"#!/bin/sh\necho '{line}'\n")

    with pytest.raises(UserError, match=r"make: cannot be executed; `chmod \+x` it, or give"):
        plugin.count(PointsParams(script="make"), here(tmp_path))
    (tmp_path / "make").chmod(0o755)
    for script in ("make", ("sh", "make"), ("./make", "$HOME; exit 1")):
        (candidate,) = plugin.candidates(PointsParams(script=script), here(tmp_path))
        assert candidate.problem is not None
        assert candidate.problem.endswith("line 1: none here")


def test_the_program_runs_only_when_candidates_are_made_and_only_as_far(tmp_path: Path) -> None:
    (tmp_path / "make.py").write_text(
        "import json, os\nopen('ran', 'w').write(str(os.getpid()))\n"
        "while True: print(json.dumps({'error': 'x'}))\n"
    )
    params = PointsParams(script="make.py")

    assert plugin.count(params, here(tmp_path)) is None
    endless = plugin.candidates(params, here(tmp_path))
    assert not (tmp_path / "ran").exists()
    assert len(list(islice(endless, 1000))) == 1000
    endless.close()  # type: ignore[attr-defined]  # it is a generator

    assert not psutil.pid_exists(int((tmp_path / "ran").read_text()))


def test_the_seed_of_the_campaign_is_in_its_environment(tmp_path: Path) -> None:
    (candidate,) = made(
        tmp_path, "print(json.dumps({'error': 'seed ' + os.environ['MATCAMPAIGN_SEED']}))"
    )

    assert candidate.problem == "make.py: line 1: seed 3"


def test_a_line_with_a_wrong_structure_or_value_is_a_row_with_the_reason(tmp_path: Path) -> None:
    candidates = made(
        tmp_path,
        """
        for line in (
            {"structure": {**CELL, "species": ["Cs", "Xx"]}},
            {"structure": {**CELL, "species": ["Cs"]}},
            {"structure": CELL, "params": {"x": "wide"}},
            {"structure": CELL, "params": [1]},
            {"params": {"x": 1}},
            {"strukture": CELL},
            {"structure": CELL, "params": {"x": 1}},
        ):
            print(json.dumps(line))
        """,
        columns={"x": "float"},
    )

    problems = [c.problem for c in candidates]
    assert problems[0] == "make.py: line 1: structure: 'Xx' is not an element"
    assert problems[1] is not None
    assert "one entry per site" in problems[1]
    assert problems[2] == "make.py: line 3: column x: found 'wide', expected a number"
    assert problems[3] == "make.py: line 4: params: expected an object"
    assert problems[4] == "make.py: line 5: structure: missing"
    assert problems[5] == "make.py: line 6: found strukture, expected structure, params, error"
    assert problems[6] is None
    assert candidates[0].row()["n_atoms"] == 0
    with pytest.raises(UserError, match=r"line 1: structure: 'Xx'"):
        _ = candidates[0].id


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("print('hello')", r"line 1: found 'hello', expected a JSON object \(.*standard error"),
        ("print(json.dumps({'error': 'x'})); print('[1]')", r"line 2: found '\[1\]', expected"),
        ("print('{\"structure\": NaN}')", r"line 1: .*\(NaN is no JSON\)"),
        ("sys.exit('I am lost')", r"(?s)exit code 1 before its first line\. It said:.*I am lost"),
        ('print(\'{"error": "x"}\', flush=True); os.kill(os.getpid(), 9)', "signal 9 after line 1"),
        ("sys.stdout.buffer.write(b'\\xff\\n')", "line 1 is no text in UTF-8"),
        (
            "time.sleep(60)",
            r"printed no line for 0\.5 s before its first line; raise `line_limit_s`",
        ),
        ("os.close(1); time.sleep(60)", "did not end before its first line"),
    ],
)
def test_a_program_that_fails_is_told_with_what_it_said(
    tmp_path: Path, program: str, message: str
) -> None:
    started = time.monotonic()
    limit_s = 0.5 if "sleep" in program else 60.0

    with pytest.raises(UserError, match=message):
        made(tmp_path, program, line_limit_s=limit_s)
    assert time.monotonic() - started < 20


def test_a_large_table_and_many_lines_pass_both_ways_at_once(tmp_path: Path) -> None:
    rows = "".join(f"{i},{'x' * 200}\n" for i in range(3000))
    (tmp_path / "params.csv").write_text(f"i,text\n{rows}")

    candidates = made(
        tmp_path,
        """
        for line in sys.stdin:
            print(json.dumps({"error": "y" * 200, "params": {"i": json.loads(line)["i"]}}))
        """,
        table="params.csv",
    )

    assert [c.choice["params"] for c in candidates] == [{"i": i} for i in range(3000)]


def test_a_table_that_breaks_while_the_program_reads_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "params.csv").write_bytes(b"i\n1\n\xff\n")

    with pytest.raises(UserError, match=r"params\.csv: cannot be read"):
        made(tmp_path, "sys.stdin.read()", table="params.csv")


def test_a_program_need_not_read_what_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "params.csv").write_text("i\n" + "1\n" * 50_000)

    (candidate,) = made(tmp_path, "print(json.dumps({'structure': CELL}))", table="params.csv")

    assert candidate.formula == "CsCl"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"script": "none.py"}, r"there is no file 'none\.py'"),
        ({"script": ["no-such-program"]}, "there is no program 'no-such-program'"),
        ({"script": ["./none"]}, r"there is no program '\./none'"),
        ({"script": [sys.executable], "table": "none.csv"}, r"there is no file 'none\.csv'"),
        ({"script": [sys.executable], "table": "x.xlsx"}, r"found a \.xlsx file, expected \.csv"),
    ],
)
def test_what_is_not_there_is_told_before_anything_runs(
    tmp_path: Path, params: dict[str, object], message: str
) -> None:
    (tmp_path / "x.xlsx").touch()

    with pytest.raises(UserError, match=message):
        plugin.count(PointsParams.model_validate(params), here(tmp_path))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"script": ""}, "at least the name of a program"),
        ({"script": []}, "at least the name of a program"),
        ({"script": "m.py", "columns": {"X": "float"}}, "pattern"),
        ({"script": "m.py", "columns": {"x": "real"}}, "'float', 'int', 'bool' or 'text'"),
        ({"script": "m.py", "line_limit_s": 0}, "greater than 0"),
    ],
)
def test_mistakes_in_params_are_named(params: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PointsParams.model_validate(params)
