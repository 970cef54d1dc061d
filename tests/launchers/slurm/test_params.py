from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from launchers.slurm import SlurmParams
from runner.plugins import check_launcher
from schemas import registry
from schemas.queue import JobShape

SMALL: dict[str, Any] = {"tasks_per_node": 4, "walltime_min": 60}


def test_a_launcher_block_with_the_two_required_settings_is_complete() -> None:
    assert check_launcher({"kind": "slurm", **SMALL}, ("launcher",)) == []


def test_a_launcher_block_says_what_is_missing_and_what_is_unknown() -> None:
    problems = check_launcher({"kind": "slurm", "walltime": 5}, ("launcher",))
    said = "\n".join(f"{one.dotted()}: {one.message}" for one in problems)
    for name in ("tasks_per_node", "walltime_min", "walltime"):
        assert f"launcher.{name}" in said


def test_every_setting_is_described() -> None:
    seen = SlurmParams.model_json_schema()
    for model in (seen, *seen["$defs"].values()):
        for name, field in model["properties"].items():
            assert field.get("description"), name


def test_the_launcher_is_found_by_its_name() -> None:
    assert "slurm" in registry.launchers.names()
    assert registry.launchers.get("slurm").params is SlurmParams


def test_the_shape_of_a_pilot_is_what_the_settings_say() -> None:
    params = SlurmParams.model_validate(
        {**SMALL, "nodes_per_job": 2, "memory_gb": 64, "gres": "gpu:a100:4"}
    )
    assert params.shape == JobShape(nodes=2, cores=4, gpus=4, memory_gb=64, walltime_min=60)


@pytest.mark.parametrize(
    ("gres", "gpus"),
    [
        (None, 0),
        ("gpu", 1),
        ("gpu:2", 2),
        ("gpu:a100", 1),
        ("gpu:a100:4", 4),
        ("lustre:1,gpu:2", 2),
        ("gpu:a100:1,gpu:h100:2", 3),
        ("gpumem:40", 0),
    ],
)
def test_gpus_are_counted_in_generic_resources(gres: str | None, gpus: int) -> None:
    assert SlurmParams.model_validate({**SMALL, "gres": gres}).shape.gpus == gpus


@pytest.mark.parametrize("name", ["partition", "account", "qos", "constraint", "gres"])
@pytest.mark.parametrize("value", ["", "a b", "a\nb", "a\n", 'a"b', "a'b", "a#b", "a\\b", "a\x00"])
def test_the_value_of_an_option_is_one_word(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name):
        SlurmParams.model_validate({**SMALL, name: value})


@pytest.mark.parametrize("value", ["a|b", "[rack1|rack2]&ib", "a,b", "a*2", "user@example.org"])
def test_values_may_hold_what_slurm_gives_a_meaning(value: str) -> None:
    assert SlurmParams.model_validate({**SMALL, "constraint": value}).constraint == value


@pytest.mark.parametrize("line", ["a\nb", "a\n", "a\rb", "a\x00b", ""])
@pytest.mark.parametrize("name", ["setup", "extra"])
def test_a_raw_line_is_one_line(name: str, line: str) -> None:
    with pytest.raises(ValidationError, match=name):
        SlurmParams.model_validate({**SMALL, name: [f"--{line}" if name == "extra" else line]})


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("--time=10", "walltime_min"),
        ("--time 10", "walltime_min"),
        ("-t10", "walltime_min"),
        ("-p main", "partition"),
        ("--array=0-3", "arrays"),
        ("--job-name=x", "leave it out"),
        ("-o x", "leave it out"),
        ("--wait", "leave it out"),
    ],
)
def test_options_that_the_launcher_sets_are_not_set_twice(line: str, remedy: str) -> None:
    with pytest.raises(ValidationError, match=remedy):
        SlurmParams.model_validate({**SMALL, "extra": [line]})


@pytest.mark.parametrize("line", ["--licenses=vasp:1", "--nice", "-L vasp", "--mem-bind=local"])
def test_any_other_option_may_be_given(line: str) -> None:
    assert SlurmParams.model_validate({**SMALL, "extra": [line]}).extra == (line,)


def test_an_extra_line_without_a_dash_is_refused() -> None:
    with pytest.raises(ValidationError, match="extra"):
        SlurmParams.model_validate({**SMALL, "extra": ["#SBATCH --nice"]})


def test_a_job_must_last_longer_than_its_notice() -> None:
    with pytest.raises(ValidationError, match="less than the time limit of 120 s"):
        SlurmParams.model_validate({**SMALL, "walltime_min": 2})
    assert SlurmParams.model_validate({**SMALL, "walltime_min": 2, "stop_before_s": 60})


@pytest.mark.parametrize("name", ["python", "exchange"])
def test_paths_of_other_machines_are_absolute(name: str) -> None:
    with pytest.raises(ValidationError, match="expected an absolute path"):
        SlurmParams.model_validate({**SMALL, name: "work/here"})
