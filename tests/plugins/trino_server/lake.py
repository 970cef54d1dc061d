"""Tables in S3 with Glue over them, published by our own exporter, and a Trino that reads them."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from battery_tables import publish_battery_tables

from trino_server.client import Trino
from trino_server.server import TrinoServer, catalog

REGION = "us-east-1"
GIVEN = "MATCAMPAIGN_TEST_TRINO"
"""`URL CATALOG SCHEMA` of a Trino over the battery's tables, to use instead of one of our own."""


@contextmanager
def lake(root: Path, url: str, publish: Callable[[Path], None]) -> Iterator[Trino]:
    """Publish tables in a folder, send them to a lake, and give a Trino that reads it."""
    import boto3
    from moto.server import ThreadedMotoServer

    from runner.export.address import LakeAddress
    from runner.export.lake import Lake
    from schemas.export import Glue

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else it tells of every request
    publish(root)
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    try:
        with _environment(endpoint):
            bucket = f"bucket-{uuid.uuid4().hex[:12]}"
            boto3.client("s3").create_bucket(Bucket=bucket)
            address = LakeAddress(bucket, "lake", Glue())
            Lake(address).send(root, None)
        with catalog(url, str(address.database), endpoint=endpoint, region=REGION) as trino:
            yield trino
    finally:
        server.stop()


@contextmanager
def own_trino(folder: Path) -> Iterator[str]:
    """Give the URL of a Trino that ends with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    server = TrinoServer(folder)
    try:
        yield server.address["uri"]
    finally:
        server.stop()


@contextmanager
def battery(folder: Path) -> Iterator[Trino]:
    """Give a Trino that reads the battery's tables: the given one, or one of our own."""
    if os.environ.get(GIVEN):
        yield Trino(*os.environ[GIVEN].split())
        return
    with own_trino(folder / "trino") as url, battery_lake(folder, url) as trino:
        yield trino


@contextmanager
def battery_lake(folder: Path, url: str) -> Iterator[Trino]:
    """Give a Trino, by the URL of its server, that reads the battery's tables."""
    with lake(folder / "tables", url, publish_battery_tables) as trino:
        yield trino


@contextmanager
def _environment(endpoint: str) -> Iterator[None]:
    wanted = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "for-tests",
        "AWS_SECRET_ACCESS_KEY": "for-tests",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
