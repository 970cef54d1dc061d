"""What aiida-quantumespresso tells apart is told apart here."""

import ast
import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from fireworks_ext.engines.espresso.recognition import RULES
from schemas.failure import FailureName

ROOT = Path(__file__).parents[4]
RECORDED = ROOT / "tests" / "recorded" / "aiida-quantumespresso-5.1.0.json"
CODES = json.loads(RECORDED.read_text())["exit_codes"]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = spec_from_file_location("compare_aiida", ROOT / "scripts" / "compare_aiida.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_code_has_our_names_or_a_reason_why_there_is_none(script: ModuleType) -> None:
    names = json.loads(script.NAMES.read_text())
    assert {one["label"] for one in CODES} == set(names)
    for entry in names.values():
        assert entry["ours"] or entry["note"]
        assert all(FailureName(name) for name in entry["ours"])


def test_every_failure_of_a_calculation_there_is_recognised_here(script: ModuleType) -> None:
    names = json.loads(script.NAMES.read_text())
    recognised = {rule.name.value for rule in RULES}
    for one in CODES:
        if one["of"] == "calculation" and one["label"] != "ERROR_OUTPUT_XML_MULTIPLE":
            assert names[one["label"]]["ours"]
            assert set(names[one["label"]]["ours"]) <= recognised


def test_more_is_recognised_here_than_there(script: ModuleType) -> None:
    names = json.loads(script.NAMES.read_text())
    theirs = {name for one in CODES for name in names[one["label"]]["ours"]}
    assert len({rule.name.value for rule in RULES}) > 1.5 * len(theirs)


def test_codes_and_handlers_are_read_from_syntax_trees(script: ModuleType) -> None:
    codes = "def define(cls, spec):\n    spec.exit_code(\n        410, 'ERROR_A', message='a')\n"
    assert list(script.exit_codes(ast.parse(codes))) == [(410, "ERROR_A")]
    base = (
        "@process_handler(priority=1, exit_codes=[P.exit_codes.ERROR_A, P.exit_codes.ERROR_B])\n"
        "def handle(self, calculation): ...\n"
        "@process_handler()\n"
        "def other(self): ...\n"
    )
    assert list(script.handlers(ast.parse(base))) == [("ERROR_A", "handle"), ("ERROR_B", "handle")]
