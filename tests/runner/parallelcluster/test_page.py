"""The commands of docs/parallelcluster.md that are not ours: shell and pcluster know them."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from runner.parallelcluster.profiles import profiles
from runner.parallelcluster.settings import PCLUSTER_VERSION, ClusterSettings
from runner.settings import read_profile

PAGE = Path(__file__).parents[3] / "docs" / "parallelcluster.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?<![\w/-])pcluster ([a-z]+-[a-z-]+|configure|ssh) [^|)\n]*")
PARSE = """
import json, sys
import pcluster.cli.model as model
from pcluster.cli.entrypoint import add_cli_commands, gen_parser
parser, by_command = gen_parser(model.load_model(model.package_spec()))
add_cli_commands(by_command)
for words in json.loads(sys.stdin.read()):
    args, extra = parser.parse_known_args(words)
    if extra and not getattr(args, "expects_extra_args", False):
        sys.exit(f"{words}: {extra}")
"""


def commands() -> list[list[str]]:
    """Return the words of each `pcluster` command, without its name."""
    joined = "\n".join(BLOCKS).replace("\\\n", " ")
    return [shlex.split(found[0])[1:] for found in COMMAND.finditer(joined)]


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_has_nothing_to_say_about_the_page(tmp_path: Path) -> None:
    assert len(BLOCKS) > 10
    for n, block in enumerate(BLOCKS):
        (tmp_path / f"{n}.sh").write_text(f"#!/bin/bash\n{block}")
    done = subprocess.run(
        ["shellcheck", *sorted(tmp_path.iterdir())], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_pcluster_knows_its_commands_and_their_options(aws_python: Path, tmp_path: Path) -> None:
    import json

    found = commands()
    named = {words[0] for words in found}
    assert named >= {"configure", "create-cluster", "describe-cluster", "ssh", "delete-cluster"}
    (tmp_path / "cluster.yaml").touch()
    done = subprocess.run(
        [str(aws_python), "-W", "ignore", "-c", PARSE],
        check=False,
        input=json.dumps(found),
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr


def test_the_page_installs_the_version_that_was_checked() -> None:
    assert f"aws-parallelcluster=={PCLUSTER_VERSION} " in PAGE.read_text("utf-8")


def test_the_profile_of_the_page_is_the_one_that_is_written(
    example: ClusterSettings, tmp_path: Path
) -> None:
    shown = next(
        block
        for block in re.findall(
            r"^```yaml\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
        )
        if block.startswith("# profile\n")
    )
    made = profiles(example)["screening-spot"]
    read = []
    for name, said in (("shown", shown), ("made", made)):
        (tmp_path / f"{name}.yaml").write_text(said)
        read.append(read_profile(tmp_path / f"{name}.yaml"))
    assert read[0] == read[1]
