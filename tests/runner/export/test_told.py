"""What commands say of tables that go to S3: the address there, and what is not there yet."""

from __future__ import annotations

import json
from typing import Any

SPEC = """
version: 1
campaign: solar
space: [{{kind: prototype, prototype: rocksalt, species: {{A: [Mg], X: [O]}}}}]
filters: [{{score: composition, keep: max_atomic_number <= 2}}]
stages:
  relax: {{engine: toy, task: relax}}
export: {{to: "{to}"}}
"""


def test_the_end_of_a_run_names_the_address_in_s3(aws: Any, bench: Any, call: Any) -> None:
    to = f"s3://{aws.bucket()}/lake"
    code, out, _ = call("run", str(bench.write(SPEC.format(to=to))))
    assert code == 0
    assert f"tables: {to}\n" in out
    assert "not all there" not in out


def test_what_is_not_in_s3_yet_is_said_with_its_reason(aws: Any, bench: Any, call: Any) -> None:
    to = f"s3://{aws.bucket()}/lake"
    aws.refuses = lambda _: "before"
    file = str(bench.write(SPEC.format(to=to)))
    code, out, _ = call("run", file)
    assert code == 0
    assert f"tables: {to}\n" in out
    assert f"not all there yet, but in {bench.folder}" in out
    assert "`campaign export solar` sends them" in out
    data = json.loads(call("run", file, "--json")[1])["data"]
    assert data["tables"] == to
    assert data["folder"].startswith(str(bench.folder))
    assert "before" in data["unsent"]


def test_a_screening_says_how_its_tables_come_to_s3(aws: Any, bench: Any, call: Any) -> None:
    to = f"s3://{aws.bucket()}/lake"
    _, out, _ = call("screen", str(bench.write(SPEC.format(to=to))))
    assert f"to {to}: campaign export solar" in out


def test_a_lake_that_was_named_by_hand_is_known_to_the_cloud(
    aws: Any, bench: Any, call: Any
) -> None:
    from runner.cloud_query import find_cloud_place
    from runner.place import place_of

    call("screen", str(bench.write(SPEC.format(to="tables/"))))
    bucket = aws.bucket()
    # Of its own: the tables of a database belong to one lake.
    words = ("--to", f"s3://{bucket}/lake", "--database", "by_hand")
    code, _, err = call("export", str(bench.folder / "spec.yaml"), *words)
    assert (code, err) == (0, "")
    place = place_of(None, environ=bench.environ)
    assert find_cloud_place(place).database == "by_hand"
