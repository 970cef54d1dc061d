# ruff: noqa: DTZ001  (published times are naive UTC)

import json
import multiprocessing
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from elsewhere import publish_many

from runner.export.manifest import read_manifest
from runner.export.parquet import adopt, collect, publish, withdraw
from schemas.columns import Column
from schemas.errors import UserError
from schemas.tables import RESULTS, fixed_columns

SCF = {"campaign": "solar", "stage": "scf"}
EXTRA = (Column("energy_ev", "float", "E", "eV"), Column("forces", "floats", "F"))
COLUMNS = (*RESULTS, *EXTRA)


def row(candidate: str, **values: object) -> Mapping[str, object]:
    return {"candidate_id": candidate, "outcome": "ok", **values}


def current(root: Path, table: str = "results") -> pa.Table:
    (entry,) = (p for p in read_manifest(root).partitions.values() if p.table == table)
    return pa.concat_tables([pq.ParquetFile(root / file).read() for file in entry.files])


def test_values_take_the_one_form_that_both_systems_read_alike(tmp_path: Path) -> None:
    berlin = timezone(timedelta(hours=2))
    publish(
        tmp_path,
        "results",
        SCF,
        [
            row("b", energy_ev=float("nan"), forces=[1, float("inf"), None]),
            row(
                "a",
                energy_ev=-3,
                started_at=datetime(2026, 1, 31, 23, 59, 59, 999_999),
                finished_at=datetime(2026, 2, 1, 2, 0, tzinfo=berlin),
                recovery=[{"b": 1, "a": float("nan")}],
                structure='{"b": 2, "a": 1.50}',
            ),
        ],
        COLUMNS,
    )
    table = current(tmp_path)
    assert table.column("candidate_id").to_pylist() == ["a", "b"]
    assert table.column("energy_ev").to_pylist() == [-3.0, None]
    assert table.column("forces").to_pylist() == [None, [1.0, None, None]]
    assert table.schema.field("started_at").type == pa.timestamp("ms")
    assert table.column("started_at")[0].as_py() == datetime(2026, 1, 31, 23, 59, 59, 999_000)
    assert table.column("finished_at")[0].as_py() == datetime(2026, 2, 1, 0, 0)
    assert table.column("recovery")[0].as_py() == '[{"a":null,"b":1}]'
    assert table.column("structure")[0].as_py() == '{"a":1.5,"b":2}'
    assert {"campaign", "stage"}.isdisjoint(table.column_names)


def test_files_are_compressed_and_lie_in_the_folders_of_their_partition(tmp_path: Path) -> None:
    publish(tmp_path, "results", SCF, [row("a")], COLUMNS)
    (entry,) = read_manifest(tmp_path).partitions.values()
    assert entry.files == (f"results/campaign=solar/stage=scf/v={entry.version}/part-0.parquet",)
    metadata = pq.ParquetFile(tmp_path / entry.files[0]).metadata
    assert metadata.row_group(0).column(0).compression == "ZSTD"
    assert entry.rows == 1


def test_the_order_of_rows_makes_no_new_version_and_a_changed_value_does(tmp_path: Path) -> None:
    rows = [row(name, energy_ev=1.0) for name in "abc"]
    assert publish(tmp_path, "results", SCF, rows, COLUMNS)
    assert not publish(tmp_path, "results", SCF, rows[::-1], COLUMNS)
    assert publish(tmp_path, "results", SCF, [*rows[:2], row("c", energy_ev=2.0)], COLUMNS)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("energy_ev", "low"),
        ("energy_ev", True),
        ("n_atoms", 2.5),
        ("n_atoms", 2**63),
        ("cached", 1),
        ("formula", 5),
        ("started_at", "2026-01-31"),
        ("elements", "Ti"),
        ("recovery", "{not json"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_its_row_and_column(
    tmp_path: Path, column: str, value: object
) -> None:
    with pytest.raises(UserError, match=f"candidate a: column '{column}' takes"):
        publish(tmp_path, "results", SCF, [row("a", **{column: value})], COLUMNS)
    assert not read_manifest(tmp_path).partitions


def test_an_undeclared_column_and_a_foreign_row_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no column 'energy'"):
        publish(tmp_path, "results", SCF, [row("a", energy=1.0)], COLUMNS)
    with pytest.raises(UserError, match="does not belong to stage 'scf'"):
        publish(tmp_path, "results", SCF, [row("a", stage="relax")], COLUMNS)


@pytest.mark.parametrize("name", ["a/b", "a b", "", "..", "_x", "a%2Fb"])
def test_a_name_that_folders_would_bend_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="cannot name a partition"):
        publish(tmp_path, "results", {"campaign": name, "stage": "scf"}, [], COLUMNS)


def test_one_column_has_one_type_in_all_campaigns(tmp_path: Path) -> None:
    publish(tmp_path, "results", SCF, [row("a")], COLUMNS)
    other = {"campaign": "other", "stage": "scf"}
    columns = (*RESULTS, Column("energy_ev", "text", "E"))
    with pytest.raises(UserError, match=r"'energy_ev' is text here and float in campaign 'solar'"):
        publish(tmp_path, "results", other, [row("a")], columns)
    with pytest.raises(UserError, match="n_atoms"):
        publish(tmp_path, "results", other, [], (Column("n_atoms", "text", ""),))


