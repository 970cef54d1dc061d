"""AWS as the lake needs it: clients by boto3's own chain, and its errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from schemas.errors import UserError

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 60
ATTEMPTS = 5
"""Throttled and failed requests are tried again by boto3, adaptively, this often in all."""

_ADVICE = {
    "NoSuchBucket": "make the bucket first: aws s3 mb s3://NAME",
    "AccessDenied": "the policy that this needs is in docs/lake.md",
    "AccessDeniedException": "the policy that this needs is in docs/lake.md",
    "403": "the policy that this needs is in docs/lake.md",
    "InvalidAccessKeyId": "look at `aws configure list`",
    "ExpiredToken": "sign in again: aws sso login",
}


class LakeUnreachable(UserError):
    """S3 or Glue did not do what it was asked; trying again later may help."""


def client(service: str, place: str) -> Any:
    """Return a client of a service; `place` is what messages call it.

    Region, credentials and endpoint (AWS_ENDPOINT_URL) come from boto3's own chain.

    Raises
    ------
    UserError
        Where boto3 is not installed or no region is known.
    """
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise UserError(f"{place} needs boto3: pip install 'matcampaign[aws]'") from error
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS},
    )
    try:
        return boto3.client(service, config=config)
    except (BotoCoreError, ValueError) as error:
        raise UserError(f"{place}: {error}; set AWS_REGION or run `aws configure`") from error


def error_code(error: Exception) -> str:
    """Return the code of an error that a service answered with; '' for another."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


@contextmanager
def told(place: str) -> Iterator[None]:
    """Turn errors of boto3 into one message for people."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        yield
    except NoCredentialsError as error:
        raise LakeUnreachable(
            f"{place}: no credentials; run `aws configure`, or set AWS_PROFILE"
        ) from error
    except (BotoCoreError, ClientError, Boto3Error) as error:
        advice = _ADVICE.get(error_code(error))
        raise LakeUnreachable(f"{place}: {error}" + (f"; {advice}" if advice else "")) from error
