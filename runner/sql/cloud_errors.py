"""What Athena refuses, in its own words, with what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from runner.export.clients import LakeUnreachable
from runner.sql.cloud_place import CloudPlace
from schemas.errors import UserError

_RIGHTS = (
    "the rights that queries need are in docs/lake.md (where Lake Formation governs the database, "
    "also SELECT on its tables)"
)
_ADVICE = (
    (r"bytes scanned limit", "name the columns and WHERE campaign = '...', so that less is read"),
    (
        r"output (?:location|bucket)|verify/create",
        "say where answers go: --query-results s3://BUCKET/PREFIX (in Athena's region)",
    ),
    (r"access ?denied|not authorized|insufficient .*permission|forbidden", _RIGHTS),
    (r"work ?group", "name one with --workgroup; `aws athena list-work-groups` shows them"),
    (
        r"TABLE_NOT_FOUND|Table .* (?:does not exist|not found)",
        (
            'campaign sql --cloud "SHOW TABLES" lists them; --database names another; views are '
            "made by `campaign export NAME --views`"
        ),
    ),
    (r"COLUMN_NOT_FOUND|cannot be resolved", 'campaign sql --cloud "DESCRIBE TABLE" lists columns'),
    (
        r"SCHEMA_NOT_FOUND|(?:Schema|Database) .*(?:does not exist|not found)|EntityNotFound",
        "`campaign export NAME --to s3://...` makes the database; --database names another",
    ),
    (r"ExpiredToken", "sign in again: aws sso login"),
    (
        r"InvalidClientTokenId|UnrecognizedClient|InvalidSignature|InvalidAccessKeyId",
        "look at `aws configure list`",
    ),
    (r"DIVISION_BY_ZERO", "write x / nullif(y, 0) to have NULL there"),
    (r"NoSuchKey|HIVE_CANNOT_OPEN_SPLIT", "a partition was replaced meanwhile; ask again"),
    (r"TooManyRequests|Throttling|EXCEEDED_.*CONCURREN", "ask again in a minute"),
    (
        r"Could not connect|EndpointConnection|ConnectTimeout|Name or service",
        "is the network there, and the region right? `aws configure list`",
    ),
)
"""What stands in a message, and what to do then."""


def failure(place: CloudPlace, execution: Mapping[str, Any]) -> UserError:
    """Return what an execution that failed or was cancelled says."""
    status = execution["Status"]
    error = status.get("AthenaError", {})
    words = status.get("StateChangeReason") or error.get("ErrorMessage")
    words = words or f"the query ended as {status['State'].lower()}"
    advice = _advice(f"{words} {error.get('ErrorMessage', '')}")
    if not advice and error.get("Retryable"):
        advice = "ask again; Athena says that this may help"
    told = f"{place}: {words}" + (f"; {advice}" if advice else "")
    return UserError(f"{told} (query {execution['QueryExecutionId']})")


@contextmanager
def told_by_athena(place: CloudPlace, fate: Callable[[], str]) -> Iterator[None]:
    """Turn errors of boto3 into one message; `fate` says at its end what became of the query."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        yield
    except NoCredentialsError as error:
        raise LakeUnreachable(
            f"{place}: no credentials; run `aws configure`, or set AWS_PROFILE"
        ) from error
    except (BotoCoreError, ClientError) as error:
        advice = _advice(str(error))
        told = f"{place}: {error}" + (f"; {advice}" if advice else "")
        raise LakeUnreachable(told + fate()) from error


def _advice(words: str) -> str:
    for pattern, advice in _ADVICE:
        if re.search(pattern, words, re.IGNORECASE):
            return advice
    return ""
