"""Tables in S3 with Glue over them, on a server that speaks both."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any

import boto3
import pytest
from elsewhere import send_many

from runner.export.address import LakeAddress
from runner.export.clients import LakeUnreachable
from runner.export.lake import Lake, remember
from runner.export.lake_copy import published
from runner.export.manifest import load, read_manifest
from runner.export.parquet import publish
from runner.sql.query import query
from schemas.columns import Column
from schemas.errors import UserError
from schemas.export import Glue
from schemas.tables import RESULTS, fixed_columns

GAP = Column("band_gap_ev", "float", "Gap.", "eV")
STAGES = ("relax", "scf")


def address(aws: Any, prefix: str = "lake") -> LakeAddress:
    return LakeAddress(aws.bucket(), prefix, Glue())


def fill(root: Path, campaign: str = "solar", *, gap: float = 1.0, **columns: Column) -> None:
    """Publish two stages and the campaign in a folder; `gap` is that of the last stage."""
    for stage in STAGES:
        rows = [
            {"candidate_id": name, "outcome": "ok", "band_gap_ev": gap if stage == "scf" else 0.5}
            for name in "abc"
        ]
        partition = {"campaign": campaign, "stage": stage}
        publish(root, "results", partition, rows, (*RESULTS, GAP, *columns.values()))
    row = {"state": "running"}
    publish(root, "campaigns", {"campaign": campaign}, [row], fixed_columns("campaigns"))


def objects(where: LakeAddress) -> dict[str, bytes]:
    """Return the objects of a lake, without its prefix."""
    s3 = boto3.client("s3")
    found = s3.list_objects_v2(Bucket=where.bucket, Prefix=where.key("")).get("Contents", ())
    return {
        one["Key"].removeprefix(where.key("")): s3.get_object(Bucket=where.bucket, Key=one["Key"])[
            "Body"
        ].read()
        for one in found
    }


def glue_partitions(where: LakeAddress, table: str = "results") -> dict[str, str]:
    """Return stage (or campaign) -> location."""
    found = boto3.client("glue").get_partitions(DatabaseName=where.database, TableName=table)
    return {one["Values"][-1]: one["StorageDescriptor"]["Location"] for one in found["Partitions"]}


def glue_columns(where: LakeAddress, table: str = "results") -> dict[str, dict[str, str]]:
    found = boto3.client("glue").get_table(DatabaseName=where.database, Name=table)["Table"]
    return {one["Name"]: one for one in found["StorageDescriptor"]["Columns"]}


def test_the_files_in_s3_are_those_of_the_folder_byte_by_byte(aws: Any, tmp_path: Path) -> None:
    where = address(aws)
    fill(tmp_path)
    sent = Lake(where).send(tmp_path, "solar")
    assert len(sent.written) == 3
    there = objects(where)
    here = {name for one in read_manifest(tmp_path).partitions.values() for name in one.files}
    assert there.keys() - {"_manifest.json"} == here
    assert all(there[name] == (tmp_path / name).read_bytes() for name in here)
    assert load(Lake(where).target).partitions == read_manifest(tmp_path).partitions


def test_glue_has_typed_and_described_tables_whose_partitions_lie_where_the_files_are(
    aws: Any, tmp_path: Path
) -> None:
    where = address(aws)
    fill(tmp_path)
    Lake(where).send(tmp_path, "solar")
    columns = glue_columns(where)
    assert columns["elements"]["Type"] == "array<string>"
    assert columns["n_atoms"]["Type"] == "bigint"
    assert columns["started_at"]["Type"] == "timestamp"
    assert columns["walltime_s"]["Comment"] == "Elapsed time of the attempt that counts. [s]"
    assert columns["band_gap_ev"]["Comment"].endswith("[eV]")
    table = boto3.client("glue").get_table(DatabaseName=where.database, Name="results")["Table"]
    assert [one["Name"] for one in table["PartitionKeys"]] == ["campaign", "stage"]
    assert not {"campaign", "stage"} & columns.keys()
    assert table["Parameters"]["schema_version"] == "1"
    entries = read_manifest(tmp_path).partitions
    for stage in STAGES:
        folder = entries[f"results/campaign=solar/stage={stage}"].folder
        assert glue_partitions(where)[stage] == f"{where.url}/{folder}/"
        assert any(name.startswith(folder) for name in objects(where))
    assert glue_partitions(where, "campaigns").keys() == {"solar"}
    assert glue_columns(where, "screening").keys() >= {"verdict", "formula"}


def test_what_has_not_changed_is_not_written(aws: Any, tmp_path: Path) -> None:
    where = address(aws)
    fill(tmp_path)
    lake = Lake(where)
    lake.send(tmp_path, "solar")
    aws.writes()
    for again in (lake, Lake(where)):
        assert again.send(tmp_path, "solar").written == ()
        assert aws.writes() == []


def test_one_changed_row_rewrites_one_partition(aws: Any, tmp_path: Path) -> None:
    where = address(aws)
    fill(tmp_path)
    lake = Lake(where)
    lake.send(tmp_path, "solar")
    relax = glue_partitions(where)["relax"]
    aws.writes()
    fill(tmp_path, gap=2.0)
    assert lake.send(tmp_path, "solar").written == ("results/campaign=solar/stage=scf",)
    scf = read_manifest(tmp_path).partitions["results/campaign=solar/stage=scf"]
    assert aws.writes() == [
        f"PUT {where.bucket}/lake/{scf.files[0]}",
        f"PUT {where.bucket}/lake/_manifest.json",
        "AWSGlue.UpdatePartition",
    ]
    assert glue_partitions(where) == {"relax": relax, "scf": f"{where.url}/{scf.folder}/"}


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_kill_between_any_two_writes_leaves_old_or_new_and_the_next_export_all(
    aws: Any, tmp_path: Path, how: str
) -> None:
    where = address(aws)
    fill(tmp_path)
    Lake(where).send(tmp_path, "solar")
    fill(tmp_path, gap=2.0, extra=Column("extra_ev", "float", "New."))
    lake_rows = {1.0, 2.0}
    number = 0
    while True:
        if _sent_with_failure(aws, where, tmp_path, number, how):
            break
        number += 1
        entries = load(Lake(where).target).partitions
        there = objects(where)
        assert all(name in there for entry in entries.values() for name in entry.files)
        locations = [
            *glue_partitions(where).values(),
            *glue_partitions(where, "campaigns").values(),
        ]
        for location in locations:
            folder = location.removeprefix(f"{where.url}/")
            assert any(name.startswith(folder) for name in there), "Glue points at nothing"
        copy = tmp_path / f"copy-{number}" / "_tables"
        remember(copy, where)
        rows = query("SELECT DISTINCT band_gap_ev FROM results WHERE stage = 'scf'", [copy]).rows
        assert len(rows) == 1
        assert {one for (one,) in rows} <= lake_rows
    assert number >= (4 if how == "before" else 3)
    expected = read_manifest(tmp_path).partitions
    assert load(Lake(where).target).partitions == expected
    for stage in STAGES:
        folder = expected[f"results/campaign=solar/stage={stage}"].folder
        assert glue_partitions(where)[stage] == f"{where.url}/{folder}/"
    assert "extra_ev" in glue_columns(where)


def _sent_with_failure(aws: Any, where: LakeAddress, root: Path, number: int, how: str) -> bool:
    """Send, with the write of that number failing and all after it; tell whether all was sent."""
    count = 0

    def refuses(name: str) -> str | None:
        nonlocal count
        if name.startswith(("GET", "AWSGlue.Get", "AWSGlue.BatchGet")):
            return "before" if count > number else None
        count += 1
        return None if count <= number else how if count == number + 1 else "before"

    aws.refuses = refuses
    try:
        Lake(where).send(root, "solar")
    except LakeUnreachable:
        return False
    finally:
        aws.refuses = lambda _: None
    return True


def test_exporters_in_two_processes_lose_nothing(aws: Any, tmp_path: Path) -> None:
    where = address(aws)
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=send_many, args=(str(tmp_path / name), name, where.document()))
        for name in ("one", "two")
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    manifest = load(Lake(where).target)
    assert sorted(manifest.partitions) == [f"results/campaign={n}/stage=s" for n in ("one", "two")]
    assert len(manifest.retired) == 8
    found = boto3.client("glue").get_partitions(DatabaseName=where.database, TableName="results")
    locations = {one["StorageDescriptor"]["Location"] for one in found["Partitions"]}
    assert locations == {f"{where.url}/{one.folder}/" for one in manifest.partitions.values()}
    assert {"of_one", "of_two"} <= glue_columns(where).keys()


def test_who_tells_glue_last_tells_it_the_latest(
    aws: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = address(aws)
    fill(tmp_path / "a", gap=1.0)
    fill(tmp_path / "b", gap=2.0)
    slow, quick = Lake(where), Lake(where)
    update = slow.glue.update  # type: ignore[union-attr]

    def late(*arguments: Any) -> int:
        monkeypatch.setattr(slow.glue, "update", update)
        quick.send(tmp_path / "b", "solar")  # after the slow one has read the manifest
        return update(*arguments)

    monkeypatch.setattr(slow.glue, "update", late)
    slow.send(tmp_path / "a", "solar")
    scf = load(slow.target).partitions["results/campaign=solar/stage=scf"]
    assert scf == read_manifest(tmp_path / "b").partitions["results/campaign=solar/stage=scf"]
    assert glue_partitions(where)["scf"] == f"{where.url}/{scf.folder}/"


def test_a_file_of_an_older_schema_reads_null(aws: Any, tmp_path: Path) -> None:
    where = address(aws)
    fill(tmp_path / "old", "old")
    fill(tmp_path / "new", "new", extra=Column("extra_ev", "float", "New."))
    Lake(where).send(tmp_path / "old", "old")
    before = list(glue_columns(where))
    Lake(where).send(tmp_path / "new", "new")
    after = list(glue_columns(where))
    assert after == [*before, "extra_ev"]
    Lake(where).send(tmp_path / "old", "old")
    assert list(glue_columns(where)) == after
    copy = tmp_path / "copy" / "_tables"
    remember(copy, where)
    found = query(
        "SELECT campaign, extra_ev, count(*) FROM results GROUP BY 1, 2 ORDER BY 1", [copy]
    )
    assert found.rows == [("new", None, 6), ("old", None, 6)]


def test_a_column_never_changes_its_type(aws: Any, tmp_path: Path) -> None:
    where = address(aws)
    fill(tmp_path / "a", "a", extra=Column("extra", "float", "A number."))
    Lake(where).send(tmp_path / "a", "a")
    text = Column("extra", "text", "A text.")
    fill(tmp_path / "b", "b", extra=text)
    with pytest.raises(UserError, match="column 'extra' is text here and float in campaign 'a'"):
        Lake(where).send(tmp_path / "b", "b")
    fill(tmp_path / "again", "a", extra=text)
    with pytest.raises(UserError, match="'extra' of table 'results' is double, and string here"):
        Lake(where).send(tmp_path / "again", "a")
    assert glue_columns(where)["extra"]["Type"] == "double"


def test_a_table_of_somebody_else_is_left_alone(aws: Any, tmp_path: Path) -> None:
    first, second = address(aws), address(aws)
    other = LakeAddress(second.bucket, "x", Glue(database=first.database))
    fill(tmp_path)
    Lake(first).send(tmp_path, "solar")
    with pytest.raises(UserError, match=r"lies at .*export\.glue\.database"):
        Lake(other).send(tmp_path, "solar")
    assert glue_partitions(first).keys() == set(STAGES)


def test_replaced_versions_go_after_a_while_but_for_those_that_glue_points_to(
    aws: Any, tmp_path: Path
) -> None:
    where = address(aws)
    fill(tmp_path)
    lake = Lake(where)
    lake.send(tmp_path, "solar")
    fill(tmp_path, gap=2.0)
    aws.refuses = lambda name: "before" if name == "AWSGlue.UpdatePartition" else None
    with pytest.raises(LakeUnreachable):
        lake.send(tmp_path, "solar")
    aws.refuses = lambda _: None
    assert lake.collect(0.0) == 0
    lake.send(tmp_path, "solar")
    assert lake.collect(3600.0) == 0
    assert lake.collect(0.0) == 1
    assert len(objects(where)) == 4
    assert lake.collect(0.0) == 0


def test_content_that_comes_back_while_it_is_removed_gets_another_folder(
    aws: Any, tmp_path: Path
) -> None:
    where = address(aws)
    lake = Lake(where)
    for gap in (1.0, 2.0):
        fill(tmp_path, gap=gap)
        lake.send(tmp_path, "solar")
    removed = lake.target.remove
    late: list[str] = []
    lake.target.remove = late.append  # type: ignore[method-assign]
    assert lake.collect(0.0) == 1
    fill(tmp_path, gap=1.0)
    lake.send(tmp_path, "solar")
    removed(late[0])
    scf = load(lake.target).partitions["results/campaign=solar/stage=scf"]
    assert scf.folder == f"{late[0]}-2"
    assert scf.files[0] in objects(where)
    assert lake.send(tmp_path, "solar").written == ()


def test_sql_reads_the_lake_and_fetches_each_version_once(aws: Any, tmp_path: Path) -> None:
    where = address(aws)
    fill(tmp_path / "mine", "mine")
    fill(tmp_path / "yours", "yours", gap=3.0)
    for name in ("mine", "yours"):
        Lake(where).send(tmp_path / name, name)
    side = tmp_path / "side" / "_tables"
    remember(side, where)
    ask = "SELECT campaign, max(band_gap_ev) FROM results GROUP BY campaign ORDER BY campaign"
    assert query(ask, [side]).rows == [("mine", 1.0), ("yours", 3.0)]
    aws.requests.clear()
    assert query(ask, [side]).rows == [("mine", 1.0), ("yours", 3.0)]
    assert aws.requests == [f"GET {where.bucket}/lake/_manifest.json"]


def test_sql_answers_from_what_was_last_seen_when_s3_does_not(
    aws: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    where = address(aws)
    fill(tmp_path / "yours", "yours")
    Lake(where).send(tmp_path / "yours", "yours")
    side = tmp_path / "side" / "_tables"
    remember(side, where)
    assert len(published(side)) == 3
    aws.refuses = lambda _: "before"
    fill(side, "mine")
    found = query("SELECT campaign, count(*) FROM results GROUP BY 1 ORDER BY 1", [side])
    assert found.rows == [("mine", 6), ("yours", 6)]
    assert "answering from what is on this machine" in caplog.text


def test_an_unknown_bucket_and_a_bad_manifest_are_told(aws: Any, tmp_path: Path) -> None:
    fill(tmp_path)
    with pytest.raises(LakeUnreachable, match="aws s3 mb"):
        Lake(LakeAddress("nowhere", "x", None)).send(tmp_path, "solar")
    where = address(aws)
    text = json.dumps({"schema_version": 2})
    boto3.client("s3").put_object(Bucket=where.bucket, Key="lake/_manifest.json", Body=text)
    with pytest.raises(UserError, match="not a manifest"):
        Lake(where).send(tmp_path, "solar")


def test_a_manifest_that_may_not_be_read_is_absent_only_where_the_list_says_so(
    aws: Any, tmp_path: Path
) -> None:
    where = address(aws)
    fill(tmp_path)
    lake = Lake(where)
    manifest = f"GET {where.bucket}/lake/_manifest.json"
    aws.refuses = lambda name: "denied" if name == manifest else None
    assert lake.target.read_manifest() is None
    aws.refuses = lambda _: None
    lake.send(tmp_path, "solar")
    aws.refuses = lambda name: "denied" if name == manifest else None
    with pytest.raises(LakeUnreachable, match=r"policy .* is in docs/lake\.md"):
        lake.target.read_manifest()


def test_a_file_with_another_type_than_its_table_is_refused_by_name(
    aws: Any, tmp_path: Path
) -> None:
    where = address(aws)
    partition = {"campaign": "solar", "stage": "scf"}
    columns = (*RESULTS, Column("n_bands", "text", "A text here, a number in every engine."))
    publish(tmp_path, "results", partition, [{"candidate_id": "a"}], columns)
    with pytest.raises(UserError, match="'n_bands' of table 'results' is bigint, and string here"):
        Lake(where).send(tmp_path, "solar")


def test_without_glue_there_are_only_files(aws: Any, tmp_path: Path) -> None:
    where = LakeAddress(aws.bucket(), "", None)
    fill(tmp_path)
    aws.writes()
    Lake(where).send(tmp_path, "solar")
    assert not any(one.startswith("AWSGlue") for one in aws.writes())
    assert "_manifest.json" in objects(where)
