"""What tests have done in processes of their own, which import it by name."""

from pathlib import Path
from typing import Any

from fireworks_ext.embedded import EmbeddedClient
from fireworks_ext.engines.espresso import recipes
from runner.export.parquet import publish
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
