"""What is installed is what is stated: versions, files, the console script."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points, version
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
NAME = re.compile(r"^[A-Za-z0-9._-]+")
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^ \\;]+)", re.MULTILINE)


def locked(name: str) -> dict[str, str]:
    """Return the versions in a lock file by normalised name."""
    return {
        normal(one): version for one, version in PINNED.findall((ROOT / name).read_text("utf-8"))
    }


def normal(name: str) -> str:
    """Return the name of a distribution as PyPA normalises it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements() -> list[str]:
    """Return all requirements of the project, those of its groups too."""
    groups = PROJECT["dependency-groups"]
    return [*PROJECT["project"]["dependencies"], *groups["build"], *groups["dev"]]


@pytest.mark.parametrize("requirement", requirements())
def test_the_oldest_version_that_is_allowed_is_the_one_that_is_tested(requirement: str) -> None:
    name = NAME.match(requirement)
    assert name
    oldest = re.search(r"[>=]=([\w.]+)", requirement)
    assert oldest, "a dependency without an oldest version"
    assert locked("requirements-dev.lock")[normal(name[0])].startswith(oldest[1])


def test_both_locks_agree() -> None:
    runtime, dev = locked("requirements.lock"), locked("requirements-dev.lock")
    assert runtime.items() <= dev.items()


def test_the_tests_run_with_the_versions_of_the_lock() -> None:
    different = {}
    for requirement in requirements():
        name = normal(NAME.match(requirement)[0])  # type: ignore[index]  # they all begin with a name
        if name == "hatchling":
            continue  # only builds, and need not be there afterwards
        wanted = locked("requirements-dev.lock")[name]
        if version(name) != wanted:
            different[name] = (version(name), wanted)
    assert not different


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_has_hashes_and_names_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    assert "://" not in text
    assert "index" not in re.sub(r"#.*", "", text)
    for entry in re.split(r"\n(?=[A-Za-z0-9])", text):
        assert "--hash=sha256:" in entry, entry[:60]


def test_the_console_script_is_installed() -> None:
    (script,) = entry_points(group="console_scripts", name="campaign")
    assert script.value == "runner.cli:main"


@pytest.mark.slow
def test_a_wheel_holds_the_five_packages_with_their_data_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
    subprocess.run([*command, tmp_path], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "campaigns",
        "fireworks_ext",
        "launchers",
        "runner",
        "schemas",
    }
    for package in ("campaigns", "fireworks_ext", "launchers", "runner", "schemas"):
        tracked = {
            str(path.relative_to(ROOT))
            for path in (ROOT / package).rglob("*")
            if path.suffix in {".py", ".yaml", ".lark", ".json"} and "results" not in path.parts
        }
        assert tracked <= set(names)
    assert not [name for name in names if name.endswith(".parquet")]
