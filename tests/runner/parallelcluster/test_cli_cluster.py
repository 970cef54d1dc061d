"""`campaign cluster` as its users meet it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.parallelcluster import aws_environment
from schemas.errors import UserError


@pytest.fixture
def settings(call: Any, tmp_path: Path) -> Path:
    path = tmp_path / "cluster-settings.yaml"
    code, out, err = call("cluster", "settings", "-o", str(path))
    assert (code, err) == (0, "")
    assert f"campaign cluster init {path}" in out
    return path


def test_settings_become_configuration_script_and_profiles(
    settings: Path, call: Any, tmp_path: Path
) -> None:
    made, folder = tmp_path / "made" / "cluster.yaml", tmp_path / "profiles"
    code, out, err = call(
        "cluster", "init", str(settings), "-o", str(made), "--profiles", str(folder)
    )
    assert (code, err) == (0, "")
    assert made.read_text().startswith("# Cluster screening, for AWS ParallelCluster 3.")
    assert made.with_name("bootstrap.sh").read_text().startswith("#!/bin/bash\n")
    assert sorted(path.name for path in folder.iterdir()) == [
        "screening-ondemand.yaml",
        "screening-spot.yaml",
        "screening-wide.yaml",
    ]
    assert "0 to 10" in out
    assert f"aws s3 cp {made.with_name('bootstrap.sh')} s3://my-bucket/matcampaign" in out


def test_without_a_folder_profiles_are_printed(settings: Path, call: Any, tmp_path: Path) -> None:
    code, out, _ = call("cluster", "init", str(settings), "-o", str(tmp_path / "cluster.yaml"))
    assert code == 0
    assert "profiles/screening-spot.yaml:" in out
    assert "partition: spot" in out


def test_a_file_that_was_changed_is_replaced_only_by_force(
    settings: Path, call: Any, tmp_path: Path
) -> None:
    made = tmp_path / "cluster.yaml"
    words = ("cluster", "init", str(settings), "-o", str(made))
    assert call(*words)[0] == 0
    assert call(*words)[0] == 0  # as it was
    made.write_text("mine\n")
    code, _, err = call(*words)
    assert code == 2
    assert "exists with another content" in err
    assert made.read_text() == "mine\n"
    assert call(*words, "--force")[0] == 0
    assert made.read_text() != "mine\n"


def test_programs_read_the_same_as_json(settings: Path, call: Any, tmp_path: Path) -> None:
    code, out, _ = call(
        "cluster", "init", str(settings), "-o", str(tmp_path / "cluster.yaml"), "--json"
    )
    assert code == 0
    envelope = json.loads(out)
    assert envelope["command"] == "cluster init"
    assert [one["cores"] for one in envelope["data"]["queues"]] == [64, 64, 96]


def test_mistakes_in_settings_end_in_a_message(call: Any, tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("cluster: Screening\n")
    code, _, err = call("cluster", "init", str(path), "-o", str(tmp_path / "cluster.yaml"))
    assert code == 2
    assert "1: cluster: expected a name of small letters" in err
    assert "region: missing" in err
    assert not (tmp_path / "cluster.yaml").exists()


@pytest.mark.slow
def test_an_environment_that_cannot_be_made_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_environment, "REQUIREMENTS", (str(tmp_path / "no-such-{version}.whl"),))
    with pytest.raises(UserError, match="is not installed, and it could not be installed") as told:
        aws_environment.interpreter("3.0.0", {"MATCAMPAIGN_DATA_DIR": str(tmp_path)})
    assert "no-such-3.0.0.whl" in str(told.value)
    assert not list((tmp_path / "tools").iterdir())


@pytest.mark.slow
def test_what_init_writes_passes_check(
    settings: Path, call: Any, tmp_path: Path, aws_python: Path
) -> None:
    made = str(tmp_path / "cluster.yaml")
    assert call("cluster", "init", str(settings), "-o", made)[0] == 0
    code, out, err = call("cluster", "check", made, "--json", "--python", str(aws_python))
    assert (code, err) == (0, "")
    assert json.loads(out)["data"]["rules_checked"] > 40
