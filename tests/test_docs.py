"""What the pages say works: YAML is valid, commands are understood, links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
REFUSED = "  # refused"


def blocks(language: str) -> Iterator[object]:
    """Yield the code blocks of a language, as parameters named for page and line."""
    for page in PAGES:
        text = page.read_text("utf-8")
        for found in BLOCK.finditer(text):
            if found[1] == language:
                line = text.count("\n", 0, found.start()) + 1
                yield pytest.param(found[2], id=f"{page.relative_to(ROOT)}:{line}")


def commands() -> Iterator[object]:
    """Yield the `campaign` commands that console blocks show after a `$`."""
    for block in blocks("console"):
        text, name = block.values[0], block.id  # type: ignore[attr-defined]  # a ParameterSet
        for line in text.splitlines():
            if line.startswith("$ campaign "):
                yield pytest.param(line.removeprefix("$ "), id=f"{name} {line[11:40]}")


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("text", list(blocks("yaml")))
def test_yaml_of_a_page_is_a_valid_campaign_profile_or_cluster(text: str, tmp_path: Path) -> None:
    from runner.load import load
    from runner.parallelcluster.settings_file import read_settings
    from runner.settings import read_profile

    path = tmp_path / "example.yaml"
    path.write_text(text)
    if text.startswith("# profile\n"):
        read_profile(path)
    elif text.startswith("# cluster\n"):
        read_settings(path)
    else:
        assert load(path).stages


@pytest.mark.parametrize("line", list(commands()))
def test_a_command_of_a_page_is_one_that_the_program_takes(line: str) -> None:
    import typer.main

    from runner.cli import app
    from runner.sql.examples import example
    from runner.sql.query import explain
    from schemas.errors import UserError

    words = shlex.split(line, comments=True)
    program = typer.main.get_command(app)
    with program.make_context("campaign", words[1:], resilient_parsing=False) as context:
        name, command, rest = program.resolve_command(context, words[1:])  # type: ignore[attr-defined]  # a group
        parsed = command.make_context(name, rest, parent=context)
    if name != "sql":
        return
    query, shipped = parsed.params["query"], parsed.params["example"]
    if parsed.params["listing"] and query is not None:
        shipped, query = query, None
    if shipped is not None:
        assert example(shipped)
    if query is None or re.match(r"show|describe", query, re.IGNORECASE):
        return
    if line.endswith(REFUSED):
        with pytest.raises(UserError):
            explain(query)
    else:
        explain(query)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_to_files_and_headings(page: Path) -> None:
    for link in LINK.findall(page.read_text("utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_campaign_of_the_readme_is_the_one_that_ships() -> None:
    (shown,) = [
        found[2]
        for found in BLOCK.finditer((ROOT / "README.md").read_text("utf-8"))
        if found[1] == "yaml"
    ]
    assert (ROOT / "campaigns" / "rocksalt.yaml").read_text("utf-8").endswith("\n" + shown)


def section(page: str, title: str) -> str:
    """Return the text under a heading of the second level."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("title", ["Every failure", "What is left, and what to do"])
def test_every_failure_has_its_line_in_the_tables(title: str) -> None:
    from schemas.failure import FailureName

    listed = re.findall(r"^\| `?([a-z_]+)`? \|", section("failures.md", title), re.MULTILINE)
    assert sorted(set(listed) - {"failure"}) == sorted(FailureName)
    assert len(listed) == len(set(listed))


def test_every_failure_is_recognised_by_something_or_said_by_the_program_itself() -> None:
    from fireworks_ext.engines.espresso.recognition import RULES
    from schemas.failure import FailureName

    own = {
        FailureName.INPUT_NOT_WRITTEN,
        FailureName.UPSTREAM_LOST,
        FailureName.METHODS_MIXED,
    }
    assert {rule.name for rule in RULES} == set(FailureName) - own


@pytest.mark.slow
@pytest.mark.pw
def test_the_campaign_of_the_tutorial_fails_is_retried_and_goes_on(tmp_path: Path) -> None:
    """What the page says about failures, with pw.x, word by word."""
    part = section("tutorial.md", "When calculations fail")
    (spec,) = [found[2] for found in BLOCK.finditer(part) if found[1] == "yaml"]
    (tmp_path / "hurry.yaml").write_text(spec)
    environment = {
        **os.environ,
        "MATCAMPAIGN_DATA_DIR": str(tmp_path / "data"),
        "MATCAMPAIGN_CONFIG_DIR": str(tmp_path / "config"),
    }
    lines = [line[2:] for line in part.splitlines() if line.startswith("$ ")]
    assert [line.split()[1] for line in lines] == ["run", "failures", "retry", "run", "logs"]
    codes, printed = [], []
    for line in lines:
        program = [sys.executable, "-c", "from runner.cli import main; main()"]
        done = subprocess.run(
            [*program, *shlex.split(line)[1:]],
            check=False,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert "Traceback" not in done.stderr
        codes.append(done.returncode)
        printed.append(done.stdout)
    assert codes == [3, 0, 0, 0, 0], printed
    assert "out_of_walltime: 2." in printed[1]
    assert "$ campaign retry hurry --cause out_of_walltime" in printed[1]
    assert "2 are on their way again; 2 stages below wait for them" in printed[2]
    assert "continued from" in printed[4]


def test_the_generated_pages_are_what_the_program_says() -> None:
    script = ROOT / "scripts" / "generate_docs.py"
    command = [sys.executable, script, "--check"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
