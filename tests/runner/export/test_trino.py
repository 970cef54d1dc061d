"""A real Trino reads what is published in S3 and Glue, as the local engine reads it."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from awkward_cells import publish_cells
from battery_tables import publish_battery_tables
from elsewhere import send_shards, shard_files
from synthetic_tables import publish_campaign
from trino_server.client import Trino
from trino_server.comparison import difference
from trino_server.recording import asked, is_ordered
from trino_server.server import catalog

from runner.export.address import LakeAddress
from runner.export.lake import Lake, remember
from runner.export.parquet import publish
from runner.export.views import put_views, views
from runner.sql.examples import examples
from runner.sql.query import query
from schemas.columns import Column
from schemas.export import Glue
from schemas.tables import PARTITIONS, RESULTS

pytestmark = pytest.mark.slow  # a minute for all, and as long for Trino to start and warm up

SPEC = """
version: 1
campaign: solar
space: [{{kind: prototype, prototype: rocksalt, species: {{A: [Mg, Ca], X: [O, S]}}}}]
filters: [{{score: composition, keep: max_atomic_number <= 16}}]
stages:
  relax: {{engine: toy, task: relax}}
  scf: {{engine: toy, task: scf, structure: relax}}
export: {{to: "{to}"}}
"""
SWAPS = 100
KILLS = int(os.environ.get("MATCAMPAIGN_KILLS", "5"))
ROWS = 4000
"""Of a version: those of `elsewhere.shard_files`."""
VERSIONS = "SELECT max(version), count(*), count(DISTINCT version) FROM screening"
ATHENA = "awsdatacatalog"
"""What views of Athena call the catalog that they are in."""
Reads = Callable[..., Trino]


@pytest.fixture
def reads(aws: Any, trino_url: str) -> Iterator[Reads]:
    """Return a function that gives a Trino over a lake."""
    with ExitStack() as stack:

        def over(where: LakeAddress, name: str | None = None) -> Trino:
            region = os.environ["AWS_DEFAULT_REGION"]
            made = catalog(
                trino_url, str(where.database), endpoint=aws.url, region=region, name=name
            )
            return stack.enter_context(made)

        yield over


def lake(aws: Any, root: Path) -> LakeAddress:
    """Send a folder's tables to a new lake."""
    where = LakeAddress(aws.bucket(), "lake", Glue())
    Lake(where).send(root, None)
    return where


def same(trino: Trino, sql: str, roots: list[Path]) -> int:
    """Check that both give the same answer; return how many rows it has."""
    ours, theirs = query(sql, roots), asked(trino, sql)
    assert theirs.error is None, sql
    assert difference(theirs, ours, ordered=is_ordered(sql)) is None, sql
    return len(ours.rows)


def check_all_columns(trino: Trino, roots: list[Path]) -> dict[str, int]:
    """Check every column of every table; return how many rows each table has."""
    counts = {}
    for table in PARTITIONS:
        mine = [row[:2] for row in query(f"DESCRIBE {table}", roots).rows]
        theirs = [tuple(row[:2]) for row in trino.ask(f"DESCRIBE {table}").rows]
        assert mine == theirs
        counts[table] = same(trino, f"SELECT * FROM {table}", roots)  # noqa: S608  (our own names)
    return counts


def test_every_column_of_a_campaign_that_ran_is_read(
    aws: Any, bench: Any, reads: Reads, tmp_path: Path
) -> None:
    bucket = aws.bucket()
    bench.run(SPEC.format(to=f"s3://{bucket}/lake"))
    where = LakeAddress(bucket, "lake", Glue())
    side = tmp_path / "side" / "_tables"
    remember(side, where)
    counts = check_all_columns(reads(where), [side])
    assert counts == {"screening": 4, "results": 4, "attempts": 4, "campaigns": 1}


def test_every_column_is_read_with_nulls_and_all_that_is_odd(
    aws: Any, reads: Reads, tmp_path: Path
) -> None:
    publish_battery_tables(tmp_path)
    counts = check_all_columns(reads(lake(aws, tmp_path)), [tmp_path])
    assert min(counts.values()) == 2
    assert counts["results"] > 20


def test_the_shipped_views_have_the_same_rows_as_in_trino(
    aws: Any, reads: Reads, tmp_path: Path
) -> None:
    publish_campaign(tmp_path, "synthetic", 200)
    publish_battery_tables(tmp_path)
    publish_cells(tmp_path, "cells")
    where = lake(aws, tmp_path)
    lake_tables = Lake(where)
    assert lake_tables.glue is not None
    put_views(lake_tables.glue)
    trino = reads(where, ATHENA)
    for view in views():
        theirs, ours = asked(trino, f"SELECT * FROM {view.name}"), query(view.sql, [tmp_path])  # noqa: S608  (our own names)
        assert theirs.error is None, view.name
        assert difference(theirs, ours, ordered=False) is None, view.name
        assert ours.rows, view.name


