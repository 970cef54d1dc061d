"""Reads a configuration with AWS's own schema and prints what it says, as JSON.

This runs in an environment that has `aws-parallelcluster`, which pins a hundred packages, and
imports nothing of ours. It asks AWS nothing: rules that would are counted and left out.

usage: python aws_schema.py CLUSTER_FILE
"""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

FIRST_REGION = "us-east-1"
WHOLE = "_schema"
"""Under this name marshmallow keeps what is wrong with a block and not with one of its keys."""


class _AsksAwsError(Exception):
    """A rule asked AWS something."""


class _Aws:
    """Stands for AWS, and answers nothing but what needs no answer."""

    def __getattr__(self, name: str) -> Any:
        if name == "ec2":
            return _Ec2()
        raise _AsksAwsError(name)


class _Ec2:
    @staticmethod
    def describe_capacity_reservations(ids: list[str]) -> list[object]:
        """Return none for none; the schema asks so while it reads a file."""
        if ids:
            raise _AsksAwsError("capacity reservations")
        return []

    def __getattr__(self, name: str) -> Any:
        raise _AsksAwsError(name)


def main(file: Path) -> dict[str, Any]:
    """Return what AWS's schema and its rules say of a file."""
    # These are in the environment that this runs in, and in no other.
    from marshmallow import ValidationError  # type: ignore[import-not-found]
    from pcluster.aws.aws_api import AWSApi  # type: ignore[import-not-found]
    from pcluster.schemas.cluster_schema import ClusterSchema  # type: ignore[import-not-found]
    from pcluster.utils import load_yaml_dict  # type: ignore[import-not-found]

    data = load_yaml_dict(str(file))
    region = data.get("Region")
    os.environ["AWS_DEFAULT_REGION"] = region if isinstance(region, str) else FIRST_REGION
    AWSApi.instance = staticmethod(_Aws)
    schema = ClusterSchema(cluster_name="cluster")
    answer: dict[str, Any] = {"version": version("aws-parallelcluster")}
    try:
        cluster = schema.load(data)
    except ValidationError as error:
        return answer | {"errors": list(_errors(error.messages, schema, ()))}
    except _AsksAwsError as error:
        return answer | {"asks": str(error)}
    return answer | _rules(cluster)


def _errors(messages: Any, schema: Any, path: tuple[Any, ...]) -> Any:
    """Yield each message with its path and the keys that its block may have."""
    if isinstance(messages, dict):
        for key, below in messages.items():
            inner = schema if key == WHOLE or isinstance(key, int) else _inner(schema, key)
            leaf = not isinstance(below, dict)
            inside = path if key == WHOLE else (*path, key)
            yield from _errors(below, schema if leaf else inner, inside)
        return
    for text in messages if isinstance(messages, list) else [messages]:
        yield {"path": path, "text": str(text), "keys": _keys(schema)}


def _inner(schema: Any, key: str) -> Any:
    """Return the schema below a key; for a key without one, that of its block."""
    for field in getattr(schema, "fields", {}).values():
        if field.data_key == key and hasattr(field, "schema"):
            return field.schema
    return schema


def _keys(schema: Any) -> list[str]:
    return sorted(field.data_key or name for name, field in getattr(schema, "fields", {}).items())


def _rules(cluster: Any) -> dict[str, Any]:
    found: list[dict[str, str]] = []
    counts = {"checked": 0, "left_out": 0}
    _walk(cluster, "the cluster", found, counts)
    return {"rules": found, **counts}


def _walk(resource: Any, name: str, found: list[dict[str, str]], counts: dict[str, int]) -> None:
    """Apply the rules of a resource and of all that it holds."""
    for inner in resource._nested_resources():  # noqa: SLF001  (there is no other way in)
        own = getattr(inner, "name", None)
        kind = type(inner).__name__
        _walk(inner, f"{kind} '{own}'" if isinstance(own, str) else kind, found, counts)
    try:
        resource._register_validators(None)  # noqa: SLF001  (as above)
    except _AsksAwsError:
        counts["left_out"] += 1
    for rule, arguments in resource._validators:  # noqa: SLF001  (as above)
        try:
            results = rule().execute(**arguments)
        except _AsksAwsError:
            counts["left_out"] += 1
            continue
        counts["checked"] += 1
        found += [
            {"level": str(one.level), "text": one.message, "what": name, "rule": rule.__name__}
            for one in results
        ]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))))
