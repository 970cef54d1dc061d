"""`campaign export`, and campaigns that publish to S3 by themselves."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from runner.export.manifest import read_manifest
from runner.export.parquet import publish
from runner.export.views import views
from runner.publication import Publisher
from runner.sql.query import query
from schemas.tables import fixed_columns, results_columns

SPEC = """
version: 1
campaign: solar
space: [{{kind: prototype, prototype: rocksalt, species: {{A: [Mg, Ca], X: [O, S]}}}}]
filters: [{{score: composition, keep: max_atomic_number <= 12}}]
stages:
  relax: {{engine: toy, task: relax}}
  scf: {{engine: toy, task: scf, structure: relax}}
export: {{to: "{to}"}}
"""


def locations(database: str, table: str) -> dict[str, str]:
    found = boto3.client("glue").get_partitions(DatabaseName=database, TableName=table)
    return {one["Values"][-1]: one["StorageDescriptor"]["Location"] for one in found["Partitions"]}


def keys(bucket: str) -> set[str]:
    found = boto3.client("s3").list_objects_v2(Bucket=bucket).get("Contents", ())
    return {one["Key"] for one in found}


def older_table(database: str) -> None:
    """Make the table of results that of a version which knew a column less."""
    glue = boto3.client("glue")
    known = glue.get_table(DatabaseName=database, Name="results")["Table"]
    known["StorageDescriptor"]["Columns"].pop()
    kept = ("Name", "StorageDescriptor", "PartitionKeys", "TableType", "Parameters")
    glue.update_table(DatabaseName=database, TableInput={name: known[name] for name in kept})


def test_a_campaign_publishes_all_its_tables_to_s3_by_itself(
    aws: Any, bench: Any, call: Any
) -> None:
    bucket = aws.bucket()
    bench.run(SPEC.format(to=f"s3://{bucket}/lake"))
    database = f"{bucket.replace('-', '_')}_lake"
    assert locations(database, "results").keys() == {"relax", "scf"}
    for table in ("screening", "attempts", "campaigns"):
        assert locations(database, table).keys() == {"solar"}
    code, out, _ = call(
        "sql", "--csv", "SELECT stage, count(*) AS n FROM results GROUP BY 1 ORDER BY 1"
    )
    assert (code, out.splitlines()) == (0, ["stage,n", "relax,1", "scf,1"])
    aws.writes()
    code, out, _ = call("export", "solar", "--json")
    assert (code, json.loads(out)["data"]["written"]) == (0, [])
    assert json.loads(out)["data"]["to"] == f"s3://{bucket}/lake"
    assert aws.writes() == []


def test_an_outage_stops_no_campaign_and_is_made_good_later(
    aws: Any, bench: Any, call: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bucket = aws.bucket()
    aws.refuses = lambda _: "before"
    status = bench.run(SPEC.format(to=f"s3://{bucket}/lake"))
    assert status.unsettled == 0
    assert bench.code == 0
    assert f"tables are not in s3://{bucket}/lake yet" in caplog.text
    assert "campaign export solar" in caplog.text
    code, _, errors = call("export", "solar")
    assert code == 2
    assert "Traceback" not in errors
    aws.refuses = lambda _: None
    assert keys(bucket) == set()
    code, out, _ = call("export", "solar")
    assert (code, "5 partitions written" in out) == (0, True)
    assert "lake/_manifest.json" in keys(bucket)


def test_tables_are_sent_in_the_background_while_a_campaign_runs(
    aws: Any, bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bucket = aws.bucket()
    run = bench.prepare(SPEC.format(to=f"s3://{bucket}/lake"))
    publisher = Publisher(run.store, "solar", run.place.tables)
    aws.refuses = lambda _: "before"
    publisher.publish()
    publisher.sending._thread.join()
    assert "the campaign goes on" in caplog.text
    aws.refuses = lambda _: None
    publisher.publish()  # too early for another try
    publisher.sending._thread.join()
    assert keys(bucket) == set()
    publisher.sending._next = 0.0
    publisher.publish()
    publisher.sending._thread.join()
    assert publisher.sending.problem is None
    assert any(key.startswith("lake/campaigns/campaign=solar/") for key in keys(bucket))


def test_the_policy_of_the_page_has_the_rights_that_are_used_and_no_others(
    aws: Any, bench: Any, call: Any
) -> None:
    bucket = aws.bucket()
    aws.requests.clear()
    for anions in ("X: [O, S]", "X: [O]"):
        bench.run(SPEC.format(to=f"s3://{bucket}/lake").replace("X: [O, S]", anions))
    assert call("export", "solar", "--views")[0] == 0
    used = set(aws.requests)
    older_table(f"{bucket.replace('-', '_')}_lake")
    aws.requests.clear()
    assert call("export", "solar")[0] == 0
    used = {one.removeprefix("AWSGlue.") for one in used | set(aws.requests) if "AWSGlue" in one}
    page = (Path(__file__).parents[3] / "docs" / "lake.md").read_text("utf-8")
    policy = json.loads(page.split("```json\n")[1].split("```")[0])
    actions = {action for one in policy["Statement"] for action in one["Action"]}
    assert {f"glue:{one}" for one in used} == {one for one in actions if one.startswith("glue:")}


def test_any_campaign_is_exported_to_a_folder_and_to_s3_with_the_same_files(
    aws: Any, bench: Any, call: Any, tmp_path: Path
) -> None:
    bench.run(SPEC.format(to="results/"))
    bucket = aws.bucket()
    assert call("export", "solar", "--to", str(tmp_path / "other"))[0] == 0
    code, out, _ = call(
        "export", str(tmp_path / "spec.yaml"), "--to", f"s3://{bucket}", "--no-glue"
    )
    assert (code, "Glue" in out) == (0, False)
    here, there = read_manifest(tmp_path / "results"), read_manifest(tmp_path / "other")
    assert here.partitions == there.partitions
    names = {name for one in here.partitions.values() for name in one.files}
    assert keys(bucket) == {*names, "_manifest.json"}
    for name in names:
        body = boto3.client("s3").get_object(Bucket=bucket, Key=name)["Body"].read()
        assert body == (tmp_path / "other" / name).read_bytes()
    for place in (("--to", str(tmp_path / "other")), ()):
        assert "0 partitions written, 5 unchanged" in call("export", "solar", *place)[1]


def test_a_screening_alone_is_exported_too(aws: Any, bench: Any, call: Any) -> None:
    bucket = aws.bucket()
    spec = str(bench.write(SPEC.format(to=f"s3://{bucket}/lake")))
    assert call("screen", spec)[0] == 0
    code, out, _ = call("export", spec)
    assert (code, "1 partitions written" in out) == (0, True)
    assert any(key.startswith("lake/screening/campaign=solar/") for key in keys(bucket))


def test_views_are_made_in_glue_as_athena_holds_them(aws: Any, bench: Any, call: Any) -> None:
    bucket = aws.bucket()
    bench.run(SPEC.format(to="results/"))
    to = ("--to", f"s3://{bucket}/lake", "--database", "materials")
    for _ in range(2):
        code, out, _ = call("export", "solar", *to, "--views")
        assert code == 0
        assert f"views: {', '.join(one.name for one in views())}\n" in out
    table = boto3.client("glue").get_table(DatabaseName="materials", Name="hull")["Table"]
    assert table["TableType"] == "VIRTUAL_VIEW"
    text = table["ViewOriginalText"]
    assert text.startswith("/* Presto View: ")
    held = json.loads(base64.b64decode(text.removeprefix("/* Presto View: ").removesuffix(" */")))
    assert held["schema"] == "materials"
    assert {"name": "elements", "type": "array(varchar)"} in held["columns"]
    assert [one["name"] for one in held["columns"]] == [
        one["Name"] for one in table["StorageDescriptor"]["Columns"]
    ]


def test_statements_of_views_are_printed_without_any_campaign(call: Any) -> None:
    code, out, _ = call("export", "--print-views")
    assert code == 0
    assert out.count("CREATE OR REPLACE VIEW") == len(list(views())) == 6


def test_views_answer_what_their_names_say(tmp_path: Path) -> None:
    t0 = datetime(2026, 1, 1)  # noqa: DTZ001  (published times are naive UTC)
    columns = results_columns()
    for hour, stage in enumerate(("relax", "scf")):
        rows: list[dict[str, object]] = [
            {
                "candidate_id": name,
                "formula": name.upper(),
                "outcome": "ok" if (name, stage) != ("b", "scf") else "failed",
                "band_gap_ev": hour + 0.5,
                "above_hull_ev_per_atom": 0.25 if stage == "scf" else None,
                "core_hours": 2.0,
                "cost_usd": 0.25,
                "finished_at": t0 + timedelta(hours=hour),
            }
            for name in "ab"
        ]
        publish(tmp_path, "results", {"campaign": "c", "stage": stage}, rows, columns)
    attempts = [
        {
            "candidate_id": name,
            "stage": "scf",
            "key": name,
            "core_hours": 3.0,
            "cost_usd": 0.5,
            "failure": failure,
        }
        for name, failure in (("a", None), ("b", "scf_not_converged"), ("b", "scf_not_converged"))
    ]
    solar = {"campaign": "c"}
    publish(tmp_path, "attempts", solar, attempts, fixed_columns("attempts"))
    screening = [
        {"row": n, "verdict": "pass" if n else "reject", "step": None if n else "tolerance"}
        for n in range(3)
    ]
    publish(tmp_path, "screening", solar, screening, fixed_columns("screening"))
    found = {}
    for view in views():
        answer = query(view.sql, [tmp_path])
        assert [(name, kind) for name, kind in answer.columns] == list(view.columns)
        found[view.name] = sorted(answer.rows, key=str)
    assert found["best_candidates"] == [
        ("c", "a", "A", 1.5, "scf", 0.25, None, None, 4.0, 0.5, True),
        ("c", "b", "B", 0.5, "relax", None, None, None, 2.0, 0.25, True),
    ]
    assert found["cost_per_result"] == [("c", "scf", 9.0, 1.5, 3, 1, 9.0, 150.0)]
    assert found["failures_by_cause"] == [("c", "scf", "scf_not_converged", 2, 1, 6.0, 1.0, "b")]
    assert ("c", "filter", "passed all", "pass", 2) in found["funnel"]
    assert ("c", "stage", "scf", "failed", 1) in found["funnel"]
    assert [row[2] for row in found["hull"]] == ["a"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nobody",), "no campaign 'nobody'"),
        (("solar", "--to", "gs://x/y"), "expected a folder or s3://bucket/prefix"),
        (("solar", "--to", "s3://B/y"), "expected a folder or s3://bucket/prefix"),
        (("solar", "--to", "s3://bucket/a//b"), "a prefix has letters"),
        (("solar", "--views"), "views are made in Glue"),
        (("solar", "--database", "x"), "--database: it is one of Glue, over tables in s3://"),
        ((), "name the campaign"),
    ],
)
def test_what_cannot_be_exported_is_told(
    bench: Any, call: Any, words: tuple[str, ...], told: str
) -> None:
    bench.run(SPEC.format(to="results/"))
    code, _, errors = call("export", *words)
    assert code == 2
    assert told in errors


def test_a_bad_address_in_a_campaign_file_is_a_mistake_of_the_file(bench: Any, call: Any) -> None:
    path = bench.write(SPEC.format(to="s3://Not_A_Bucket/x"))
    code, _, errors = call("validate", str(path))
    assert code == 2
    assert "export.to" in errors
    assert "spec.yaml:9" in errors
