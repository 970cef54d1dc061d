"""A configuration as AWS ParallelCluster itself reads it, without an account and without AWS."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from runner.validation import found_expected, unknown_key, value_at
from schemas.document import Document, read_file
from schemas.errors import InvalidFile, Problem, UserError
from schemas.model import Model

PROGRAM = Path(__file__).with_name("aws_schema.py")
LONGEST_S = 120
_CHOICE = re.compile(r"Must be one of: (.*?)\.?$")


class Remark(Model):
    """What one of AWS's rules says of a configuration that can be used as it is."""

    level: Literal["INFO", "WARNING"]
    text: str
    what: str


class ClusterCheck(Model):
    """`campaign cluster check`: the file is right, as far as can be told without AWS."""

    file: str
    pcluster: str
    """Version of AWS ParallelCluster that read it."""
    rules_checked: int
    rules_left_out: int
    """Groups of rules that ask AWS: `pcluster create-cluster --dryrun true` checks these."""
    remarks: tuple[Remark, ...] = ()


def check_cluster(path: Path, python: Path) -> ClusterCheck:
    """Return what AWS's schema and rules say of a configuration.

    Raises
    ------
    InvalidFile
        With every mistake that they find, `file:line: path: message`.
    UserError
        When the file cannot be read, or `python` has no AWS ParallelCluster.
    """
    document, _ = read_file(path)
    document.check()
    said = _ask(path, python)
    document.check(problem for error in said.get("errors", ()) for problem in
                   _problems(error, document))  # fmt: skip
    if "asks" in said:
        raise UserError(f"{path}: it names {said['asks']}, which cannot be read without AWS")
    if refused := [rule for rule in said["rules"] if rule["level"] == "ERROR"]:
        raise InvalidFile([f"{path}: {one['what']}: {one['text']}" for one in refused])
    return ClusterCheck(
        file=str(path),
        pcluster=said["version"],
        rules_checked=said["checked"],
        rules_left_out=said["left_out"],
        remarks=tuple(
            Remark(level=one["level"], text=one["text"], what=one["what"]) for one in said["rules"]
        ),
    )


def _ask(path: Path, python: Path) -> Any:
    try:
        done = subprocess.run(
            [str(python), "-W", "ignore", str(PROGRAM), str(path.absolute())],
            check=False,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            env=_without_aws(os.environ),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"{python} cannot be used to check {path}: {error}") from error
    if done.returncode:
        raise UserError(
            f"{python} could not check {path} with AWS ParallelCluster: {_last_line(done.stderr)}; "
            "expected a Python with the packages aws-parallelcluster 3 and setuptools before 81"
        )
    return json.loads(done.stdout)


def _last_line(said: str) -> str:
    """Return what an ended Python says at last: the error, after the way to it."""
    return said.strip().rpartition("\n")[2] or "it said nothing"


def _without_aws(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which nothing finds an account."""
    kept = {
        key: value
        for key, value in environ.items()
        if not key.startswith(("AWS_", "PYTHON", "VIRTUAL_ENV"))
    }
    return kept | {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def _problems(error: Mapping[str, Any], document: Document) -> Iterator[Problem]:
    """Yield a complaint of AWS's schema in our words, where it is one that we know."""
    path, text = tuple(error["path"]), error["text"]
    value = value_at(document.data, path)
    if text == "Unknown field.":
        yield unknown_key(path, error["keys"])
    elif text == "Missing data for required field.":
        yield Problem(path, "missing, and AWS's schema asks for it", at_key=True)
    elif choice := _CHOICE.search(text):
        yield Problem(path, found_expected(value, f"one of {choice[1]}"))
    elif isinstance(value, str | int | float):
        yield Problem(path, f"found {value!r}; AWS's schema: {text}")
    else:
        yield Problem(path, f"AWS's schema: {text}")
