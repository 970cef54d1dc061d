"""Sets the exit codes of aiida-quantumespresso beside the failures that are recognised here.

Reads a wheel of it, downloaded where no path is given, by its syntax trees alone: nothing of it is
imported. Prints a table of its codes for pw.x, ph.x and neb.x, what its base workflows do about
each, and our names; `--json` prints the codes as they are recorded for the tests.
"""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VERSION = "5.1.0"
PROGRAMS = ("pw", "ph", "neb")
SHARED = {"pw": ("__init__",), "ph": (), "neb": ()}
"""Modules of `calculations` whose codes a program's own inherits."""
CORE_CODES = {"ERROR_SCHEDULER_OUT_OF_WALLTIME": 120, "STOPPED_BY_MONITOR": 150}
"""Of aiida-core's CalcJob: treated by its workflows, defined elsewhere."""
NAMES = Path(__file__).with_name("aiida_names.json")
"""Its label -> our names, and a word where there is none or more to say."""


def wheel(path: Path | None, folder: Path) -> Path:
    """Return the wheel at a path, or download it."""
    if path is not None:
        return path
    wanted = ["--no-deps", "--dest", str(folder), f"aiida-quantumespresso=={VERSION}"]
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", *wanted], check=True)
    return next(folder.glob("*.whl"))


def exit_codes(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield code and label of every `spec.exit_code(code, label, ...)`."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="exit_code"),
                args=[ast.Constant(value=int(code)), ast.Constant(value=str(label)), *_],
            ):
                yield code, label


def handlers(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield label and function of every `@process_handler(exit_codes=...)`."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for decorator in function.decorator_list:
            match decorator:
                case ast.Call(func=ast.Name(id="process_handler"), keywords=keywords):
                    for keyword in keywords:
                        if keyword.arg == "exit_codes":
                            for node in ast.walk(keyword.value):
                                if isinstance(node, ast.Attribute) and node.attr.isupper():
                                    yield node.attr, function.name


def records(archive: zipfile.ZipFile) -> list[dict[str, Any]]:
    """Return every code of the three programs: program, whose it is, code, label, handlers."""

    def tree(module: str) -> ast.AST:
        return ast.parse(archive.read(f"aiida_quantumespresso/{module}.py"))

    found = []
    for program in PROGRAMS:
        base = tree(f"workflows/{program}/base")
        treated: dict[str, list[str]] = {}
        for label, function in handlers(base):
            treated.setdefault(label, []).append(function)
        modules = (program, *SHARED[program])
        own = {one for name in modules for one in exit_codes(tree(f"calculations/{name}"))}
        known = {label for _, label in own}
        more = {one for one in exit_codes(base) if one[1] not in known}
        core = {
            (CORE_CODES[label], label)
            for label in treated
            if label not in known and label in CORE_CODES
        }
        for whose, codes in (("calculation", own), ("workflow", more), ("aiida-core", core)):
            found += [
                {
                    "program": program,
                    "of": whose,
                    "code": code,
                    "label": label,
                    "handlers": treated.get(label, []),
                }
                for code, label in sorted(codes)
            ]
    return found


def main() -> int:
    """Print the table; return 1 where a label has no name here and no reason for that."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", nargs="?", type=Path, help="downloaded where it is not given")
    parser.add_argument("--json", action="store_true", help="print the codes as they are recorded")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(wheel(given.wheel, Path(folder))) as archive,
    ):
        found = records(archive)
    if given.json:
        lines = ",\n".join(f"  {json.dumps(one)}" for one in found)
        print(f'{{\n "exit_codes": [\n{lines}\n ]\n}}')
        return 0
    names: dict[str, dict[str, Any]] = json.loads(NAMES.read_text())
    missing = 0
    for one in found:
        ours = names.get(one["label"])
        missing += ours is None
        said = ", ".join(ours["ours"]) or f"({ours['note']})" if ours else "MISSING"
        treated = ", ".join(one["handlers"]) or "-"
        print(f"{one['program']:4}{one['code']:4}  {one['label']:62}{said:52}{treated}")
    print(f"{len(found)} codes, {missing} without a name here")
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