def test_replaced_versions_stay_for_a_while_and_then_go(tmp_path: Path) -> None:
    publish(tmp_path, "results", SCF, [row("a")], COLUMNS)
    publish(tmp_path, "results", SCF, [row("b")], COLUMNS)
    folders = tmp_path / "results/campaign=solar/stage=scf"
    assert len(list(folders.iterdir())) == 2
    assert collect(tmp_path, older_than_s=3600) == 0
    assert collect(tmp_path, older_than_s=0) == 1
    assert current(tmp_path).column("candidate_id").to_pylist() == ["b"]
    assert collect(tmp_path, older_than_s=0) == 0


def test_grace_counts_from_the_replacement_not_from_the_writing(tmp_path: Path) -> None:
    import os

    publish(tmp_path, "results", SCF, [row("a")], COLUMNS)
    (old,) = (tmp_path / "results/campaign=solar/stage=scf").iterdir()
    os.utime(old, (0, 0))
    publish(tmp_path, "results", SCF, [row("b")], COLUMNS)
    assert collect(tmp_path, older_than_s=3600) == 0


def test_a_version_that_comes_back_is_current_again(tmp_path: Path) -> None:
    for name in "aba":
        assert publish(tmp_path, "results", SCF, [row(name)], COLUMNS)
    collect(tmp_path, older_than_s=0)
    assert current(tmp_path).column("candidate_id").to_pylist() == ["a"]


def test_a_withdrawn_partition_is_no_longer_in_its_table(tmp_path: Path) -> None:
    publish(tmp_path, "results", SCF, [row("a")], COLUMNS)
    assert withdraw(tmp_path, "results", SCF)
    assert not withdraw(tmp_path, "results", SCF)
    assert not read_manifest(tmp_path).partitions
    assert collect(tmp_path, older_than_s=0) == 1


def test_a_failed_publication_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path, "results", SCF, [row("a")], COLUMNS)
    before = sorted(path.name for path in tmp_path.rglob("*"))

    def broken(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", broken)
    with pytest.raises(OSError, match="No space"):
        publish(tmp_path, "results", SCF, [row("b")], COLUMNS)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_exporters_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=publish_many, args=(str(tmp_path), f"c{number}"))
        for number in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    partitions = read_manifest(tmp_path).partitions
    assert sorted(partitions) == [f"results/campaign=c{n}/stage=s" for n in range(3)]
    assert len(read_manifest(tmp_path).retired) == 12


def test_a_manifest_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "_manifest.json").write_text(json.dumps({"schema_version": 2}))
    with pytest.raises(UserError, match=r"_manifest\.json: not a manifest"):
        read_manifest(tmp_path)


def shard(path: Path, **columns: pa.Array) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_ready_shards_are_adopted_in_order_and_cleaned(tmp_path: Path) -> None:
    solar = {"campaign": "solar"}
    files = [
        shard(
            tmp_path / f"{number}.parquet",
            campaign=pa.array(["solar"]),
            row=pa.array([number]),
            ml_gap_ev=pa.array([float("nan") if number else 1.5]),
            spread=pa.array([[1.0, float("nan")]]),
        )
        for number in range(2)
    ]
    root = tmp_path / "root"
    assert adopt(root, "screening", solar, files)
    assert not adopt(root, "screening", solar, files)
    table = current(root, "screening")
    assert table.column_names == ["row", "ml_gap_ev", "spread"]
    assert table.column("row").to_pylist() == [0, 1]
    assert table.column("ml_gap_ev").to_pylist() == [1.5, None]
    assert table.column("spread").to_pylist() == [[1.0, None], [1.0, None]]
    (entry,) = read_manifest(root).partitions.values()
    assert entry.rows == 2


def test_shards_of_other_types_are_refused(tmp_path: Path) -> None:
    solar = {"campaign": "solar"}
    narrow = shard(tmp_path / "a.parquet", row=pa.array([1], pa.int32()))
    with pytest.raises(UserError, match="'row' takes int, found int32"):
        adopt(tmp_path, "screening", solar, [narrow])
    odd = shard(tmp_path / "b.parquet", x=pa.array([b"a"]))
    with pytest.raises(UserError, match="'x' has type binary"):
        adopt(tmp_path, "screening", solar, [odd])
    good = shard(tmp_path / "c.parquet", x=pa.array([1.0]))
    with pytest.raises(UserError, match="columns differ"):
        adopt(tmp_path, "screening", solar, [good, odd])


def test_the_fixed_columns_of_an_unknown_table_are_asked_for_in_vain() -> None:
    with pytest.raises(UserError, match="did you mean 'results'"):
        fixed_columns("result")


def test_times_with_a_zone_are_stored_as_utc(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 31, 10, tzinfo=UTC)
    publish(tmp_path, "results", SCF, [row("a", started_at=moment)], COLUMNS)
    assert current(tmp_path).column("started_at")[0].as_py() == datetime(2026, 1, 31, 10)
