"""What tests have done in processes of their own, which import it by name."""

from pathlib import Path
from typing import Any

from fireworks_ext.embedded import EmbeddedClient
from fireworks_ext.engines.espresso import recipes
from runner.export.address import lake_from
from runner.export.lake import Lake
from runner.export.parquet import adopt, publish
from schemas.columns import Column
from schemas.tables import RESULTS


def publish_many(root: str, campaign: str) -> None:
    """Publish a partition five times."""
    for number in range(5):
        rows = [{"candidate_id": str(number)}]
        publish(Path(root), "results", {"campaign": campaign, "stage": "s"}, rows, RESULTS)


def take_all(path: Path, results: Any) -> None:
    """Take READY documents until there are none, and tell which they were."""
    jobs = EmbeddedClient(path)["db"]["jobs"]
    taken = []
    while one := jobs.find_one_and_update(
        {"state": "READY"}, {"$set": {"state": "TAKEN"}}, sort=[("p", -1)]
    ):
        taken.append(one["_id"])
    results.put(taken)


def build_family(arguments: tuple[str, Path]) -> str:
    """Build a family of pseudopotentials and return its folder."""
    name, folder = arguments
    return str(recipes.build(recipes.RECIPES[name], folder))


def send_many(root: str, campaign: str, lake: dict[str, Any]) -> None:
    """Publish a partition five times, and send it to a lake each time."""
    address = lake_from(lake)
    assert address is not None
    columns = (*RESULTS, Column(f"of_{campaign}", "int", "A column of its own."))
    for number in range(5):
        rows = [{"candidate_id": str(number), f"of_{campaign}": number}]
        publish(Path(root), "results", {"campaign": campaign, "stage": "s"}, rows, columns)
        Lake(address).send(Path(root), campaign)


def shard_files(folder: Path, version: int) -> list[Path]:
    """Write four files of rows that carry a version, and return them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{version}-{number}.parquet" for number in range(4)]
    for number, file in enumerate(files):
        rows = range(1000 * number, 1000 * (number + 1))
        table = pa.table({"row": pa.array(rows, pa.int64()), "version": [version] * len(rows)})
        pq.write_table(table, file)
    return files


def send_shards(root: str, shards: list[list[str]], lake: dict[str, Any], times: int) -> None:
    """Publish files as the screening of a campaign, set after set, and send each to a lake."""
    address = lake_from(lake)
    assert address is not None
    sent = Lake(address)
    for number in range(times):
        files = [Path(file) for file in shards[number % len(shards)]]
        adopt(Path(root), "screening", {"campaign": "solar"}, files)
        sent.send(Path(root), "solar")