def test_the_shipped_examples_have_the_same_answers_in_trino(
    aws: Any, reads: Reads, tmp_path: Path
) -> None:
    publish_campaign(tmp_path, "synthetic", 200)
    publish_battery_tables(tmp_path)
    publish_cells(tmp_path, "cells")
    trino = reads(lake(aws, tmp_path))
    found = {one.name: same(trino, one.sql, [tmp_path]) for one in examples()}
    assert [name for name, rows in found.items() if not rows] == []


def test_a_file_of_an_older_schema_reads_null_in_both(
    aws: Any, reads: Reads, tmp_path: Path
) -> None:
    old = tuple(one for one in RESULTS if one.name not in {"deviation", "cores", "structure"})
    new = (*RESULTS, Column("extra_ev", "float", "New."), Column("words", "texts", "New."))
    rows = [{"candidate_id": name, "outcome": "ok"} for name in "ab"]
    publish(tmp_path, "results", {"campaign": "old", "stage": "scf"}, rows, old)
    where = LakeAddress(aws.bucket(), "lake", Glue())
    Lake(where).send(tmp_path, None)
    trino = reads(where)
    assert same(trino, "SELECT candidate_id, cores, structure FROM results", [tmp_path]) == 2
    more = [{**row, "extra_ev": 1.5, "words": ["x"], "cores": 4} for row in rows]
    publish(tmp_path, "results", {"campaign": "new", "stage": "scf"}, more, new)
    Lake(where).send(tmp_path, None)
    asks = "SELECT campaign, candidate_id, extra_ev, words, cores, structure FROM results"
    assert same(trino, asks, [tmp_path]) == 4
    assert trino.ask("SELECT count(*), count(extra_ev), count(cores) FROM results").rows == [
        [4, 2, 2]
    ]


def test_queries_beside_swaps_see_one_version_of_a_partition_and_no_error(
    aws: Any, reads: Reads, tmp_path: Path
) -> None:
    shards = [shard_files(tmp_path / "shards", version) for version in range(2)]
    root = tmp_path / "tables"
    where = LakeAddress(aws.bucket(), "lake", Glue())
    send_shards(str(root), [[str(file) for file in shards[0]]], where.document(), 1)
    trino = reads(where)
    versions: list[list[Any]] = []
    failures: list[Exception] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            try:
                versions.append(trino.ask(VERSIONS).rows[0])
            except Exception as error:  # noqa: BLE001  (told below, and any at all is one too many)
                failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    context = multiprocessing.get_context("spawn")
    given = [[str(file) for file in some] for some in shards]
    exporter = context.Process(
        target=send_shards, args=(str(root), given, where.document(), SWAPS + 1)
    )
    try:
        exporter.start()
        exporter.join()
    finally:
        ended.set()
        for reader in readers:
            reader.join()
    assert exporter.exitcode == 0
    assert failures == []
    assert {tuple(row[1:]) for row in versions} == {(ROWS, 1)}, "more or less than one version"
    assert {row[0] for row in versions} == {0, 1}, "no query ran beside a swap"
    swaps = [one for one in aws.requests if one == "AWSGlue.UpdatePartition"]
    assert len(swaps) >= SWAPS


def test_an_exporter_that_is_killed_leaves_the_old_or_the_new_rows_in_both(
    aws: Any, reads: Reads, tmp_path: Path
) -> None:
    shards = [[str(one) for one in shard_files(tmp_path / "s", version)] for version in range(2)]
    root = tmp_path / "tables"
    where = LakeAddress(aws.bucket(), "lake", Glue())
    send_shards(str(root), [shards[0]], where.document(), 1)
    side = tmp_path / "side" / "_tables"
    remember(side, where)
    trino = reads(where)
    context = multiprocessing.get_context("spawn")
    rng = random.Random(7)
    for _ in range(KILLS):
        exporter = context.Process(
            target=send_shards, args=(str(root), shards, where.document(), 10**6)
        )
        aws.requests.clear()
        exporter.start()
        while not any(one.startswith("PUT") for one in aws.requests):
            assert exporter.is_alive()
            time.sleep(0.01)
        time.sleep(rng.uniform(0.0, 0.3))
        os.kill(int(exporter.pid or 0), signal.SIGKILL)
        exporter.join()
        read = [query(VERSIONS, [folder]).rows[0] for folder in (root, side)]
        for version, *rest in (*read, trino.ask(VERSIONS).rows[0]):
            assert version in {0, 1}
            assert rest == [ROWS, 1]
    Lake(where).send(root, None)
    assert trino.ask(VERSIONS).rows == [list(row) for row in query(VERSIONS, [side]).rows]
