"""What an outage of the database is: errors after which the same operation may go through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConnectionFailure,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

from schemas.errors import UserError

PASSING_CODES = frozenset(
    {
        6,  # HostUnreachable
        7,  # HostNotFound
        64,  # WriteConcernFailed: not yet on enough members
        89,  # NetworkTimeout
        91,  # ShutdownInProgress
        134,  # ReadConcernMajorityNotAvailableYet
        189,  # PrimarySteppedDown
        262,  # ExceededTimeLimit
        9001,  # SocketException
        10058,  # LegacyNotPrimary
        10107,  # NotWritablePrimary
        11600,  # InterruptedAtShutdown
        11602,  # InterruptedDueToReplStateChange
        13435,  # NotPrimaryNoSecondaryOk
        13436,  # NotPrimaryOrSecondary
    }
)
"""Codes that MongoDB's specification of retryable writes calls retryable, and 64."""
REFUSALS = frozenset({13, 18})  # Unauthorized, AuthenticationFailed
CURSOR_LOST = 43  # CursorNotFound: the server was started anew since the cursor was opened
LONGEST_REASON = 300
_MORE = (", Timeout:", " (configured timeouts:", ", full error:")
"""What pymongo adds: its settings, and the state of every server."""
_USER_OF_URI = re.compile(r"(mongodb(?:\+srv)?://)[^/@\s'\"]*@", re.IGNORECASE)


class DatabaseAwayError(AutoReconnect, UserError):
    """The database did not answer for as long as there was patience; the last error is the cause.

    Whether what was asked for was done is not known.
    """


class DatabaseRefusesError(OperationFailure, UserError):
    """The server knows this user, or not any more, and does not let him do what was asked."""


def is_outage(error: BaseException) -> bool:
    """Tell whether the operation may go through when it is repeated as it was."""
    if isinstance(error, (ConnectionFailure, WTimeoutError)):
        return True
    if isinstance(error, BulkWriteError):
        return _is_outage_of_bulk(error.details)
    return isinstance(error, OperationFailure) and (
        error.code in PASSING_CODES or error.has_error_label("RetryableWriteError")
    )


def _is_outage_of_bulk(details: Mapping[str, Any]) -> bool:
    """Tell it of a bulk write: every write was done, only not yet on enough members."""
    writes, concerns = details.get("writeErrors") or [], details.get("writeConcernErrors") or []
    return not writes and any(one.get("code") in PASSING_CODES for one in concerns)


def reason(error: BaseException) -> str:
    """Return what an error says, in one line, short and without user or password."""
    text = str(error)
    for more in _MORE:
        text = text.partition(more)[0]
    text = without_credentials(" ".join(text.split()))
    kind = type(error).__name__
    return (text if len(text) <= LONGEST_REASON else text[:LONGEST_REASON] + "...") or kind


def without_credentials(text: str) -> str:
    """Return a text with what stands before the `@` of database addresses taken out."""
    return _USER_OF_URI.sub(r"\1", text)


def away(error: PyMongoError, waited_s: float) -> DatabaseAwayError:
    """Return the error to raise when there is no patience left."""
    if isinstance(error, DatabaseAwayError):
        return error
    return DatabaseAwayError(
        f"store: the database did not answer for {waited_s:.0f} s ({reason(error)}); check that it "
        "runs and can be reached from here (`campaign doctor`), then start the same command again"
    )


def told(error: PyMongoError) -> PyMongoError:
    """Return the error to raise in place of one that no repeat puts right."""
    if not isinstance(error, OperationFailure) or error.code not in REFUSALS:
        return error
    return DatabaseRefusesError(
        f"store: the database refuses ({reason(error)}); check user and password, and that the "
        "user has the role readWrite on the database (`campaign doctor`)",
        error.code,
    )
